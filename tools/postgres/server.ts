/**
 * PostgreSQL servers on this machine, for development and for tests: started on a data directory, found again when
 * they run already, stopped. A server outlives the process that started it until somebody stops it.
 */
import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync } from "node:fs";
import { readFile, rm, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Client } from "pg";
import { freePort, isFree } from "../ports";
import { errorCode, isAlive, type Log, lastLines, pause, runToEnd } from "../processes";
import { type Account, postgresAccount, reachableDirectory } from "./account";
import { ensurePostgres, type Major } from "./binaries";
import { ensureCluster, SUPERUSER } from "./cluster";

/** What {@link startServer} needs to know. */
export interface ServerOptions {
  major: Major;
  /** Made by initdb when it does not exist. */
  dataDir: string;
  /** Wanted port; another one is taken when somebody listens there. Default: a free one. */
  port?: number;
  /** Settings of postgresql.conf; they hold until the server stops, roles and databases may override them. */
  settings?: Record<string, string>;
  /** Default: silent. */
  log?: Log;
}

/** A running server. */
export interface PostgresServer {
  host: string;
  port: number;
  /** The superuser. */
  user: string;
  password: string;
  /** Where the data really is: see `reachableDirectory` for when that is not the wanted place. */
  dataDir: string;
  /** Everything the server logs, appended. */
  logFile: string;
  /** Process id of the postmaster. */
  pid: number;
  /** Ends all sessions and the server; resolves when it is gone. */
  stop(): Promise<void>;
}

const HOST = "127.0.0.1";
const POLL_MS = 25;
const START_ATTEMPTS = 5;
const RETRY_MS = 200;

/** Starts a server on a data directory, or finds the one that runs there; resolves when it takes connections. */
export async function startServer(options: ServerOptions): Promise<PostgresServer> {
  const log = options.log ?? (() => undefined);
  const account = await postgresAccount();
  const dataDir = await reachableDirectory(options.dataDir, account, log);
  const durable = options.settings?.fsync !== "off";
  const { password } = await ensureCluster({ major: options.major, dataDir, account, durable, log });
  const running = await findPostmaster(dataDir);
  if (running !== undefined && (await waitUntilReady(running.port, password, () => isPostmaster(running.pid)))) {
    return handle(dataDir, running.pid, running.port, password);
  }
  const { bin } = await ensurePostgres(options.major, log);
  return launch({ ...options, log }, { bin, dataDir, account, password });
}

/** Stops the server that runs on a data directory; false when none does. */
export async function stopServer(wantedDataDir: string): Promise<boolean> {
  const dataDir = await locate(wantedDataDir);
  const running = await findPostmaster(dataDir);
  if (running === undefined) {
    return false;
  }
  await stopPostmaster(dataDir, running.pid);
  return true;
}

/** Stops the server that runs on a data directory and removes the data and the log. */
export async function removeServer(wantedDataDir: string): Promise<void> {
  await stopServer(wantedDataDir);
  const dataDir = await locate(wantedDataDir);
  await rm(dataDir, { recursive: true, force: true });
  await rm(logFileOf(dataDir), { force: true });
  if (dataDir !== wantedDataDir) {
    // The substitute's parent is ours too; it stays while another server's data is in it.
    await rmdir(dirname(dataDir)).catch(() => undefined);
  }
}

async function locate(wantedDataDir: string): Promise<string> {
  return reachableDirectory(wantedDataDir, await postgresAccount(), () => undefined);
}

interface Prepared {
  bin: string;
  dataDir: string;
  account: Account | undefined;
  password: string;
}

async function launch(options: ServerOptions & { log: Log }, prepared: Prepared): Promise<PostgresServer> {
  const { dataDir, password } = prepared;
  let port = options.port;
  for (let attempt = 1; attempt <= START_ATTEMPTS; attempt++) {
    port = port !== undefined && (await isFree(HOST, port)) ? port : await freePort(HOST);
    const postmaster = await spawnPostmaster(prepared, { ...BASE_SETTINGS, ...options.settings, port: String(port) });
    if (await waitUntilReady(port, password, postmaster.isRunning)) {
      return handle(dataDir, postmaster.pid, port, password);
    }
    // Somebody took the port between our look and the server's, or sessions of a killed server have yet to end.
    await pause(RETRY_MS);
  }
  const tail = lastLines(await readFile(logFileOf(dataDir), "utf8"), 10);
  throw new Error(`PostgreSQL ${options.major} did not start. Its log ends with:\n${tail}`);
}

/** A postmaster that was started, though perhaps not ready yet. */
interface Postmaster {
  pid: number;
  isRunning: () => boolean;
}

