/**
 * The files of the development stack. Pulumi writes into the project's `Pulumi.dev.yaml`, when it makes the stack and
 * with every `config set`; the committed file must stay as it is. So the stack is made in, and configured through, a
 * copy of the two project files in `.dev/project`.
 */
import { existsSync } from "node:fs";
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CHECKOUT, DEV_ROOT } from "../paths";

/** Name of the development stack. */
export const STACK = "dev";

/** The copy of the project, in which the stack is made. */
export const PROJECT_COPY = join(DEV_ROOT, "project");

/** The configuration that commands on the development stack use, for `--config-file`. */
export const CONFIG_FILE = join(PROJECT_COPY, `Pulumi.${STACK}.yaml`);

const COMMITTED_CONFIG = join(CHECKOUT, `Pulumi.${STACK}.yaml`);
const CLOCK_FILE = join(DEV_ROOT, "clock.json");
const SALT = /^encryptionsalt:.*$/m;

/**
 * Renews the copies from the committed files. What Pulumi itself added to the copy, the salt of the stack's encryption,
 * is kept.
 */
export async function renewStackFiles(): Promise<void> {
  await mkdir(PROJECT_COPY, { recursive: true });
  await copyFile(join(CHECKOUT, "Pulumi.yaml"), join(PROJECT_COPY, "Pulumi.yaml"));
  const committed = await readFile(COMMITTED_CONFIG, "utf8");
  const previous = existsSync(CONFIG_FILE) ? await readFile(CONFIG_FILE, "utf8") : "";
  const salt = SALT.test(committed) ? undefined : SALT.exec(previous)?.[0];
  await writeFile(CONFIG_FILE, salt === undefined ? committed : `${committed.trimEnd()}\n${salt}\n`);
}

/** How far the development stack's point in time has been moved, and what was asked back from its archive. */
export interface Clock {
  /** The committed `asOf` from which it was moved. */
  from: string;
  /** The `asOf` that holds now. */
  to: string;
  /** The month that is brought back. */
  pin?: { from: string; to: string };
}

/** The clock as the last `npm start` left it; undefined before the first move. */
export async function readClock(): Promise<Clock | undefined> {
  return existsSync(CLOCK_FILE) ? (JSON.parse(await readFile(CLOCK_FILE, "utf8")) as Clock) : undefined;
}

/** Remembers the clock for the next `npm start`. */
export async function writeClock(clock: Clock): Promise<void> {
  await writeFile(CLOCK_FILE, `${JSON.stringify(clock)}\n`);
}
