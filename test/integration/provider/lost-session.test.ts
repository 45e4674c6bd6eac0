/** A run whose session ends in the middle (administrator, restart of the server) says so once, and the next one finishes. */
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { Client } from "pg";
import { type Major, type PostgresServer, startServer } from "../../../tools/postgres";
import { isAlive } from "../../../tools/processes";
import { atTheGate, makeGate, openGate } from "../../support/gate";
import { partitionsOf } from "../../support/partitions";
import {
  type Connection,
  describeOnEachPostgres,
  describeOnOldestAndNewest,
  type TestDatabase,
  withServer,
} from "../../support/postgres";
import type { Program, State, UpWithoutEngine } from "../../support/without-engine";

const { upWithoutEngine } = require("../../support/without-engine") as { upWithoutEngine: UpWithoutEngine };

const partitionBy = { range: { column: "at", type: "date", every: "month" } };

/** This month and the one before; older ones are dropped. */
const program = (month: number): Program => ({
  table: { name: "events", partitionBy },
  set: {
    table: "events",
    partitionBy,
    window: { from: "2026-01", ahead: 0 },
    lifecycle: [{ after: "1 months", tier: "dropped" }],
    asOf: `2026-${nameOf(month)}`,
  },
});

const nameOf = (month: number) => String(month).padStart(2, "0");
const monthsOf = (...months: number[]) => months.map((month) => `events_2026_${nameOf(month)}`);

async function until(client: Client, condition: string): Promise<void> {
  while ((await client.query<{ met: boolean }>(`SELECT EXISTS (${condition}) AS met`)).rows[0]?.met !== true)
    await pause(10);
}

/** Who comes to the parent while the detach is on its way leaves it pending: the run then waits to finish it. */
async function untilPending(client: Client, connection: Connection): Promise<void> {
  const user = new Client(connection);
  user.on("error", () => undefined);
  await user.connect();
  await user.query("BEGIN; SELECT * FROM events");
  await openGate(client);
  await until(client, "SELECT FROM pg_inherits WHERE inhdetachpending");
}

interface Moment {
  title: string;
  /** What is stopped at its begin. */
  pattern: string;
  reach(client: Client, connection: Connection): Promise<void>;
}

const MOMENTS: Moment[] = [
  { title: "a partition is made", pattern: "%(LIKE %", reach: atTheGate },
  { title: "it is attached", pattern: "%ATTACH PARTITION%", reach: atTheGate },
  {
    title: "a detach is half done",
    pattern: "%CONCURRENTLY",
    reach: async (client, connection) => {
      await atTheGate(client);
      await untilPending(client, connection);
    },
  },
  { title: "a partition is dropped", pattern: "DROP TABLE%", reach: atTheGate },
];

/** What the engine would show: the reasons of a partial failure, or the error. */
async function failureOf(up: Promise<State>): Promise<string[]> {
  const error = await up.then(
    () => assert.fail("it went through"),
    (reason: Error & { reasons?: string[] }) => reason,
  );
  return error.reasons ?? [error.message];
}

const ENDED = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pulumi-pgpartition'";

describeOnEachPostgres("a run that loses its session", (server) => {
  let database: TestDatabase;
  let client: Client;
  const up = (month: number, state: State) => upWithoutEngine(database.connection, program(month), state);
  const names = async () => Object.keys(await partitionsOf(client, "events"));
  const create = (more = "") =>
    client.query(`CREATE TABLE events (id bigint, at date NOT NULL) PARTITION BY RANGE (at); ${more}`);

  beforeEach(async () => {
    database = await server().createDatabase();
    client = await database.client();
  });
  afterEach(() => database.drop());

  it("to an administrator says so once at every moment, and the next one finishes", async () => {
    await create();
    let state = await up(2, {});
    let month = 2;
    for (const { title, pattern, reach } of MOMENTS) {
      month += 1;
      await makeGate(client, pattern);
      const failing = failureOf(up(month, state));
      await reach(client, database.connection);
      await client.query(`${ENDED} AND datname = current_database()`);
      const reasons = await failing;
      assert.match(reasons[0] ?? "", /^partitions\.events_2026_\d\d: .*57P01.*session with the server was lost/, title);
      assert.ok(
        reasons.slice(1).every((reason) => /^\d more step\(s\) were not begun: /.test(reason)),
        reasons.join("\n"),
      );
      await client.query("SELECT pg_advisory_unlock_all(); DROP EVENT TRIGGER gate");
      await client.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction'");
      state = await up(month, state);
      assert.deepEqual(await names(), monthsOf(month - 1, month), title);
    }
  });

  it("leaves no CHECK on DEFAULT, which would go on refusing rows", async () => {
    await create("CREATE TABLE events_default PARTITION OF events DEFAULT");
    const state = await up(2, {});
    await client.query("UPDATE pg_class SET relpages = 100000 WHERE relname = 'events_default'");
    await makeGate(client, "%ATTACH PARTITION%");
    const failing = failureOf(up(3, state));
    await atTheGate(client);
    await client.query(`${ENDED} AND datname = current_database()`);
    assert.match((await failing).join("\n"), /57P01/);
    const guards = await client.query("SELECT conname FROM pg_constraint WHERE conname = 'pgpartition_guard'");
    assert.deepEqual(guards.rows, []);
    await client.query("INSERT INTO events VALUES (1, '2026-03-05')");
  });
});

describeOnOldestAndNewest("a run that loses its session", (server) => {
  it("by a restart of the server says so at every moment, too", async () => {
    const { major } = server();
    const settings = { fsync: "off", synchronous_commit: "on" };
    await withServer(major, `restart-${major}`, settings, async ({ createDatabase, server: original }) => {
      const { connection } = await createDatabase();
      let admin = await connect(connection);
      await admin.query("CREATE TABLE events (id bigint, at date NOT NULL) PARTITION BY RANGE (at)");
      let state = await upWithoutEngine(connection, program(2), {});
      let month = 2;
      for (const signal of ["SIGINT", "SIGQUIT"] as const)
        for (const { title, pattern, reach } of MOMENTS) {
          month += 1;
          await makeGate(admin, pattern);
          const failing = failureOf(upWithoutEngine(connection, program(month), state));
          await reach(admin, connection);
          await restart(original, major, signal);
          const [first = ""] = await failing;
          assert.match(
            first,
            /(57P01|57P02|Connection terminated|ECONNRESET).*session with the server was lost/,
            `${title}: ${first}`,
          );
          admin = await connect(connection);
          await admin.query("DROP EVENT TRIGGER gate");
          state = await upWithoutEngine(connection, program(month), state);
          assert.deepEqual(Object.keys(await partitionsOf(admin, "events")), monthsOf(month - 1, month), title);
        }
      await admin.end();
    });
  });
});

async function connect(connection: Connection): Promise<Client> {
  const client = new Client(connection);
  client.on("error", () => undefined);
  await client.connect();
  return client;
}

/** SIGINT is a fast shutdown, SIGQUIT an immediate one, as after a crash. */
async function restart({ dataDir, port }: PostgresServer, major: Major, signal: "SIGINT" | "SIGQUIT"): Promise<void> {
  const running = await startServer({ major, dataDir, port });
  process.kill(running.pid, signal);
  while (isAlive(running.pid)) await pause(20);
  await startServer({ major, dataDir, port, settings: { fsync: "off", synchronous_commit: "on" } });
}
