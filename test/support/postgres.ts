/**
 * PostgreSQL for tests: one server a major version and test run, started when a suite first needs it, with an empty
 * database for whoever asks. Every run has data directories of its own, so that two runs in one checkout do not meet.
 */
import { existsSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { Client } from "pg";
import {
  ensurePostgres,
  MAJORS,
  type Major,
  type PostgresServer,
  removeServer,
  startServer,
} from "../../tools/postgres";
import { isAlive, logToStderr } from "../../tools/processes";
import { TEST_ROOT } from "./root";
import { LOG_LINE_PREFIX, type LoggedStatement, logSize, readStatements } from "./statement-log";

export type { LoggedStatement, Major };

/** How a client connects; the five names are those of `pg` and of the provider. */
export interface Connection {
  host: string;
  port: number;
  user: string;
  password: string;
  database: string;
}

/** A database for one test or one suite. */
export interface TestDatabase {
  /** As superuser. */
  connection: Connection;
  /** A connected client; `drop` ends it when the test has not. Its application_name is "test" unless named. */
  client(applicationName?: string): Promise<Client>;
  /** From now on new sessions in this database log their statements; returns when that holds. */
  logStatements(): Promise<void>;
  /** The statements logged since {@link TestDatabase.logStatements}, in the order in which the server began them. */
  statements(): Promise<string[]>;
  /** The same with application_name, process id and parameters. */
  statementLog(): Promise<LoggedStatement[]>;
  /** Ends every session in the database and removes it. */
  drop(): Promise<void>;
}

/** A running server. */
export interface TestServer {
  major: Major;
  server: PostgresServer;
  /** Makes an empty database; default name: one that no other test uses; default encoding: UTF8. */
  createDatabase(name?: string, encoding?: string): Promise<TestDatabase>;
}

const SETTINGS: Record<string, string> = {
  fsync: "off",
  synchronous_commit: "off",
  full_page_writes: "off",
  // WAL is kept between checkpoints, up to 1 GB for each server by default, and the data may be in memory.
  max_wal_size: "256MB",
  min_wal_size: "64MB",
  max_connections: "60",
  max_prepared_transactions: "10",
  log_statement: "none",
  log_line_prefix: LOG_LINE_PREFIX,
};

/** The major versions to test on: `PGPARTITION_TEST_MAJORS` ("18" or "14,18"), default all. */
export function testMajors(): Major[] {
  const wanted = process.env.PGPARTITION_TEST_MAJORS;
  if (!wanted) {
    return [...MAJORS];
  }
  return wanted.split(",").map((text) => {
    const major = MAJORS.find((candidate) => String(candidate) === text.trim());
    if (major === undefined) {
      throw new Error(`PGPARTITION_TEST_MAJORS: "${text}" is none of ${MAJORS.join(", ")}`);
    }
    return major;
  });
}

/** What is declared for a major version; `server()` may be called in hooks and tests only. */
type SuiteOn = (server: () => TestServer, major: Major) => void;

/** Declares a suite once for each major version under test. */
export function describeOnEachPostgres(title: string, suite: SuiteOn): void {
  for (const major of testMajors()) describeOn(major, title, suite);
}

/**
 * The same for the oldest and the newest version: for what is slow and does not depend on the version, or depends on it in
 * a way that is tried elsewhere on each.
 */
export function describeOnOldestAndNewest(title: string, suite: SuiteOn): void {
  describeOnSome([Math.min(...MAJORS), Math.max(...MAJORS)], title, suite);
}

/** The same for the newest version only: for what the engine and the provider do between them, whatever the server. */
export function describeOnNewest(title: string, suite: SuiteOn): void {
  describeOnSome([Math.max(...MAJORS)], title, suite);
}

function describeOnSome(majors: number[], title: string, suite: SuiteOn): void {
  for (const major of testMajors()) if (majors.includes(major)) describeOn(major, title, suite);
}

function describeOn(major: Major, title: string, suite: SuiteOn): void {
  describe(`${title} (PostgreSQL ${major})`, () => {
    let server: TestServer | undefined;
    before(async function () {
      this.timeout(0);
      server = await testServer(major);
    });
    suite(() => {
      if (server === undefined) {
        throw new Error("server() is there in hooks and tests only");
      }
      return server;
    }, major);
  });
}

const servers = new Map<Major, Promise<TestServer>>();

/** The server of this run for a major version, started at the first call. Runs until the end of the test run. */
export function testServer(major: Major): Promise<TestServer> {
  const known = servers.get(major);
  if (known !== undefined) {
    return known;
  }
  const started = startTestServer(major);
  servers.set(major, started);
  return started;
}

const pids = new Set<number>();

async function startTestServer(major: Major): Promise<TestServer> {
  await sweepOnce();
  const dataDir = join(runDirectory(process.pid), String(major));
  await ensurePostgres(major, logToStderr);
  const server = await startServer({ major, dataDir, settings: SETTINGS });
  pids.add(server.pid);
  return { major, server, createDatabase: (name, encoding) => createDatabase({ major, server }, name, encoding) };
}

/** A server of a test's own, with other settings than the shared one; it is gone, with its data, after the action. */
export async function withServer<T>(
  major: Major,
  name: string,
  settings: Record<string, string>,
  action: (server: TestServer) => Promise<T>,
): Promise<T> {
  const dataDir = ownDirectory(name);
  await ensurePostgres(major, logToStderr);
  const server = await startServer({ major, dataDir, settings: { ...SETTINGS, ...settings } });
  pids.add(server.pid);
  try {
    return await action({
      major,
      server,
      createDatabase: (database, encoding) => createDatabase({ major, server }, database, encoding),
    });
  } finally {
    await removeServer(dataDir);
  }
}

/** Where the data of {@link withServer} is. */
export function ownDirectory(name: string): string {
  return join(runDirectory(process.pid), name);
}

function runDirectory(pid: number): string {
  return join(TEST_ROOT, `run-${pid}`);
}

let swept: Promise<void> | undefined;

/** Stops the servers that runs which were killed have left behind, and removes their data. */
function sweepOnce(): Promise<void> {
  swept ??= (async () => {
    const names = existsSync(TEST_ROOT) ? await readdir(TEST_ROOT) : [];
    for (const pid of names.map((name) => Number(/^run-(\d+)$/.exec(name)?.[1])).filter(Number.isInteger)) {
      if (pid === process.pid || !isAlive(pid)) {
        await removeRun(pid);
      }
    }
  })();
  return swept;
}

async function removeRun(pid: number): Promise<void> {
  const left = existsSync(runDirectory(pid)) ? await readdir(runDirectory(pid)) : [];
  const names = new Set([...MAJORS.map(String), ...left.filter((name) => !name.includes("."))]);
  await Promise.all([...names].map((name) => removeServer(join(runDirectory(pid), name))));
  await rm(runDirectory(pid), { recursive: true, force: true });
}

async function stopAll(): Promise<void> {
  if (servers.size > 0) {
    await Promise.allSettled(servers.values());
    servers.clear();
    await removeRun(process.pid);
    pids.clear();
  }
}

// At the top level of a file that mocha loads, this is a hook of the root suite: it runs after everything.
if (typeof after === "function") {
  after(async function () {
    this.timeout(0);
    await stopAll();
  });
}

// Ctrl-C skips the hook. Only kill -9 leaves servers behind, and the next run sweeps them.
process.once("exit", () => {
  for (const pid of pids) {
    if (isAlive(pid)) {
      process.kill(pid, "SIGINT");
    }
  }
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(signal, () => process.exit(1));
}

/** From this version on PostgreSQL logs every page of a new database unless told to copy files, in half the processor time. */
const FIRST_WITH_STRATEGIES = 15;

let databases = 0;

async function createDatabase(
  { major, server }: Pick<TestServer, "major" | "server">,
  name?: string,
  encoding?: string,
): Promise<TestDatabase> {
  databases += 1;
  const database = name ?? `test_${databases}`;
  const connection: Connection = {
    host: server.host,
    port: server.port,
    user: server.user,
    password: server.password,
    database,
  };
  // The locale C goes with every encoding.
  const other = encoding === undefined ? "" : ` TEMPLATE template0 LOCALE 'C' ENCODING '${encoding}'`;
  const copied = major < FIRST_WITH_STRATEGIES ? "" : " STRATEGY FILE_COPY";
  await asAdministrator(connection, (admin) =>
    admin.query(`CREATE DATABASE ${admin.escapeIdentifier(database)}${other}${copied}`),
  );
  const clients = new Set<Client>();
  let logStart = Number.POSITIVE_INFINITY;
  const statementLog = () => readStatements(server.logFile, logStart, database);
  return {
    connection,
    client: async (applicationName = "test") => {
      const client = new Client({ ...connection, application_name: applicationName });
      // A session that a test kills reports that here; a failed query reports it to the test as well.
      client.on("error", () => undefined);
      await client.connect();
      clients.add(client);
      return client;
    },
    logStatements: async () => {
      logStart = await logSize(server.logFile);
      await asAdministrator(connection, (admin) =>
        admin.query(`ALTER DATABASE ${admin.escapeIdentifier(database)} SET log_statement = 'all'`),
      );
    },
    statements: async () => (await statementLog()).map(({ sql }) => sql),
    statementLog,
    drop: async () => {
      await Promise.all([...clients].map((client) => client.end().catch(() => undefined)));
      await asAdministrator(connection, async (admin) => {
        await rollBackPrepared(admin, connection);
        await admin.query(`DROP DATABASE IF EXISTS ${admin.escapeIdentifier(database)} WITH (FORCE)`);
      });
    },
  };
}

async function asAdministrator<T>(connection: Connection, action: (admin: Client) => Promise<T>): Promise<T> {
  return withClient({ ...connection, database: "postgres" }, action);
}

async function withClient<T>(connection: Connection, action: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ ...connection, application_name: "test support" });
  await client.connect();
  try {
    return await action(client);
  } finally {
    await client.end();
  }
}

/** A database with prepared transactions cannot be dropped, and only sessions in it can end them. */
async function rollBackPrepared(admin: Client, connection: Connection): Promise<void> {
  const { rows } = await admin.query<{ gid: string }>("SELECT gid FROM pg_prepared_xacts WHERE database = $1", [
    connection.database,
  ]);
  if (rows.length === 0) return;
  await withClient(connection, async (client) => {
    for (const { gid } of rows) {
      await client.query(`ROLLBACK PREPARED ${client.escapeLiteral(gid)}`);
    }
  });
}
