/**
 * The development environment: a PostgreSQL 18 of its own, a Pulumi engine with a file backend of its own, an archive, and
 * the environment variables with which both the tools and a person work on them. All of it is kept in `.dev`; only the archive
 * lies outside the checkout, as archives should.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { Client } from "pg";
import { DIRECTORY_VARIABLE } from "../../systems/archive";
import { cacheRoot } from "../cache";
import { CHECKOUT, DEV_ROOT, NODE_PROGRAMS, PROVIDER_BIN } from "../paths";
import { ensurePostgres, type PostgresServer, removeServer, startServer, stopServer } from "../postgres";
import { errorCode, type Log } from "../processes";
import { ensurePulumi } from "../pulumi";
import { CONFIG_FILE } from "./stack-files";

const MAJOR = 18;
const DATA_DIR = join(DEV_ROOT, "postgres");
const PORT_FILE = join(DEV_ROOT, "port");
const BACKEND = join(DEV_ROOT, "backend");
/** One for each checkout on this machine. */
const ARCHIVE = join(cacheRoot(), "archives", createHash("sha256").update(CHECKOUT).digest("hex").slice(0, 16));
const DATABASE = "app";
const UNDEFINED_DATABASE = "3D000";

/** What the tools and a person's shell need to work on the development stack. */
export interface DevEnvironment {
  server: PostgresServer;
  /** Variables to set, without PATH. */
  variables: Record<string, string>;
  /** Directories to put in front of PATH, the most important first. */
  path: string[];
}

/** Starts whatever does not run yet and gives the environment. */
export async function ensureDevEnvironment(log: Log): Promise<DevEnvironment> {
  const engine = await ensurePulumi(log);
  const { bin } = await ensurePostgres(MAJOR, log);
  await mkdir(BACKEND, { recursive: true });
  const server = await startDevServer(log);
  return {
    server,
    variables: {
      PGHOST: server.host,
      PGPORT: String(server.port),
      PGUSER: server.user,
      PGPASSWORD: server.password,
      PGDATABASE: DATABASE,
      PGSSLMODE: "disable",
      [DIRECTORY_VARIABLE]: ARCHIVE,
      PULUMI_BACKEND_URL: `file://${BACKEND}`,
      PULUMI_HOME: join(DEV_ROOT, "pulumi-home"),
      PULUMI_CONFIG_PASSPHRASE: "",
      PULUMI_SKIP_UPDATE_CHECK: "true",
      PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
      // Without it the engine begins nothing new after the first error, and healthy tables wait for the next `up`.
      PULUMI_CONTINUE_ON_ERROR: "true",
      // So that a command typed by hand sees the same point in time as the last `npm start`.
      PULUMI_OPTION_CONFIG_FILE: CONFIG_FILE,
    },
    path: [PROVIDER_BIN, NODE_PROGRAMS, engine.binDir, bin],
  };
}

/** The variables for a child process: the development environment on top of this process's own. */
export function processEnvironment(environment: DevEnvironment): NodeJS.ProcessEnv {
  const path = [...environment.path, process.env.PATH ?? ""].join(delimiter);
  return { ...process.env, ...environment.variables, PATH: path };
}

/** Stops the database server; false when it did not run. */
export function stopDevServer(): Promise<boolean> {
  return stopServer(DATA_DIR);
}

/** Stops the server and forgets everything: data, archive, stack, point in time. */
export async function resetDevEnvironment(): Promise<void> {
  await removeServer(DATA_DIR);
  await rm(ARCHIVE, { recursive: true, force: true });
  await rm(DEV_ROOT, { recursive: true, force: true });
}

/** A client of the development database; the caller ends it. */
export async function connectToDevDatabase(server: PostgresServer): Promise<Client> {
  const client = new Client({ ...credentials(server), database: DATABASE, application_name: "npm start" });
  await client.connect();
  return client;
}

/** The port stays the same from run to run, because a stack remembers where its database is. */
async function startDevServer(log: Log): Promise<PostgresServer> {
  const port = existsSync(PORT_FILE) ? Number(await readFile(PORT_FILE, "utf8")) : undefined;
  const server = await startServer({ major: MAJOR, dataDir: DATA_DIR, port, settings: SETTINGS, log });
  if (port !== undefined && port !== server.port) {
    log(`Port ${port} is taken by another program; PostgreSQL now listens on ${server.port}`);
  }
  await writeFile(PORT_FILE, String(server.port));
  await ensureDatabase(server);
  return server;
}

const SETTINGS: Record<string, string> = { max_connections: "60" };

async function ensureDatabase(server: PostgresServer): Promise<void> {
  try {
    const client = await connectToDevDatabase(server);
    await client.end();
  } catch (error) {
    if (errorCode(error) !== UNDEFINED_DATABASE) {
      throw error;
    }
    const admin = new Client({ ...credentials(server), database: "postgres" });
    await admin.connect();
    await admin.query(`CREATE DATABASE ${admin.escapeIdentifier(DATABASE)}`);
    await admin.end();
  }
}

function credentials({ host, port, user, password }: PostgresServer) {
  return { host, port, user, password };
}