function spawnPostmaster(prepared: Prepared, settings: Record<string, string>): Promise<Postmaster> {
  const { bin, dataDir, account } = prepared;
  const output = openSync(logFileOf(dataDir), "a");
  const child = spawn(join(bin, "postgres"), ["-D", dataDir, ...settingArguments(settings)], {
    ...account,
    cwd: "/",
    detached: true,
    stdio: ["ignore", output, output],
  });
  closeSync(output);
  child.unref();
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("spawn", () => {
      const isRunning = () => child.exitCode === null && child.signalCode === null;
      resolve({ pid: Number(child.pid), isRunning });
    });
  });
}

const BASE_SETTINGS: Record<string, string> = {
  listen_addresses: HOST,
  unix_socket_directories: "",
  timezone: "UTC",
  log_timezone: "UTC",
};

function settingArguments(settings: Record<string, string>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
}

function handle(dataDir: string, pid: number, port: number, password: string): PostgresServer {
  return {
    host: HOST,
    port,
    user: SUPERUSER,
    password,
    dataDir,
    logFile: logFileOf(dataDir),
    pid,
    stop: () => stopPostmaster(dataDir, pid),
  };
}

function logFileOf(dataDir: string): string {
  return `${dataDir}.log`;
}

function lockFileOf(dataDir: string): string {
  return join(dataDir, "postmaster.pid");
}

/** Tries to connect until it succeeds; false when the server has ended instead. */
async function waitUntilReady(
  port: number,
  password: string,
  isRunning: () => boolean | Promise<boolean>,
): Promise<boolean> {
  while (await isRunning()) {
    const client = new Client({ host: HOST, port, user: SUPERUSER, password, database: "postgres" });
    try {
      await client.connect();
      return true;
    } catch (error) {
      // Without a code the connection ended before anybody had answered, as in the moment in which a server begins to listen.
      const code = errorCode(error);
      if (code !== undefined && !NOT_READY_YET.has(code)) {
        throw error;
      }
      await pause(POLL_MS);
    } finally {
      await client.end().catch(() => undefined);
    }
  }
  return false;
}

/** Nobody listens yet; the connection was cut; cannot_connect_now, which is "starting up". */
const NOT_READY_YET = new Set(["ECONNREFUSED", "ECONNRESET", "57P03"]);

/** The postmaster that runs on a data directory, as its lock file tells. */
async function findPostmaster(dataDir: string): Promise<{ pid: number; port: number } | undefined> {
  const lockFile = lockFileOf(dataDir);
  let lines: string[];
  try {
    lines = (await readFile(lockFile, "utf8")).split("\n");
  } catch (error) {
    if (errorCode(error) === "ENOENT") {
      return undefined;
    }
    throw error;
  }
  const pid = Number(lines[0]);
  if (await isPostmaster(pid)) {
    return { pid, port: Number(lines[3]) };
  }
  if (isAlive(pid)) {
    // After a restart of the machine the id belongs to somebody else, which PostgreSQL would take for a postmaster. A
    // lock file of a dead process must stay: with it PostgreSQL finds out whether sessions of that server still run.
    await rm(lockFile, { force: true });
  }
  return undefined;
}

/** Whether a process is a PostgreSQL server and not merely the entry of one that nobody has reaped. */
async function isPostmaster(pid: number): Promise<boolean> {
  if (!Number.isInteger(pid) || !isAlive(pid)) {
    return false;
  }
  const { state, name } = await processState(pid);
  return name.includes("postgres") && state !== "Z";
}

/** State letter (Z: ended, but not reaped) and program name; from /proc where there is one, since ps may be missing. */
async function processState(pid: number): Promise<{ state: string; name: string }> {
  if (process.platform === "linux") {
    const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
    const [, name = "", state = ""] = /^\d+ \((.*)\) (\S)/s.exec(text) ?? [];
    return { state, name };
  }
  const { stdout } = await runToEnd("ps", ["-p", String(pid), "-o", "stat=", "-o", "comm="]);
  return { state: stdout.trim().charAt(0), name: stdout.trim().slice(1) };
}

/** "Fast" shutdown: sessions are ended, their transactions rolled back, a checkpoint is written. */
async function stopPostmaster(dataDir: string, pid: number): Promise<void> {
  if (isAlive(pid)) {
    process.kill(pid, "SIGINT");
  }
  // A container without an init process never reaps orphans, so the process may stay visible after its end.
  while ((await isPostmaster(pid)) && existsSync(lockFileOf(dataDir))) {
    await pause(POLL_MS);
  }
}
