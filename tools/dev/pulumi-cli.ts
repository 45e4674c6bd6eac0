/** The Pulumi CLI on the development stack. */
import { spawn } from "node:child_process";
import { CHECKOUT } from "../paths";
import { run, runToEnd } from "../processes";
import { type DevEnvironment, processEnvironment } from "./environment";
import { CONFIG_FILE, PROJECT_COPY, STACK } from "./stack-files";

/** Runs a `pulumi` command that reads the program, on this terminal; gives its exit status. */
export function pulumi(environment: DevEnvironment, args: readonly string[]): Promise<number> {
  const all = [...args, "--stack", STACK, "--config-file", CONFIG_FILE];
  process.stdout.write(`$ pulumi ${args.join(" ")}\n`);
  // Ctrl-C reaches the CLI by itself; we stay to see how it ends.
  const ignore = () => undefined;
  process.on("SIGINT", ignore);
  return new Promise<number>((resolve, reject) => {
    const child = spawn("pulumi", all, {
      cwd: CHECKOUT,
      env: processEnvironment(environment),
      stdio: ["ignore", "inherit", "inherit"],
    });
    child.once("error", reject);
    child.once("exit", (status) => resolve(status ?? 1));
  }).finally(() => process.off("SIGINT", ignore));
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

const CONVERSATIONS = "windows.conversationMessages";

const STACK_FLAGS = ["--cwd", CHECKOUT, "--stack", STACK, "--config-file", CONFIG_FILE, "--non-interactive"];
