/** Processes that are killed at a fault point (`postgres/faults.ts`), and what is to be waited for after that. */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import type { Client } from "pg";
import { MAJORS, type Major } from "../../tools/postgres";
import { bundled } from "./bundled";

/** `upWithoutEngine` as a program, of a connection, a program and a state. */
export const UP_WITHOUT_ENGINE = join(__dirname, "without-engine-child.ts");

/**
 * Runs a TypeScript program with arguments, to its end or to where the fault, `<point>:<n>`, ends it.
 * @returns the signal that ended it; null when it came to its end.
 * @throws when it failed by itself.
 */
export function runWithFault(program: string, args: unknown[], fault: string): Promise<NodeJS.Signals | null> {
  return runProgram(program, args, { PGPARTITION_FAULT: fault });
}

/** The same with other additions to the environment. */
export function runProgram(
  program: string,
  args: unknown[],
  env: Record<string, string>,
): Promise<NodeJS.Signals | null> {
  const child = startProgram(program, args, env);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code, signal) =>
      code === 0 || signal === "SIGKILL" ? resolve(signal) : reject(new Error(`exit ${code ?? signal}`)),
    );
  });
}

/** Starts a TypeScript program with arguments. */
export function startProgram(program: string, args: unknown[], env: Record<string, string> = {}): ChildProcess {
  const texts = args.map((arg) => JSON.stringify(arg));
  return spawn(process.execPath, [bundled(program), ...texts], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "ignore", "inherit"],
  });
}

const COMMAND = join(__dirname, "../../cli/main.ts");

/** Starts the command `pgpartition` with arguments; what it says on standard error can be read. */
export function startCommand(args: readonly string[], env: Record<string, string> = {}): ChildProcess {
  return spawn(process.execPath, [bundled(COMMAND), ...args], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "ignore", "pipe"],
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
