/** A session that ends while rows are on their way (administrator, restart of the server): it is said, and the next run finishes. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { Client } from "pg";
import { type PostgresServer, startServer } from "../../../tools/postgres";
import { isAlive } from "../../../tools/processes";
import { ARCHIVED, contentOf, Months, PINNED } from "../../support/months";
import {
  type Connection,
  describeOnOldestAndNewest,
  type Major,
  type TestDatabase,
  withServer,
} from "../../support/postgres";

const ROWS = `INSERT INTO events SELECT i, '2026-01-01'::date + i % 60, repeat('x', 300) FROM generate_series(1, 4000) AS i`;
/** Of some 600 kB in January: rows are on their way for seconds. */
const SLOW = 200_000;

const copying = (pattern: string) =>
  `SELECT FROM pg_stat_activity WHERE state <> 'idle' AND query LIKE '${pattern}' AND application_name = 'pulumi-pgpartition'`;
const PROVING =
  "SELECT FROM pg_locks WHERE mode = 'ShareLock' AND granted AND relation = to_regclass('public.events_2026_01')";

/** When it happens, on the way from one program to the next. */
const MOMENTS = [
  { title: "it exports", from: {}, to: ARCHIVED, reached: copying("COPY % TO STDOUT%") },
  { title: "it proves", from: {}, to: ARCHIVED, reached: `${copying("COPY % TO STDOUT%")} AND EXISTS (${PROVING})` },
  { title: "it restores", from: ARCHIVED, to: PINNED, reached: copying("COPY % FROM STDIN%") },
];

describeOnOldestAndNewest("a run that loses its session while rows are on their way", (server) => {
  let directory: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "archive-test-"));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  /** Every row is there afterwards, whatever the moment. */
  async function survive(
    connection: Connection,
    { from, to, reached }: (typeof MOMENTS)[number],
    end: () => Promise<void>,
  ): Promise<string> {
    let client = await connect(connection);
    const months = new Months(connection, `file://${directory}`, { table: { primaryKey: ["id", "at"] } });
    await months.up();
    await client.query(ROWS);
    const whole = await contentOf(client);
    await months.up(from);
    const failing = reasonOf(months.up({ ...to, archive: { store: months.store, bytesPerSecond: SLOW } }));
    while ((await client.query(`SELECT EXISTS (${reached}) AS met`)).rows[0]?.met !== true) await pause(5);
    await end();
    const reason = await failing;
    client = await connect(connection);
    await months.up(to);
    await months.up({ ...ARCHIVED, pins: [{ from: "2026-01", to: "2026-04" }] });
    assert.deepEqual(await contentOf(client), whole);
    await client.query("DROP TABLE events");
    await client.end();
    await rm(directory, { recursive: true, force: true });
    return reason;
  }

  describe("to an administrator", () => {
    let database: TestDatabase;
    beforeEach(async () => {
      database = await server().createDatabase();
    });
    afterEach(() => database.drop());

    for (const moment of MOMENTS)
      it(`while ${moment.title}`, async () => {
        const client = await database.client();
        const end = async () =>
          void (await client.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE application_name = 'pulumi-pgpartition' AND datname = current_database() AND query LIKE 'COPY%'`));
        assert.match(await survive(database.connection, moment, end), LOST);
      });
  });

  it("by a restart of the server", async function () {
    this.timeout(0);
    const { major } = server();
    await withServer(major, `archive-restart-${major}`, SETTINGS, async ({ createDatabase, server: original }) => {
      const { connection } = await createDatabase();
      for (const moment of MOMENTS) {
        const reason = await survive(connection, moment, () => restart(original, major));
        assert.match(reason, LOST);
      }
    });
  });
});

const LOST = /The session with the server was lost; the next run finds out what was done/;
const SETTINGS = { fsync: "off", synchronous_commit: "on" };

/** What the engine would show: the reasons of a partial failure, or the error. */
async function reasonOf(up: Promise<void>): Promise<string> {
  const error = await up.then(
    () => assert.fail("it went through"),
    (reason: Error & { reasons?: string[] }) => reason,
  );
  return (error.reasons ?? [error.message]).join("\n");
}

async function connect(connection: Connection): Promise<Client> {
  const client = new Client(connection);
  client.on("error", () => undefined);
  await client.connect();
  return client;
}

/** An immediate shutdown, as after a crash. */
async function restart({ dataDir, port }: PostgresServer, major: Major): Promise<void> {
  const running = await startServer({ major, dataDir, port });
  process.kill(running.pid, "SIGQUIT");
  while (isAlive(running.pid)) await pause(20);
  await startServer({ major, dataDir, port, settings: SETTINGS });
}
