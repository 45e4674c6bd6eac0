/** A detach that was left half done is finished before anything else, whatever the next run is about. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import { interruptDetach, partitionsOf } from "../../support/partitions";
import { describeOnEachPostgres, type TestDatabase } from "../../support/postgres";
import type { DestroySetWithoutEngine, Program, State, UpWithoutEngine } from "../../support/without-engine";
import { openForEachTest } from "../postgres/opened";

const { upWithoutEngine, destroySetWithoutEngine } = require("../../support/without-engine") as {
  upWithoutEngine: UpWithoutEngine;
  destroySetWithoutEngine: DestroySetWithoutEngine;
};

const partitionBy = { range: { column: "at", type: "date", every: "month" } };

const program = (more: object = {}): Program => ({
  table: { name: "events", partitionBy },
  set: {
    table: "events",
    partitionBy,
    window: { from: "2026-01", ahead: 0 },
    asOf: "2026-03",
    onDelete: "detach",
    ...more,
  },
});

const MADE_BY_HAND = `
CREATE TABLE events (id bigint, at date) PARTITION BY RANGE (at);
CREATE TABLE events_2026_01 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE events_2026_02 PARTITION OF events FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
CREATE TABLE events_2026_03 PARTITION OF events FOR VALUES FROM ('2026-03-01') TO ('2026-04-01');
INSERT INTO events SELECT m, make_date(2026, m, 15) FROM generate_series(1, 3) m`;

const MONTHS = ["events_2026_01", "events_2026_02", "events_2026_03"];
const DROP_OLD = { lifecycle: [{ after: "1 month", tier: "dropped" }] };

describeOnEachPostgres("a pending detach", (server) => {
  let database: TestDatabase;
  let client: Client;
  let state: State;

  openForEachTest(server, (opened) => {
    ({ database, client } = opened);
  });
  beforeEach(async () => {
    await client.query(MADE_BY_HAND);
    state = await upWithoutEngine(database.connection, program(), {});
  });

  const interrupt = (name: string) => interruptDetach(() => database.client(), "events", name);
  const attached = async () => Object.entries(await partitionsOf(client, "events"));
  const names = async () => {
    const children = await attached();
    assert.ok(children.every(([, bound]) => !bound.includes("pending")));
    return children.map(([name]) => name);
  };
  const rows = async (table: string) => {
    const { rows: found } = await client.query<{ id: string }>(`SELECT id FROM ${table} ORDER BY id`);
    return found.map(({ id }) => Number(id));
  };
  /** The changes that a run sent, by what they begin with. */
  const firstChange = async () => (await database.statements()).find((sql) => /^(ALTER|CREATE|DROP)/.test(sql)) ?? "";

  for (const [title, before] of [
    ["the first run on the table", () => ({})],
    ["a run that has nothing else to do", () => state],
  ] as const) {
    it(`is finished by ${title}, and the partition attached again with its rows`, async () => {
      await interrupt("events_2026_02");
      assert.deepEqual(await rows("events"), [1, 3]);
      await database.logStatements();
      await upWithoutEngine(database.connection, program(), before());
      assert.match(await firstChange(), /DETACH PARTITION "public"\."events_2026_02" FINALIZE$/);
      assert.deepEqual(await names(), MONTHS);
      assert.deepEqual(await rows("events"), [1, 2, 3]);
    });
  }

  it("is finished before what is created, and the partition dropped when the policy says so", async () => {
    await interrupt("events_2026_01");
    await database.logStatements();
    await upWithoutEngine(database.connection, program({ ...DROP_OLD, window: { from: "2026-01", ahead: 1 } }), state);
    assert.match(await firstChange(), /DETACH PARTITION "public"\."events_2026_01" FINALIZE$/);
    assert.deepEqual(await names(), ["events_2026_02", "events_2026_03", "events_2026_04"]);
    assert.deepEqual((await client.query("SELECT to_regclass('events_2026_01') AS found")).rows, [{ found: null }]);
  });

  it("is finished when the set is destroyed, and no row is lost", async () => {
    await interrupt("events_2026_02");
    await destroySetWithoutEngine(database.connection, state);
    assert.deepEqual(await names(), []);
    for (const [at, month] of MONTHS.entries()) assert.deepEqual(await rows(month), [at + 1]);
  });

  it("leaves nothing on the partition that would refuse rows of another bound later on", async () => {
    await interrupt("events_2026_03");
    const after = await upWithoutEngine(database.connection, program(), state);
    const month = (from: string, to: string) => ({ from: `2026-${from}-01`, to: `2026-${to}-01` });
    const longer = {
      partitionBy: { range: { column: "at", type: "date" } },
      window: undefined,
      asOf: undefined,
      partitions: {
        events_2026_01: month("01", "02"),
        events_2026_02: month("02", "03"),
        events_2026_03: month("03", "05"),
      },
    };
    await upWithoutEngine(database.connection, program(longer), after);
    await client.query("INSERT INTO events VALUES (4, '2026-04-15')");
    assert.deepEqual(await rows("events_2026_03"), [3, 4]);
  });

  it("waits for an older snapshot, says whose it is, and is finished once that has ended", async () => {
    await interrupt("events_2026_02");
    const report = await database.client("report");
    await report.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
    await report.query("SELECT 1");
    const impatient = { ...database.connection, lockBudgetSeconds: 1 };
    await assert.rejects(upWithoutEngine(impatient, program(), state), ({ reasons }: { reasons?: string[] }) => {
      assert.match(reasons?.join("\n") ?? "", /application report,.*has an older snapshot/);
      return true;
    });
    await report.query("COMMIT");
    await upWithoutEngine(database.connection, program(), state);
    assert.deepEqual(await names(), MONTHS);
  });

  for (const [title, begin, end] of [
    ["a prepared transaction", "PREPARE TRANSACTION 'nightly'", "ROLLBACK PREPARED 'nightly'"],
    ["a transaction that stays idle", "SELECT 1", "ROLLBACK"],
  ] as const) {
    it(`is not begun beside ${title}, so that rows of the range go on being taken`, async () => {
      const other = await database.client("other");
      await other.query("BEGIN");
      await other.query("INSERT INTO events VALUES (9, '2026-03-09')");
      await other.query(begin);
      const impatient = { ...database.connection, lockBudgetSeconds: 1 };
      await assert.rejects(upWithoutEngine(impatient, program(DROP_OLD), state));
      assert.deepEqual(await names(), MONTHS);
      await client.query("INSERT INTO events VALUES (4, '2026-01-20')");
      await other.query(end);
      await upWithoutEngine(database.connection, program(DROP_OLD), state);
      assert.deepEqual(await names(), ["events_2026_02", "events_2026_03"]);
    });
  }
});
