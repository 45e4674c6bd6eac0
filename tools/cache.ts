/**
 * The cache of downloaded and built tools. It lies outside the checkout, so that a clean clone on the same machine
 * starts at once, and it never holds half a tool: a tool is made in a directory of its own and then renamed.
 */
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, mkdir, readdir, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, dirname, join } from "node:path";
import { errorCode, isAlive } from "./processes";

const NAME = "pulumi-pgpartition";

/**
 * The directory of the cache: `PGPARTITION_CACHE_DIR` when set; for root a system-wide directory, because PostgreSQL
 * then runs as another user who cannot enter root's home; else below `XDG_CACHE_HOME` or `~/.cache`.
 */
export function cacheRoot(): string {
  const { PGPARTITION_CACHE_DIR, XDG_CACHE_HOME } = process.env;
  if (PGPARTITION_CACHE_DIR) {
    return PGPARTITION_CACHE_DIR;
  }
  if (process.getuid?.() === 0) {
    return join("/var/cache", NAME);
  }
  return join(XDG_CACHE_HOME || join(homedir(), ".cache"), NAME);
}

/**
 * Gives `directory`, made by `fill` when it is not there yet. `fill` gets an empty directory on the same file system;
 * only when it succeeds does that become `directory`. Of two processes doing this at once, one wins and both go on.
 */
export async function installOnce(directory: string, fill: (scratch: string) => Promise<void>): Promise<string> {
  if (existsSync(directory)) {
    return directory;
  }
  await removeAbandoned(directory);
  const scratch = `${directory}.tmp-${process.pid}-${randomBytes(4).toString("hex")}`;
  await makeReachable(scratch);
  try {
    await fill(scratch);
    await rename(scratch, directory);
  } catch (error) {
    const lostTheRace = ["ENOTEMPTY", "EEXIST"].includes(errorCode(error) ?? "") && existsSync(directory);
    if (!lostTheRace) {
      throw error;
    }
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  return directory;
}

/** Makes a directory below the cache that every user may enter, whatever the umask of the caller. */
async function makeReachable(directory: string): Promise<void> {
  const first = await mkdir(directory, { recursive: true });
  for (let made = directory; first !== undefined && made.length >= first.length; made = dirname(made)) {
    await chmod(made, 0o755);
  }
}

/** Removes what processes that were killed while filling `directory` have left beside it. */
async function removeAbandoned(directory: string): Promise<void> {
  const parent = dirname(directory);
  const pattern = /\.tmp-(\d+)-[0-9a-f]+$/;
  const names = existsSync(parent) ? await readdir(parent) : [];
  for (const name of names.filter((candidate) => candidate.startsWith(`${basename(directory)}.tmp-`))) {
    const pid = Number(pattern.exec(name)?.[1]);
    if (!isAlive(pid)) {
      await rm(join(parent, name), { recursive: true, force: true });
    }
  }
}
