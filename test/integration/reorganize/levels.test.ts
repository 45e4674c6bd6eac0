/** Rows change partitions below a partition: split, merged, out of DEFAULT and into more buckets, while the application goes on. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import type { DesiredPartition, DesiredSet, PartitionBound } from "../../../topology/model";
import { describeOnEachPostgres, type TestDatabase } from "../../support/postgres";
import { startTraffic } from "../../support/traffic";
import { childrenOf, range } from "../postgres/support";
import { leftovers } from "./support";
import { Updates } from "./updates";

/** Two tenants: one by RANGE, with DEFAULT, one by HASH. */
const TABLES = `
CREATE SCHEMA s;
CREATE TABLE s.ref (r int PRIMARY KEY);
INSERT INTO s.ref SELECT generate_series(0, 9);
CREATE TABLE s.p (tenant int, k int, r int REFERENCES s.ref, note text, PRIMARY KEY (tenant, k)) PARTITION BY LIST (tenant);
CREATE TABLE s.t1 PARTITION OF s.p FOR VALUES IN (1) PARTITION BY RANGE (k);
CREATE TABLE s.a PARTITION OF s.t1 FOR VALUES FROM (0) TO (100);
CREATE TABLE s.b PARTITION OF s.t1 FOR VALUES FROM (100) TO (200);
CREATE TABLE s.d PARTITION OF s.t1 DEFAULT;
CREATE TABLE s.t2 PARTITION OF s.p FOR VALUES IN (2) PARTITION BY HASH (k);
CREATE TABLE s.h0 PARTITION OF s.t2 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE s.h1 PARTITION OF s.t2 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE s.twin (tenant int, k int, r int, note text, PRIMARY KEY (tenant, k))`;

/** On one version at several points; on the others at one in the middle of the copy. */
const EVERYWHERE_ON = 18;

const live = (bounds: Record<string, PartitionBound>): Record<string, DesiredPartition> =>
  Object.fromEntries(Object.entries(bounds).map(([name, bound]) => [name, { ...bound, tier: "live" }]));

const RANGES = { a: range("0", "100"), b: range("100", "200"), d: { default: true } as const };
const HASHES = { h0: { modulus: 2, remainder: 0 }, h1: { modulus: 2, remainder: 1 } };

function desired(ranges: Record<string, PartitionBound>, hashes: Record<string, PartitionBound> = HASHES): DesiredSet {
  return {
    schema: "s",
    table: "p",
    strategy: "list",
    keyColumns: ["tenant"],
    partitions: {
      t1: { values: ["1"], tier: "live", partitionBy: { range: { column: "k" } }, partitions: live(ranges) },
      t2: { values: ["2"], tier: "live", partitionBy: { hash: { column: "k" } }, partitions: live(hashes) },
    },
    unmanaged: "report",
    adopt: [],
  };
}

