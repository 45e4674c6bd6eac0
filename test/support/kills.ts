/** Processes that are killed at a fault point (`postgres/faults.ts`), and what is to be waited for after that. */
import { spawn } from "node:child_process";
import type { Client } from "pg";
import { MAJORS, type Major } from "../../tools/postgres";

/**
 * Runs a TypeScript program with arguments, to its end or to where the fault, `<point>:<n>`, ends it. Without the `loader`
 * it starts in a quarter of the time, if Node.js alone can run it.
 * @returns the signal that ended it; null when it came to its end.
 * @throws when it failed by itself.
 */
export function runWithFault(
  program: string,
  args: unknown[],
  fault: string,
  loader: readonly string[] = ["--require", "tsx/cjs"],
): Promise<NodeJS.Signals | null> {
  const texts = args.map((arg) => JSON.stringify(arg));
  const child = spawn(process.execPath, [...loader, program, ...texts], {
    env: { ...process.env, PGPARTITION_FAULT: fault },
    stdio: ["ignore", "ignore", "inherit"],
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code, signal) =>
      code === 0 || signal === "SIGKILL" ? resolve(signal) : reject(new Error(`exit ${code ?? signal}`)),
    );
  });
}

/** The server notices a client's death when it next reads from it or writes to it. */
export async function sessionsEnd(client: Client): Promise<void> {
  for (;;) {
    const { rows } = await client.query(
      "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'pulumi-pgpartition'",
    );
    if (rows.length === 0) return;
  }
}

/**
 * How many passes through a point are gone on by. Every pass costs a process, and each is tried on the oldest version,
 * which sends statements of its own, and on the newest; the order of transactions is the same on those between.
 */
export function strideOn(major: Major): number {
  return major === Math.min(...MAJORS) || major === Math.max(...MAJORS) ? 1 : 4;
}
