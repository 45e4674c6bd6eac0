/**
 * A PostgreSQL data directory ("cluster"): made by initdb as a whole or not at all, with a password for its superuser
 * that is kept inside it.
 */
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { chown, copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { cacheRoot, installOnce } from "../cache";
import { type Log, run, withProgress } from "../processes";
import type { Account } from "./account";
import { ensurePostgres, type Major } from "./binaries";

const PASSWORD_FILE = "superuser-password";

/** Name of the superuser of every cluster that these tools make. */
export const SUPERUSER = "postgres";

/** Options of {@link ensureCluster}. */
export interface ClusterOptions {
  major: Major;
  dataDir: string;
  account: Account | undefined;
  /**
   * Whether the cluster is one of its own, forced to disk. Without it, it is a copy of one in the cache, with the same
   * password and system identifier, made in a tenth of the time, and a power failure may ruin it.
   */
  durable: boolean;
  log: Log;
}

/**
 * Makes the cluster unless it is there.
 * @returns the password of its superuser.
 * @throws when the directory holds a cluster of another major version or something else.
 */
export async function ensureCluster(options: ClusterOptions): Promise<{ password: string }> {
  const { dataDir, major } = options;
  await installOnce(
    dataDir,
    options.durable ? (scratch) => initialise(scratch, options) : (scratch) => copyCached(scratch, options),
  );
  if (!existsSync(join(dataDir, PASSWORD_FILE))) {
    throw new Error(`${dataDir} is not a PostgreSQL cluster of this project; remove it or name another directory.`);
  }
  const found = (await readFile(join(dataDir, "PG_VERSION"), "utf8")).trim();
  if (found !== String(major)) {
    throw new Error(
      `${dataDir} is a cluster of PostgreSQL ${found}, not ${major}; remove it or name another directory.`,
    );
  }
  return { password: (await readFile(join(dataDir, PASSWORD_FILE), "utf8")).trim() };
}

function initialise(directory: string, options: ClusterOptions): Promise<void> {
  const { major, dataDir, log } = options;
  return withProgress(log, `Making a PostgreSQL ${major} cluster in ${dataDir}`, () => runInitdb(directory, options));
}

async function copyCached(directory: string, options: ClusterOptions): Promise<void> {
  const { bin } = await ensurePostgres(options.major, options.log);
  const cached = join(cacheRoot(), "clusters", basename(dirname(bin)));
  await installOnce(cached, (scratch) => initialise(scratch, { ...options, dataDir: cached }));
  await run("cp", ["-R", "-p", `${cached}/.`, directory]);
  // The account may be another one than when the cached cluster was made.
  if (options.account !== undefined) {
    const { uid, gid } = options.account;
    await run("chown", ["-R", `${uid}:${gid}`, directory]);
  }
}

async function runInitdb(directory: string, options: ClusterOptions): Promise<void> {
  const { bin } = await ensurePostgres(options.major, options.log);
  const passwordFile = `${directory}.password`;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await writeFile(passwordFile, `${randomBytes(18).toString("base64url")}\n`, { mode: 0o600 });
  await own(directory, options.account);
  await own(passwordFile, options.account);
  try {
    const authentication = ["-A", "scram-sha-256", "--pwfile", passwordFile];
    const encoding = ["-E", "UTF8", "--locale=C"];
    const args = ["-D", directory, "-U", SUPERUSER, ...authentication, ...encoding];
    await run(join(bin, "initdb"), args, { ...options.account, cwd: "/" });
    await copyFile(passwordFile, join(directory, PASSWORD_FILE));
    await own(join(directory, PASSWORD_FILE), options.account);
  } finally {
    await rm(passwordFile, { force: true });
  }
}

async function own(path: string, account: Account | undefined): Promise<void> {
  if (account !== undefined) {
    await chown(path, account.uid, account.gid);
  }
}
