/** A table made by hand whose first `up` already takes a partition out: later runs must know that partition as theirs. */
import assert from "node:assert/strict";
import { describeOnEachPostgres, type TestDatabase } from "../../support/postgres";
import type { Program, State, UpWithoutEngine } from "../../support/without-engine";

const { upWithoutEngine } = require("../../support/without-engine") as { upWithoutEngine: UpWithoutEngine };

const partitionBy = { range: { column: "at", type: "date", every: "month" } };

const program = (lifecycle: object[], pins: object[] = []): Program => ({
  table: { name: "events", partitionBy },
  set: { table: "events", partitionBy, window: { from: "2026-01", ahead: 0 }, asOf: "2026-03", lifecycle, pins },
});

const MADE_BY_HAND = `
CREATE TABLE events (id bigint, at date) PARTITION BY RANGE (at);
CREATE TABLE events_2026_01 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE events_2026_02 PARTITION OF events FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
CREATE TABLE events_2026_03 PARTITION OF events FOR VALUES FROM ('2026-03-01') TO ('2026-04-01');
INSERT INTO events VALUES (1, '2026-01-15')`;

const DETACH = { after: "1 month", tier: "detached" };

describeOnEachPostgres("a partition that the first run after adoption detaches", (server) => {
  let database: TestDatabase;
  let state: State;

  beforeEach(async () => {
    database = await server().createDatabase();
    const client = await database.client();
    await client.query(MADE_BY_HAND);
    state = await upWithoutEngine(database.connection, program([DETACH]), {});
  });

  afterEach(() => database.drop());

  const tables = async (): Promise<string[]> => {
    const client = await database.client();
    const { rows } = await client.query<{ name: string }>(
      "SELECT relname || CASE WHEN relispartition THEN '' ELSE ' (detached)' END AS name FROM pg_class WHERE relkind = 'r' AND relname LIKE 'events%' ORDER BY 1",
    );
    return rows.map(({ name }) => name);
  };

  it("is recorded as detached", async () => {
    assert.deepEqual(await tables(), ["events_2026_01 (detached)", "events_2026_02", "events_2026_03"]);
    const recorded = state.set?.outputs as { partitions: Record<string, { tier: string }>; oids: object };
    assert.equal(recorded.partitions.events_2026_01?.tier, "detached");
    assert.ok("events_2026_01" in recorded.oids);
  });

  it("comes back with its rows when it is pinned", async () => {
    await upWithoutEngine(database.connection, program([DETACH], [{ from: "2026-01-01", to: "2026-02-01" }]), state);
    assert.deepEqual(await tables(), ["events_2026_01", "events_2026_02", "events_2026_03"]);
    const client = await database.client();
    assert.deepEqual((await client.query("SELECT id::int FROM events")).rows, [{ id: 1 }]);
  });

  it("is dropped when the policy says so", async () => {
    await upWithoutEngine(database.connection, program([{ after: "1 month", tier: "dropped" }]), state);
    assert.deepEqual(await tables(), ["events_2026_02", "events_2026_03"]);
  });
});