describeOnEachPostgres("rows that change partitions below a partition", (server) => {
  let database: TestDatabase;
  let client: Client;
  let set: Updates;

  beforeEach(async () => {
    database = await server().createDatabase();
    client = await database.client();
    set = new Updates(database, client);
    await client.query(TABLES);
    for (const table of ["s.p", "s.twin"]) {
      await client.query(`INSERT INTO ${table} SELECT 1 + i % 2, i, i % 10, 'n' || i FROM generate_series(0, 599) i`);
    }
  });
  afterEach(async () => {
    await set.close();
    await database.drop();
  });

  const SPLIT = { a: range("0", "30"), a2: range("30", "100"), b: range("100", "150"), d: { default: true } as const };
  const GROWN = {
    h0: { modulus: 4, remainder: 0 },
    h2: { modulus: 4, remainder: 2 },
    h1: { modulus: 4, remainder: 1 },
    h3: { modulus: 4, remainder: 3 },
  };
  const CHANGED = desired({ ...SPLIT, c: range("200", "400") }, GROWN);

  it("have statistics under other names where theirs are taken", async () => {
    await client.query("CREATE STATISTICS s.both ON k, r FROM s.p");
    for (const target of ["a", "c"]) await client.query(`CREATE STATISTICS s.${target}_k_r_stat ON k, r FROM s.twin`);
    await set.up(CHANGED, "copyAndSwap");
    const { rows } = await client.query(
      "SELECT stxname AS name FROM pg_statistic_ext WHERE stxrelid IN ('s.a'::regclass, 's.c'::regclass) ORDER BY 1",
    );
    assert.deepEqual(
      rows.map(({ name }) => name),
      ["a_k_r_stat1", "c_k_r_stat1"],
    );
    await set.nothingLeft(CHANGED);
  });

  for (const method of ["moveInOneTransaction", "copyAndSwap"] as const) {
    it(`are in their places while readers and writers of all tenants go on (${method})`, async () => {
      const both = (sql: string) => ["BEGIN", sql.replace("%t", "s.p"), sql.replace("%t", "s.twin"), "COMMIT"];
      const traffic = await startTraffic(
        database,
        [
          both("UPDATE %t SET note = 'changed ' || k WHERE tenant = 1 AND k % 7 = 1"),
          both("UPDATE %t SET note = 'grown ' || k WHERE tenant = 2 AND k % 5 = 1"),
          ["SELECT 1 / (count(*) = 600)::int FROM s.p"],
        ],
        20_000,
      );
      const made = await set.up(CHANGED, method);
      const { statements, failures } = await traffic.stop();
      assert.deepEqual(failures, []);
      assert.ok(statements > 0);
      const moving = made.steps.filter(({ kind }) => kind === "reorganize");
      assert.deepEqual(moving.map(({ under }) => under?.name).sort(), ["t1", "t1", "t2", "t2"]);
      await set.nothingLeft(CHANGED);
      assert.equal((await client.query("SELECT count(*)::int AS count FROM s.c")).rows[0].count, 100);
      assert.deepEqual(await childrenOf(client, "s.t2"), [
        "h0 FOR VALUES WITH (modulus 4, remainder 0)",
        "h1 FOR VALUES WITH (modulus 4, remainder 1)",
        "h2 FOR VALUES WITH (modulus 4, remainder 2)",
        "h3 FOR VALUES WITH (modulus 4, remainder 3)",
      ]);
    });
  }

  it("are merged", async () => {
    const merged = desired({ ab: range("0", "200"), d: { default: true } });
    await set.up(merged, "copyAndSwap");
    await set.nothingLeft(merged);
  });

  it("go on after a kill, or are given up when something else is declared", async () => {
    const wanted = desired({
      a: range("0", "30"),
      a2: range("30", "100"),
      b: range("100", "200"),
      d: { default: true },
    });
    const points = server().major === EVERYWHERE_ON ? ["afterTransaction:3", "beforeCommit:8"] : ["afterTransaction:6"];
    for (const point of points) {
      for (const next of [wanted, desired(RANGES)]) {
        await set.killed(wanted, "copyAndSwap", point);
        for (const table of ["s.p", "s.twin"])
          await client.query(`UPDATE ${table} SET r = (r + 1) % 10 WHERE k % 3 = 0`);
        await set.up(next);
        await set.nothingLeft(next);
        await set.up(desired(RANGES));
      }
    }
  });

  it("do not go on inside a partition that leaves: the copy is taken away first", async () => {
    await set.recorded(desired(RANGES));
    const wanted = desired({ ...RANGES, a: range("0", "30"), a2: range("30", "100") });
    await set.killed(wanted, "copyAndSwap", "afterTransaction:6");
    const { t1, t2 } = wanted.partitions;
    assert.ok(t1 && t2);
    const leaving: DesiredSet = { ...wanted, partitions: { t1: { ...t1, tier: "detached" }, t2 } };
    const made = await set.up(leaving);
    assert.deepEqual(
      made.steps.map(({ kind, under }) => [kind, under?.name]),
      [
        ["abandonReorganization", "t1"],
        ["detach", undefined],
      ],
    );
    assert.deepEqual(await leftovers(client), []);
  });
});
