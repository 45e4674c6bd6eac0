/** An application at work: clients that time every statement, from sending to answer. */
import { setTimeout as pause } from "node:timers/promises";
import type { TestDatabase } from "../../test/support/postgres";

const PAUSE_MS = 5;

export interface Timed {
  client: number;
  /** By performance.now(). */
  started: number;
  ms: number;
}

export interface Load {
  statements: Timed[];
  /** One line for each statement that failed. */
  failures: string[];
  stop(): Promise<void>;
}

/** One client for each job, a list of statements that are sent one after the other, over and over. */
export async function startLoad(database: TestDatabase, jobs: string[][], pauseMs = PAUSE_MS): Promise<Load> {
  const load: Load = { statements: [], failures: [], stop: async () => undefined };
  let running = true;
  const loops = jobs.map(async (job, client) => {
    const session = await database.client("application");
    while (running) {
      for (const sql of job) {
        const started = performance.now();
        await session.query(sql).catch((error: Error) => {
          load.failures.push(`${sql}: ${error.message}`);
        });
        load.statements.push({ client, started, ms: performance.now() - started });
      }
      await pause(pauseMs);
    }
    await session.end();
  });
  load.stop = async () => {
    running = false;
    await Promise.all(loops);
  };
  return load;
}

export function percentile(values: number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
}

/** A statement is taken for held up when it took so much longer than usual. */
export const STALL_MS = 50;

export interface Disturbance {
  /** Longest statement, in milliseconds. */
  longest: number;
  /** Of the client that was held up most: what its slow statements took beyond the usual, together. */
  stalled: number;
  /** 99th percentile less that of the time before. */
  p99Rise: number;
}

/** What statements that were answered between two moments had to bear, compared with those before. */
export function disturbance(statements: Timed[], from: number, to: number): Disturbance {
  const before = statements.filter(({ started, ms }) => started + ms <= from).map(({ ms }) => ms);
  const during = statements.filter(({ started, ms }) => started + ms > from && started <= to);
  const usual = percentile(before, 0.5);
  const stalls = new Map<number, number>();
  for (const { client, ms } of during) {
    if (ms - usual > STALL_MS) stalls.set(client, (stalls.get(client) ?? 0) + ms - usual);
  }
  const times = during.map(({ ms }) => ms);
  return {
    longest: Math.max(0, ...times),
    stalled: Math.max(0, ...stalls.values()),
    p99Rise: percentile(times, 0.99) - percentile(before, 0.99),
  };
}
