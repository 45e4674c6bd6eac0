/** A Pulumi CLI that somebody has installed on this machine. */
import { realpath } from "node:fs/promises";
import { dirname, join } from "node:path";
import { findExecutable, isExecutable } from "../executables";
import { runToEnd } from "../processes";

const OLDEST = [3, 200, 0] as const;
const LANGUAGE_HOST = "pulumi-language-nodejs";
const VERSION_TIMEOUT_MS = 20_000;

/** The CLI on PATH when it is new enough and its Node.js language host is on PATH or beside it. */
export async function findInPath(): Promise<{ binDir: string; version: string } | undefined> {
  const cli = findExecutable("pulumi");
  if (cli === undefined) {
    return undefined;
  }
  const beside = dirname(await realpath(cli));
  if (findExecutable(LANGUAGE_HOST) === undefined && !isExecutable(join(beside, LANGUAGE_HOST))) {
    return undefined;
  }
  const version = await readVersion(dirname(cli)).catch(() => undefined);
  return version !== undefined && isNewEnough(version) ? { binDir: dirname(cli), version } : undefined;
}

/**
 * Asks the CLI in a directory for its version.
 * @throws when it or the language host is missing or does not run.
 */
export async function readVersion(binDir: string): Promise<string> {
  const environment = { ...process.env, PULUMI_SKIP_UPDATE_CHECK: "true" };
  const outcome = await runToEnd(join(binDir, "pulumi"), ["version"], {
    env: environment,
    timeout: VERSION_TIMEOUT_MS,
  });
  const version = /^v?(\d+\.\d+\.\d+\S*)\s*$/.exec(outcome.stdout)?.[1];
  if (outcome.status !== 0 || version === undefined) {
    throw new Error(`${join(binDir, "pulumi")} does not tell its version: ${outcome.stderr.trim()}`);
  }
  return version;
}

function isNewEnough(version: string): boolean {
  const parts = version.split(/[.+-]/).map(Number);
  for (const [index, least] of OLDEST.entries()) {
    const part = parts[index] ?? 0;
    if (part !== least) {
      return part > least;
    }
  }
  return true;
}
