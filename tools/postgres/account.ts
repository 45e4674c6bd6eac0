/**
 * The operating-system account that runs PostgreSQL. PostgreSQL refuses to run as root; everybody else runs it as
 * themselves. Root runs it as an ordinary user, and then everything that PostgreSQL touches must be within that
 * user's reach.
 */
import { createHash } from "node:crypto";
import { chown, lstat, mkdir, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { errorCode, type Log, runToEnd } from "../processes";

/** A user that programs can be started as; `spawn` takes it as it is. */
export interface Account {
  uid: number;
  gid: number;
}

const CREATED_USER = "pgpartition";

/** The account for PostgreSQL; undefined means the one of this process. */
export async function postgresAccount(): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) {
    return undefined;
  }
  const account = (await findUser("postgres")) ?? (await findUser(CREATED_USER)) ?? (await createUser());
  const fallback = account ?? (await findUser("nobody"));
  if (fallback === undefined) {
    throw new Error(
      "PostgreSQL does not run as root and there is no user to run it as. Create one: useradd --system pgpartition",
    );
  }
  return fallback;
}

async function findUser(name: string): Promise<Account | undefined> {
  const passwd = await readFile("/etc/passwd", "utf8");
  const fields = passwd
    .split("\n")
    .map((line) => line.split(":"))
    .find(([user]) => user === name);
  return fields === undefined ? undefined : { uid: Number(fields[2]), gid: Number(fields[3]) };
}

async function createUser(): Promise<Account | undefined> {
  try {
    await runToEnd("useradd", ["--system", "--user-group", "--shell", "/bin/false", CREATED_USER]);
  } catch {
    // Minimal systems have no useradd; the caller then takes a user that every system has.
    return undefined;
  }
  return findUser(CREATED_USER);
}

/**
 * Where a data directory really goes: `wanted`, or a directory of its own below the temporary directory when the
 * account cannot enter the parent of `wanted` (a checkout below /root). The same `wanted` always gives the same place.
 * The parent of the result exists afterwards.
 */
export async function reachableDirectory(wanted: string, account: Account | undefined, log: Log): Promise<string> {
  await mkdir(dirname(wanted), { recursive: true });
  if (account === undefined || (await canEnter(dirname(wanted), account))) {
    return wanted;
  }
  const digest = createHash("sha256").update(wanted).digest("hex").slice(0, 16);
  const parent = join(tmpdir(), `pulumi-pgpartition-${digest}`);
  await makeOwnDirectory(parent, account);
  const place = join(parent, basename(wanted));
  log(`The user that runs PostgreSQL cannot enter ${dirname(wanted)}; the data goes to ${place}`);
  return place;
}

async function canEnter(directory: string, account: Account): Promise<boolean> {
  const { status } = await runToEnd("/bin/sh", ["-c", 'cd "$0"', directory], { ...account, cwd: "/" });
  return status === 0;
}

/** Makes a directory in a place where everybody may write, and refuses one that somebody else has put there. */
async function makeOwnDirectory(directory: string, account: Account): Promise<void> {
  try {
    await mkdir(directory, { mode: 0o700 });
    await chown(directory, account.uid, account.gid);
  } catch (error) {
    if (errorCode(error) !== "EEXIST") {
      throw error;
    }
    const found = await lstat(directory);
    if (!found.isDirectory() || found.uid !== account.uid) {
      throw new Error(`${directory} was not made by this program; remove it and try again.`);
    }
  }
}
