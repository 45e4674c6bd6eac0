/** Trees of partitions of two and three levels, made, rolled forward, adopted and repaired on real servers. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import type { Sessions } from "../../../postgres/connection";
import { describeOnEachPostgres } from "../../support/postgres";
import { sessionsOn } from "../postgres/support";
import { contentOf } from "../reorganize/support";
import { SetUnderTest, treeOf } from "./support";

const EVENTS =
  "CREATE TABLE app.events (id bigint NOT NULL, at timestamptz NOT NULL, region text NOT NULL, body text, PRIMARY KEY (id, at, region)) PARTITION BY";

/** RANGE → HASH. */
const hashed = (asOf: string, more = {}) => ({
  schema: "app",
  table: "events",
  partitionBy: { range: { column: "at", type: "timestamptz", every: "month" } },
  subPartitionBy: { partitionBy: { hash: { columns: ["id"], partitions: 2 } } },
  window: { from: "2026-01", ahead: 1 },
  lifecycle: [{ after: "2 months", tier: "dropped" }],
  asOf,
  ...more,
});

/** LIST → RANGE: the months of each tenant roll. */
const tenants = (asOf: string, more = {}) => ({
  schema: "app",
  table: "events",
  partitionBy: { list: { column: "region", type: "text", values: { eu: ["de", "fr"], us: ["us"] } } },
  defaultPartition: true,
  subPartitionBy: {
    partitionBy: { range: { column: "at", type: "timestamptz", every: "month" } },
    window: { from: "2026-01", ahead: 1 },
    lifecycle: [
      { after: "1 months", tier: "detached" },
      { after: "3 months", tier: "dropped" },
    ],
    ...more,
  },
  asOf,
});

/** RANGE → LIST → HASH. */
const three = (asOf: string, more = {}) => ({
  schema: "app",
  table: "events",
  partitionBy: { range: { column: "at", type: "timestamptz", every: "month" } },
  window: { from: "2026-01", ahead: 0 },
  lifecycle: [{ after: "1 months", tier: "detached" }],
  asOf,
  ...more,
  subPartitionBy: {
    partitionBy: { list: { column: "region", type: "text", values: { eu: ["de"], us: ["us"] } } },
    defaultPartition: true,
    subPartitionBy: { partitionBy: { hash: { columns: ["id"], partitions: 2 } }, naming: "{table}_h{n}" },
  },
});

