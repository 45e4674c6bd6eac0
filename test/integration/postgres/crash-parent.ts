/** Runs plans in processes that are killed on the way. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import type { Client } from "pg";
import type { Step } from "../../../topology/steps";
import type { TestDatabase } from "../../support/postgres";

/** The server notices a client's death when it next reads from it or writes to it. */
export async function sessionsEnd(client: Client): Promise<void> {
  for (;;) {
    const { rows } = await client.query(
      "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'pulumi-pgpartition'",
    );
    if (rows.length === 0) return;
  }
}

/** Carries out the steps in a process of its own, which a fault may end. */
export function runChild(database: TestDatabase, steps: Step[], fault: string): Promise<NodeJS.Signals | null> {
  const script = join(__dirname, "crash-child.ts");
  const args = ["--require", "tsx/cjs", script, JSON.stringify(database.connection), JSON.stringify(steps)];
  const child = spawn(process.execPath, args, {
    env: { ...process.env, PGPARTITION_FAULT: fault },
    stdio: ["ignore", "ignore", "inherit"],
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code, signal) =>
      code === null || code === 0 ? resolve(signal) : reject(new Error(`exit ${code}`)),
    );
  });
}
