/**
 * Running other programs: output captured or passed on, and a sign of life for steps that take long.
 */
import { type SpawnOptions, spawn } from "node:child_process";

/** Where messages for the person at the terminal go; one line a call, without the line end. */
export type Log = (message: string) => void;

/** Writes every message to standard error, so that standard output stays free for results. */
export const logToStderr: Log = (message) => {
  process.stderr.write(`${message}\n`);
};

/** How a program ended, with everything it wrote when its output was captured. */
export interface Outcome {
  /** Exit status; null when a signal ended the program. */
  status: number | null;
  stdout: string;
  stderr: string;
}

/** Options of {@link run}. */
export interface RunOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  uid?: number;
  gid?: number;
  /** "capture" (default) collects the output; "inherit" lets the program write to this terminal. */
  output?: "capture" | "inherit";
  /** Ends the program after this many milliseconds. Default: never. */
  timeout?: number;
}

/** A program that could not be started or ended with a status other than 0. */
export class ProgramError extends Error {
  constructor(
    readonly program: string,
    readonly outcome: Outcome | undefined,
    reason: string,
  ) {
    super(reason);
    this.name = "ProgramError";
  }
}

/** Runs a program to its end, without standard input, and gives its outcome whatever the exit status. */
export function runToEnd(program: string, args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const { output = "capture", ...rest } = options;
  const stdio: SpawnOptions["stdio"] =
    output === "inherit" ? ["ignore", "inherit", "inherit"] : ["ignore", "pipe", "pipe"];
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { ...rest, stdio });
    let stdout = "";
    let stderr = "";
    child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
      stdout += chunk;
    });
    child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
      stderr += chunk;
    });
    child.once("error", (error) =>
      reject(new ProgramError(program, undefined, `${program} cannot be started: ${error.message}`)),
    );
    child.once("close", (status) => resolve({ status, stdout, stderr }));
  });
}

/**
 * Runs a program to its end and fails when it fails.
 * @throws {ProgramError} naming the program, its exit status and the end of what it wrote.
 */
export async function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const outcome = await runToEnd(program, args, options);
  if (outcome.status === 0) {
    return outcome;
  }
  const ending = outcome.status === null ? "was ended by a signal" : `ended with exit status ${outcome.status}`;
  const written = lastLines(outcome.stderr || outcome.stdout, 15);
  throw new ProgramError(
    program,
    outcome,
    `${program} ${args[0] ?? ""} ${ending}${written === "" ? "" : `:\n${written}`}`,
  );
}

/** The last `count` lines of a text, without blank lines at its end. */
export function lastLines(text: string, count: number): string {
  return text.trimEnd().split("\n").slice(-count).join("\n");
}

/** Does a step that may take long: says what begins, every 10 seconds that it goes on, and how long it took. */
export async function withProgress<T>(log: Log, what: string, step: () => Promise<T>): Promise<T> {
  const begun = Date.now();
  const elapsed = () => `${Math.round((Date.now() - begun) / 1000)} s`;
  log(`${what} …`);
  const ticker = setInterval(() => log(`${what} … ${elapsed()}`), 10_000);
  try {
    const result = await step();
    log(`${what}: done in ${elapsed()}`);
    return result;
  } finally {
    clearInterval(ticker);
  }
}

/** Whether a process with this id exists, whoever owns it. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) === "EPERM";
  }
}

/** The `code` of a Node.js or PostgreSQL error (ENOENT, 57P03, …); undefined for anything else. */
export function errorCode(error: unknown): string | undefined {
  if (error instanceof Error && "code" in error && typeof error.code === "string") {
    return error.code;
  }
  return undefined;
}

/** The message of anything that was thrown. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Waits; only between two looks at something that gives no notice of its own. */
export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