describeOnEachPostgres("trees of partitions", (server) => {
  async function withTable(
    key: string,
    work: (tools: { client: Client; set: SetUnderTest; sessions: Sessions }) => Promise<void>,
  ): Promise<void> {
    const database = await server().createDatabase();
    const sessions = sessionsOn(database.connection);
    try {
      const client = await database.client();
      await client.query("CREATE SCHEMA app");
      await client.query(`${EVENTS} ${key}`);
      await work({ client, set: new SetUnderTest(sessions), sessions });
    } finally {
      await sessions.close();
      await database.drop();
    }
  }

  const write = (client: Client, month: string, region = "de") =>
    client.query("INSERT INTO app.events SELECT i, $1::timestamptz, $2, 'x' FROM generate_series(1, 20) i", [
      `${month}-15T00:00:00Z`,
      region,
    ]);

  it("RANGE → HASH: made at once, then one subtree comes and one goes", () =>
    withTable("RANGE (at)", async ({ client, set }) => {
      const made = await set.settle(hashed("2026-01"));
      assert.deepEqual(made, ["create:events_2026_01", "create:events_2026_02"]);
      assert.deepEqual(await treeOf(client, "app.events"), [
        "events > events_2026_01 FOR VALUES FROM ('2026-01-01 00:00:00+00') TO ('2026-02-01 00:00:00+00') / HASH (id)",
        "events_2026_01 > events_2026_01_p0 FOR VALUES WITH (modulus 2, remainder 0)",
        "events_2026_01 > events_2026_01_p1 FOR VALUES WITH (modulus 2, remainder 1)",
        "events > events_2026_02 FOR VALUES FROM ('2026-02-01 00:00:00+00') TO ('2026-03-01 00:00:00+00') / HASH (id)",
        "events_2026_02 > events_2026_02_p0 FOR VALUES WITH (modulus 2, remainder 0)",
        "events_2026_02 > events_2026_02_p1 FOR VALUES WITH (modulus 2, remainder 1)",
      ]);
      await write(client, "2026-01");
      await write(client, "2026-02");
      assert.deepEqual(await set.settle(hashed("2026-02")), ["create:events_2026_03"]);
      assert.deepEqual(set.diff(hashed("2026-03")), ["update asOf", "add partitions.events_2026_04"]);
      assert.deepEqual(await set.settle(hashed("2026-04")), [
        "create:events_2026_04",
        "create:events_2026_05",
        "detach:events_2026_01",
        "drop:events_2026_01",
      ]);
      const { rows } = await client.query("SELECT count(*)::int AS n FROM app.events");
      assert.deepEqual(rows, [{ n: 20 }]);
      assert.equal((await treeOf(client, "app.events")).length, 12);
    }));

  it("LIST → RANGE: the months of each tenant roll, and its DEFAULT stays", () =>
    withTable("LIST (region)", async ({ client, set }) => {
      assert.deepEqual(await set.settle(tenants("2026-01")), [
        "create:events_eu",
        "create:events_us",
        "create:events_default",
      ]);
      assert.deepEqual(await treeOf(client, "app.events_eu"), [
        "events > events_eu FOR VALUES IN ('de', 'fr') / RANGE (at)",
        "events_eu > events_eu_2026_01 FOR VALUES FROM ('2026-01-01 00:00:00+00') TO ('2026-02-01 00:00:00+00')",
        "events_eu > events_eu_2026_02 FOR VALUES FROM ('2026-02-01 00:00:00+00') TO ('2026-03-01 00:00:00+00')",
      ]);
      await write(client, "2026-01");
      await write(client, "2026-02");
      await write(client, "2026-02", "other");
      assert.deepEqual(set.diff(tenants("2026-03")), [
        "update asOf",
        "update partitions.events_eu.partitions.events_eu_2026_01.tier",
        "add partitions.events_eu.partitions.events_eu_2026_03",
        "add partitions.events_eu.partitions.events_eu_2026_04",
        "update partitions.events_us.partitions.events_us_2026_01.tier",
        "add partitions.events_us.partitions.events_us_2026_03",
        "add partitions.events_us.partitions.events_us_2026_04",
      ]);
      const preview = await set.preview(tenants("2026-03"));
      assert.deepEqual(
        preview.steps.map(({ id, method, under, transaction }) => [id, method, under?.name, transaction]),
        [
          ["create:events_eu_2026_03", "likeAttach", "events_eu", 1],
          ["create:events_eu_2026_04", "likeAttach", "events_eu", 1],
          ["create:events_us_2026_03", "likeAttach", "events_us", 1],
          ["create:events_us_2026_04", "likeAttach", "events_us", 1],
          ["detach:events_eu_2026_01", "detachConcurrently", "events_eu", 2],
          ["detach:events_us_2026_01", "detachConcurrently", "events_us", 3],
        ],
      );
      await set.settle(tenants("2026-03"));
      assert.deepEqual(await set.settle(tenants("2026-05")), [
        "create:events_eu_2026_05",
        "create:events_eu_2026_06",
        "create:events_us_2026_05",
        "create:events_us_2026_06",
        "detach:events_eu_2026_02",
        "detach:events_eu_2026_03",
        "drop:events_eu_2026_01",
        "detach:events_us_2026_02",
        "detach:events_us_2026_03",
        "drop:events_us_2026_01",
      ]);
      const { rows } = await client.query("SELECT count(*)::int AS n FROM app.events_eu_2026_02");
      assert.deepEqual(rows, [{ n: 20 }], "a detached month of a tenant keeps its rows");
      // A pin brings it back under its tenant.
      const pinned = tenants("2026-05", { pins: [{ from: "2026-02", to: "2026-03" }] });
      assert.deepEqual(await set.settle(pinned), ["attach:events_eu_2026_02", "attach:events_us_2026_02"]);
    }));

  it("RANGE → LIST → HASH: three levels, DEFAULT on the second, whole subtrees leave", () =>
    withTable("RANGE (at)", async ({ client, set }) => {
      assert.deepEqual(await set.settle(three("2026-01")), ["create:events_2026_01"]);
      assert.deepEqual(await treeOf(client, "app.events"), [
        "events > events_2026_01 FOR VALUES FROM ('2026-01-01 00:00:00+00') TO ('2026-02-01 00:00:00+00') / LIST (region)",
        "events_2026_01 > events_2026_01_default DEFAULT",
        "events_2026_01 > events_2026_01_eu FOR VALUES IN ('de') / HASH (id)",
        "events_2026_01_eu > events_2026_01_eu_h0 FOR VALUES WITH (modulus 2, remainder 0)",
        "events_2026_01_eu > events_2026_01_eu_h1 FOR VALUES WITH (modulus 2, remainder 1)",
        "events_2026_01 > events_2026_01_us FOR VALUES IN ('us') / HASH (id)",
        "events_2026_01_us > events_2026_01_us_h0 FOR VALUES WITH (modulus 2, remainder 0)",
        "events_2026_01_us > events_2026_01_us_h1 FOR VALUES WITH (modulus 2, remainder 1)",
      ]);
      await write(client, "2026-01");
      await set.settle(three("2026-02"));
      assert.deepEqual(await set.settle(three("2026-03")), ["create:events_2026_03", "detach:events_2026_01"]);
      assert.equal((await treeOf(client, "app.events")).length, 16);
      const { rows } = await client.query("SELECT count(*)::int AS n FROM app.events_2026_01");
      assert.deepEqual(rows, [{ n: 20 }], "the detached subtree is a table with all its rows");
      const pinned = three("2026-03", { pins: [{ from: "2026-01", to: "2026-02" }] });
      assert.deepEqual(await set.settle(pinned), ["attach:events_2026_01"]);
    }));

  it("puts back on every level what was dropped or detached by hand", () =>
    withTable("RANGE (at)", async ({ client, set }) => {
      await set.settle(three("2026-01"));
      await client.query("DROP TABLE app.events_2026_01_eu_h1");
      await client.query("DROP TABLE app.events_2026_01_us");
      await client.query("ALTER TABLE app.events_2026_01 DETACH PARTITION app.events_2026_01_default");
      const { failed, done, findings } = await set.up(three("2026-01"));
      assert.deepEqual(failed, []);
      assert.deepEqual(done, [
        "create:events_2026_01_us",
        "attach:events_2026_01_default",
        "create:events_2026_01_eu_h1",
      ]);
      assert.deepEqual(
        findings.map((text) => text.split(":")[0]),
        [
          "warning partitions.events_2026_01.partitions.events_2026_01_us",
          "warning partitions.events_2026_01.partitions.events_2026_01_eu.partitions.events_2026_01_eu_h1",
        ],
      );
      assert.deepEqual(await set.settle(three("2026-01")), []);
      await client.query("ALTER TABLE app.events_2026_01_eu RENAME TO moved");
      assert.deepEqual(await set.settle(three("2026-01")), ["rename:events_2026_01_eu"]);
    }));

  it("adopts a tree made by hand without touching it", () =>
    withTable("RANGE (at)", async ({ client, set }) => {
      const month = "FOR VALUES FROM ('2026-01-01 00:00:00+00') TO ('2026-02-01 00:00:00+00')";
      await client.query(`CREATE TABLE app.events_2026_01 PARTITION OF app.events ${month} PARTITION BY HASH (id)`);
      for (const rest of [0, 1])
        await client.query(
          `CREATE TABLE app.events_2026_01_p${rest} PARTITION OF app.events_2026_01 FOR VALUES WITH (MODULUS 2, REMAINDER ${rest})`,
        );
      await write(client, "2026-01");
      assert.deepEqual(await set.settle(hashed("2026-01", { window: { from: "2026-01", ahead: 0 } })), []);
      // One subtree that the policy does not describe, listed as it is.
      await client.query(
        "CREATE TABLE app.events_old PARTITION OF app.events FOR VALUES FROM (MINVALUE) TO ('2025-01-01') PARTITION BY LIST (region)",
      );
      await client.query("CREATE TABLE app.events_old_de PARTITION OF app.events_old FOR VALUES IN ('de')");
      const old = {
        from: "MINVALUE",
        to: "2025-01-01",
        partitionBy: { list: { column: "region", type: "text" } },
        partitions: { events_old_de: { values: ["de"] } },
      };
      const mixed = hashed("2026-01", { window: { from: "2026-01", ahead: 0 }, partitions: { events_old: old } });
      assert.deepEqual(await set.settle(mixed), []);
      const more = { ...old, partitions: { ...old.partitions, events_old_us: { values: ["us"] } } };
      assert.deepEqual(await set.settle({ ...mixed, partitions: { events_old: more } }), ["create:events_old_us"]);
    }));

  it("divides a table that is there with its rows, unless it is declared as it is", () =>
    withTable("RANGE (at)", async ({ client, set }) => {
      const { subPartitionBy, ...flat } = hashed("2026-01", { window: { from: "2026-01", ahead: 0 }, lifecycle: [] });
      await set.settle(flat);
      await write(client, "2026-01");
      const leaf = { events_2026_01: { from: "2026-01-01", to: "2026-02-01", leaf: true } };
      assert.deepEqual(await set.settle({ ...flat, subPartitionBy, asOf: "2026-02", partitions: leaf }), [
        "create:events_2026_02",
      ]);
      assert.deepEqual(await set.settle({ ...flat, subPartitionBy, asOf: "2026-02" }), ["reorganize:events_2026_01"]);
      const { rows } = await client.query("SELECT count(*)::int AS count FROM app.events_2026_01_p0 WHERE id > 0");
      assert.ok(rows[0].count > 0);
    }));

  it("makes one table of what it has divided, level by level or at once", () =>
    withTable("RANGE (at)", async ({ client, set }) => {
      const { subPartitionBy: lists, ...flat } = three("2026-02", { lifecycle: [] });
      const { subPartitionBy: _, ...upper } = lists;
      await set.settle({ ...flat, subPartitionBy: lists });
      for (const region of ["de", "us", "fr"]) await write(client, "2026-01", region);
      await write(client, "2026-02", "us");
      const before = await contentOf(client, "app.events");
      const leaves = ["eu", "us"].flatMap((region) => ["01", "02"].map((month) => `events_2026_${month}_${region}`));
      const lower = { ...flat, subPartitionBy: upper };
      assert.deepEqual(set.diff(lower).length, 1 + leaves.length);
      assert.deepEqual((await set.settle(lower)).sort(), leaves.map((leaf) => `reorganize:${leaf}`).sort());
      await set.settle({ ...flat, subPartitionBy: lists });
      assert.deepEqual(set.diff(flat), [
        "delete subPartitionBy",
        ...["01", "02"].map((month) => `delete partitions.events_2026_${month}.partitionBy`),
      ]);
      assert.deepEqual(await set.settle(flat), ["reorganize:events_2026_01", "reorganize:events_2026_02"]);
      assert.equal(await contentOf(client, "app.events"), before);
      assert.deepEqual(await treeOf(client, "app.events"), [
        "events > events_2026_01 FOR VALUES FROM ('2026-01-01 00:00:00+00') TO ('2026-02-01 00:00:00+00')",
        "events > events_2026_02 FOR VALUES FROM ('2026-02-01 00:00:00+00') TO ('2026-03-01 00:00:00+00')",
      ]);
    }));

  it("leaves alone what somebody else has divided, until an entry says that it is one table", () =>
    withTable("RANGE (at)", async ({ client, set, sessions }) => {
      const { subPartitionBy, ...flat } = hashed("2026-01", { window: { from: "2026-01", ahead: 0 } });
      await set.settle({ ...flat, subPartitionBy });
      await write(client, "2026-01");
      const other = new SetUnderTest(sessions);
      const { findings, done } = await other.up(flat);
      assert.deepEqual(done, []);
      assert.match(
        findings.join(),
        /^warning partitions.events_2026_01: .* is itself partitioned by HASH \(id\) \(2 part/,
      );
      const entry = { from: "2026-01-01", to: "2026-02-01" };
      const says = (leaf: boolean) => ({ ...flat, partitions: { events_2026_01: { ...entry, leaf } } });
      assert.deepEqual((await set.up(says(false))).done, []);
      assert.deepEqual(await other.settle(says(true)), ["reorganize:events_2026_01"]);
      const { rows } = await client.query("SELECT count(*)::int AS count FROM ONLY app.events_2026_01");
      assert.deepEqual(rows, [{ count: 20 }]);
    }));

  it("divides a table that comes back with its rows, in the run that attaches it", () =>
    withTable("RANGE (at)", async ({ client, set }) => {
      const { subPartitionBy: _, lifecycle: __, ...undivided } = hashed("2026-03");
      await set.settle({ ...undivided, asOf: "2026-01" });
      await write(client, "2026-01");
      await set.settle({ ...undivided, lifecycle: [{ after: "1 months", tier: "detached" }] });
      const back = hashed("2026-03", { lifecycle: [] });
      const { steps, findings } = await set.preview(back);
      const about = steps.filter(({ partition }) => partition === "events_2026_01");
      assert.deepEqual(
        about.map(({ id, madeBy }) => [id, madeBy]),
        [
          ["attach:events_2026_01", undefined],
          ["reorganize:events_2026_01", "attach:events_2026_01"],
        ],
      );
      assert.deepEqual(
        findings.filter(({ severity }) => severity !== "info"),
        [],
      );
      const done = await set.settle(back);
      assert.deepEqual(
        done.filter((id) => id.endsWith("_01")),
        ["attach:events_2026_01", "reorganize:events_2026_01"],
      );
      const { rows } = await client.query("SELECT count(*)::int AS n FROM app.events");
      assert.deepEqual(rows, [{ n: 20 }]);
    }));

  it("moves rows of the DEFAULT partition of a table below into the leaf that they belong to", () =>
    withTable("LIST (region)", async ({ client, set }) => {
      const policy = (asOf: string) => tenants(asOf, { defaultPartition: true, lifecycle: [] });
      await set.settle(policy("2026-01"));
      await write(client, "2026-03", "de");
      assert.deepEqual(await set.settle(policy("2026-02")), [
        "reorganize:events_eu_2026_03",
        "create:events_us_2026_03",
      ]);
      const { rows } = await client.query("SELECT count(*)::int AS count FROM app.events_eu_2026_03");
      assert.deepEqual(rows, [{ count: 20 }]);
    }));

  it("gives a table below a table what its parent has", () =>
    withTable("RANGE (at)", async ({ client, set }) => {
      const reader = `reader_${Date.now()}`;
      await client.query(`CREATE ROLE ${reader}`);
      try {
        await client.query(`GRANT SELECT ON app.events TO ${reader}`);
        await client.query("ALTER TABLE app.events ENABLE ROW LEVEL SECURITY");
        await client.query("CREATE POLICY own ON app.events USING (EXISTS (SELECT 1 WHERE events.region = 'de'))");
        await client.query("ALTER TABLE app.events REPLICA IDENTITY USING INDEX events_pkey");
        await set.settle(three("2026-01"));
        await client.query("CREATE TABLE app.warm (LIKE app.events)");
        await set.settle(three("2026-02"));
        const { rows } = await client.query(
          `SELECT count(*)::int AS tables,
             count(*) FILTER (WHERE c.relrowsecurity AND has_table_privilege('${reader}', c.oid, 'SELECT') AND c.relreplident = 'i'
               AND EXISTS (SELECT FROM pg_index x WHERE x.indrelid = c.oid AND x.indisreplident)
               AND EXISTS (SELECT FROM pg_policy l WHERE l.polrelid = c.oid))::int AS equal
           FROM pg_partition_tree('app.events') t JOIN pg_class c ON c.oid = t.relid`,
        );
        assert.deepEqual(rows, [{ tables: 17, equal: 17 }]);
      } finally {
        await client.query(`DROP OWNED BY ${reader}`);
        await client.query(`DROP ROLE ${reader}`);
      }
    }));
});
