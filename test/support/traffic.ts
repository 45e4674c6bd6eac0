/** An application at work beside a test: clients that repeat their statements, and everything that went wrong for them. */
import { setTimeout as pause } from "node:timers/promises";
import type { Client } from "pg";
import type { TestDatabase } from "./postgres";

/** Between two statements of one client, so that the application leaves the machine to what is tested. */
const PAUSE_MS = 5;

export interface TrafficReport {
  /** Statements that were answered. */
  statements: number;
  /** One line for each statement that failed. */
  failures: string[];
}

export interface Traffic {
  stop(): Promise<TrafficReport>;
}

/**
 * Starts one client for each job; a job is a list of statements that are sent one after the other, over and over.
 * `limitMs` is what the server lets each of them take from arrival to end, waiting included: one that takes longer fails
 * and is reported. The server's clock is used because this process may itself be short of CPU time.
 */
export async function startTraffic(database: TestDatabase, jobs: string[][], limitMs: number): Promise<Traffic> {
  const report: TrafficReport = { statements: 0, failures: [] };
  const state = { running: true };
  const clients = await Promise.all(jobs.map(() => database.client("application")));
  const loops = jobs.map(async (statements, index) => {
    const client = clients[index] as Client;
    await client.query(`SET statement_timeout = ${limitMs}`);
    while (state.running) await once(client, statements, report);
  });
  return {
    stop: async () => {
      state.running = false;
      await Promise.all(loops);
      await Promise.all(clients.map((client) => client.end()));
      return report;
    },
  };
}

async function once(client: Client, statements: string[], report: TrafficReport): Promise<void> {
  for (const sql of statements) {
    try {
      await client.query(sql);
      report.statements += 1;
    } catch (error) {
      report.failures.push(`${sql}: ${error instanceof Error ? error.message : error}`);
      await client.query("ROLLBACK");
      return;
    }
  }
  await pause(PAUSE_MS);
}
