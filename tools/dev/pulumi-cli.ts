/** The Pulumi CLI on the development stack. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join, relative } from "node:path";
import { createInterface } from "node:readline";
import { CHECKOUT, DEV_ROOT } from "../paths";
import { run, runToEnd } from "../processes";
import { Digest } from "./digest";
import { type DevEnvironment, processEnvironment } from "./environment";
import { CONFIG_FILE, PROJECT_COPY, STACK } from "./stack-files";

/**
 * Runs a `pulumi` command that reads the program, and gives its exit status. What matters of its output goes to this terminal, all
 * of it into a file.
 */
export async function pulumi(environment: DevEnvironment, args: readonly string[]): Promise<number> {
  const all = [...args, "--stack", STACK, "--config-file", CONFIG_FILE, "--non-interactive"];
  process.stdout.write(`$ pulumi ${args.join(" ")}\n`);
  await mkdir(LOGS, { recursive: true });
  const file = join(LOGS, `${new Date().toISOString().replace(/[:.]/g, "-")}-${args[0]}.txt`);
  const log = createWriteStream(file);
  // Ctrl-C reaches the CLI by itself; we stay to see how it ends.
  const ignore = () => undefined;
  process.on("SIGINT", ignore);
  try {
    const env = processEnvironment(environment);
    const child = spawn("pulumi", all, { cwd: CHECKOUT, env, stdio: ["ignore", "pipe", "inherit"] });
    const ended = once(child, "exit");
    const digest = new Digest();
    for await (const line of createInterface({ input: child.stdout })) {
      log.write(`${line}\n`);
      for (const shown of digest.next(line)) process.stdout.write(`${shown}\n`);
    }
    const [status] = await ended;
    if (digest.isShortened) process.stdout.write(`All of it: ${relative(CHECKOUT, file)}\n`);
    return typeof status === "number" ? status : 1;
  } finally {
    log.end();
    process.off("SIGINT", ignore);
  }
}

/**
 * Whether the program and the provider get through a preview, whatever it shows: `--expect-no-changes` gives the same
 * exit status for changes and for errors.
 */
export async function canPreview(environment: DevEnvironment): Promise<boolean> {
  const { status } = await runToEnd("pulumi", ["preview", ...STACK_FLAGS], { env: processEnvironment(environment) });
  return status === 0;
}

/** Makes the stack unless it is there, and selects it for commands typed by hand. */
export async function selectStack(environment: DevEnvironment): Promise<void> {
  const options = { cwd: CHECKOUT, env: processEnvironment(environment) };
  await run("pulumi", ["stack", "select", "--create", STACK, "--cwd", PROJECT_COPY, "--non-interactive"], options);
  await run("pulumi", ["stack", "select", STACK, "--non-interactive"], options);
}

/** The stack's `asOf`. */
export async function readAsOf(environment: DevEnvironment): Promise<string> {
  const { stdout } = await run("pulumi", ["config", "get", "asOf", ...STACK_FLAGS], {
    env: processEnvironment(environment),
  });
  return stdout.trim();
}

/** Sets the stack's `asOf`, in the copy of the configuration. */
export async function setAsOf(environment: DevEnvironment, asOf: string): Promise<void> {
  await run("pulumi", ["config", "set", "asOf", asOf, ...STACK_FLAGS], { env: processEnvironment(environment) });
}

/** The first month of the conversations: the oldest one that there is. */
export async function readOldestMonth(environment: DevEnvironment): Promise<string> {
  const { stdout } = await run("pulumi", ["config", "get", "--path", `${CONVERSATIONS}.from`, ...STACK_FLAGS], {
    env: processEnvironment(environment),
  });
  return stdout.trim();
}

/** Pins months of the conversations, in the copy of the configuration. */
export async function setPin(environment: DevEnvironment, { from, to }: { from: string; to: string }): Promise<void> {
  const values = Object.entries({ from, to }).flatMap(([name, value]) => [
    "--plaintext",
    `${CONVERSATIONS}.pins[0].${name}=${value}`,
  ]);
  await run("pulumi", ["config", "set-all", "--path", ...values, ...STACK_FLAGS], {
    env: processEnvironment(environment),
  });
}

/** Everything that Pulumi has said. */
const LOGS = join(DEV_ROOT, "log");

const CONVERSATIONS = "windows.conversationMessages";

const STACK_FLAGS = ["--cwd", CHECKOUT, "--stack", STACK, "--config-file", CONFIG_FILE, "--non-interactive"];
