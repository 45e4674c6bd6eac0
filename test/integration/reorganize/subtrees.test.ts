/** Rows change tables between partitions that are partitioned themselves, while the application goes on. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import type { DesiredPartition, DesiredSet, PartitionBound, PartitionKey } from "../../../topology/model";
import type { ReorganizationMethod } from "../../../topology/steps";
import {
  describeOnEachPostgres,
  describeOnOldestAndNewest,
  type TestDatabase,
  type TestServer,
} from "../../support/postgres";
import { startTraffic } from "../../support/traffic";
import { range } from "../postgres/support";
import { treeOf } from "../tree/support";
import { contentOf, leftovers } from "./support";
import { Updates } from "./updates";

const TABLES = `
CREATE SCHEMA s;
CREATE TABLE s.ref (r int PRIMARY KEY);
CREATE TABLE s.refs (r int PRIMARY KEY) PARTITION BY RANGE (r);
CREATE TABLE s.refs_1 PARTITION OF s.refs DEFAULT;
INSERT INTO s.ref SELECT generate_series(0, 9);
INSERT INTO s.refs SELECT generate_series(0, 9);
CREATE TABLE s.p (k int, id int, region text DEFAULT 'eu', r int REFERENCES s.ref, o int REFERENCES s.refs, note text,
  PRIMARY KEY (k, id, region), CHECK (id >= 0)) PARTITION BY RANGE (k);
CREATE INDEX ON s.p (note);
CREATE TABLE s.log (rows int);
CREATE FUNCTION s.noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER noted AFTER UPDATE ON s.p FOR EACH ROW EXECUTE FUNCTION s.noted();
ALTER TABLE s.p ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON s.p USING (region <> 'secret');
GRANT SELECT ON s.p TO PUBLIC;
CREATE PUBLICATION published FOR TABLE s.p;
CREATE TABLE s.twin (k int, id int, region text DEFAULT 'eu', r int, o int, note text, PRIMARY KEY (k, id, region))`;

/** Every turn on one version; on the others one in the middle of the copy, and around the exchange. */
const EVERYWHERE_ON = 18;

type Inside = Pick<DesiredPartition, "partitionBy" | "partitions" | "leaf">;

const divided = (partitionBy: PartitionKey, bounds: Record<string, PartitionBound & Inside>): Inside => ({
  partitionBy,
  partitions: Object.fromEntries(Object.entries(bounds).map(([name, bound]) => [name, { ...bound, tier: "live" }])),
});

const byHash = (table: string, modulus = 2): Inside =>
  divided(
    { hash: { column: "id" } },
    Object.fromEntries(Array.from({ length: modulus }, (_, at) => [`${table}_h${at}`, { modulus, remainder: at }])),
  );

const byRegion = (table: string, inside: (table: string) => Inside = () => ({})): Inside =>
  divided(
    { list: { column: "region" } },
    {
      [`${table}_eu`]: { values: ["eu"], ...inside(`${table}_eu`) },
      [`${table}_rest`]: { default: true, ...inside(`${table}_rest`) },
    },
  );

const whole = (): Inside => ({ leaf: true });

function setOf(bounds: Record<string, PartitionBound>, inside: (table: string) => Inside): DesiredSet {
  const entries = Object.entries(bounds).map(([name, bound]): [string, DesiredPartition] => [
    name,
    { ...bound, tier: "live", ...inside(name) },
  ]);
  return {
    schema: "s",
    table: "p",
    strategy: "range",
    keyColumns: ["k"],
    partitions: Object.fromEntries(entries),
    unmanaged: "report",
    adopt: [],
    comment: "{partition} of {table}",
  };
}

const YEAR = { year: range("0", "400") };
const QUARTERS = { q1: range("0", "100"), q2: range("100", "200"), q3: range("200", "300"), q4: range("300", "400") };
const threeLevels = (table: string) => byRegion(table, byHash);

type Change = [string, DesiredSet, DesiredSet];

const CHANGES: Change[] = [
  ["a year with buckets is split into quarters", setOf(YEAR, byHash), setOf(QUARTERS, byHash)],
  ["quarters with buckets become one table", setOf(QUARTERS, byHash), setOf(YEAR, whole)],
  ["a table becomes a tree of three levels", setOf(YEAR, whole), setOf(QUARTERS, threeLevels)],
  ["a tree of three levels becomes a table in its place", setOf(YEAR, threeLevels), setOf(YEAR, whole)],
];

const MORE: Change[] = [
  ["undivided tables are cut elsewhere", setOf(YEAR, whole), setOf(QUARTERS, whole)],
  ["quarters with buckets are merged", setOf(QUARTERS, byHash), setOf(YEAR, byHash)],
  ["a table is divided", setOf(YEAR, whole), setOf(YEAR, byHash)],
  ["another key takes the place of buckets", setOf(YEAR, byHash), setOf(YEAR, byRegion)],
  ["each quarter becomes one table", setOf(QUARTERS, byHash), setOf(QUARTERS, whole)],
  [
    "the lowest level goes below a partition",
    setOf(YEAR, threeLevels),
    setOf(YEAR, (table) => byRegion(table, (region) => (region.endsWith("_eu") ? whole() : byHash(region)))),
  ],
  [
    "a tree of three levels is cut elsewhere",
    setOf(QUARTERS, threeLevels),
    setOf({ q1: range("0", "150"), q4: range("150", "400") }, threeLevels),
  ],
];

const suite = (changes: Change[], kills: boolean) => (server: () => TestServer) => {
  let database: TestDatabase;
  let client: Client;
  let set: Updates;

  beforeEach(async () => {
    database = await server().createDatabase();
    client = await database.client();
    set = new Updates(database, client);
  });
  afterEach(async () => {
    await set.close();
    await database.drop();
  });

  /** The table anew, as declared, with rows. */
  async function begin(wanted: DesiredSet): Promise<void> {
    set.forget();
    await client.query(`DROP SCHEMA IF EXISTS s CASCADE; DROP PUBLICATION IF EXISTS published; ${TABLES}`);
    await set.up(wanted);
    for (const table of ["s.p", "s.twin"])
      await client.query(`INSERT INTO ${table}
        SELECT k, k % 7, CASE WHEN k % 3 = 0 THEN 'eu' ELSE 'us' END, k % 10, k % 10, 'n' || k FROM generate_series(0, 399) k`);
  }

  const both = (sql: string) => ["BEGIN", sql.replace("%t", "s.p"), sql.replace("%t", "s.twin"), "COMMIT"];
  /** One of them moves rows between partitions of every kind. */
  const application = [
    both("UPDATE %t SET note = 'changed ' || k WHERE k % 7 = 1"),
    both("UPDATE %t SET id = (id + 1) % 7, region = CASE region WHEN 'eu' THEN 'us' ELSE 'eu' END WHERE k % 7 = 2"),
    ["SELECT 1 / (count(*) = 400)::int FROM s.p"],
  ];

  for (const [name, before, after] of changes) {
    for (const method of ["moveInOneTransaction", "copyAndSwap"] as const) {
      it(`${name}, while readers and writers go on (${method})`, async () => {
        await begin(before);
        const traffic = await startTraffic(database, application, 20_000);
        const made = await set.up(after, method);
        const { statements, failures } = await traffic.stop();
        assert.deepEqual(failures, []);
        assert.ok(statements > 0);
        assert.deepEqual([...new Set(made.steps.map(({ method: way }) => way))], [method]);
        await set.nothingLeft(after);
        const moved = await treeOf(client, "s.p");
        const own = await client.query(
          "SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE contype = 'f' AND (conparentid = 0 OR NOT convalidated)" +
            " AND conrelid <> 's.p'::regclass",
        );
        assert.deepEqual(own.rows, [], "foreign keys are those of the parent");
        await begin(after);
        assert.deepEqual(moved, await treeOf(client, "s.p"), "as if it had been made so");
      });
    }
  }

  if (!kills) return;

  it("says what PostgreSQL says of a key that has not the columns of the new level", async () => {
    await begin(setOf(YEAR, byHash));
    const byNote = (table: string) =>
      divided({ hash: { column: "note" } }, { [`${table}_n`]: { modulus: 1, remainder: 0 } });
    const wanted = setOf(YEAR, byNote);
    const report = await set.carriedOut(wanted, await set.planned(wanted, "copyAndSwap"));
    assert.match(
      report.failed[0]?.error.reason ?? "",
      /unique constraint on partitioned table must include all partitioning columns/,
    );
    assert.deepEqual(await leftovers(client), []);
  });

  it("is refused before anything is done when a row would have no place below", async () => {
    const inside = (values: string[], buckets: boolean) => (table: string) =>
      divided({ list: { column: "id" } }, { [`${table}_v`]: { values, ...(buckets ? byRegion(`${table}_v`) : {}) } });
    const days = ["0", "1", "2", "3", "4", "5", "6"];
    const enough = setOf(YEAR, inside(days, true));
    const few = setOf(YEAR, inside(["0", "1", "2"], false));
    await begin(setOf(YEAR, whole));
    const refused = await set.planned(few);
    assert.deepEqual(
      refused.findings.filter(({ severity }) => severity === "error").map(({ path }) => path),
      ["partitions.year"],
    );
    assert.deepEqual(refused.steps, []);
    await client.query("DELETE FROM s.p WHERE id > 2; DELETE FROM s.twin WHERE id > 2");
    await set.up(few);
    await set.nothingLeft(few);
    await set.up(enough);
    await set.nothingLeft(enough);
  });

  it("makes one table of a DEFAULT, which a move in one transaction would keep as it is", async () => {
    await begin(setOf(YEAR, threeLevels));
    const flat = setOf(YEAR, (table) => byRegion(table, whole));
    const { steps } = await set.up(flat);
    assert.deepEqual(
      steps.map(({ id, method }) => `${id} ${method}`),
      ["reorganize:year_eu moveInOneTransaction", "reorganize:year_rest copyAndSwap"],
    );
    await set.nothingLeft(flat);
  });

  describe("after a kill", () => {
    async function write(): Promise<void> {
      for (const table of ["s.p", "s.twin"]) {
        await client.query(`UPDATE ${table} SET note = 'after', id = (id + 1) % 7 WHERE k % 3 = 0`);
        await client.query(`DELETE FROM ${table} WHERE k % 10 = 3`);
        await client.query(`INSERT INTO ${table} SELECT k, 7, 'new', 1, 1, 'new' FROM generate_series(0, 399, 9) k`);
      }
    }

    const cut = setOf({ year: range("0", "150"), q2: range("150", "400") }, byRegion);
    const between = Array.from({ length: 4 }, (_, at) => `betweenStatements:${at * 12 + 1}`);
    const ended = (points: number[]) => points.map((at) => `afterTransaction:${at}`);
    const everywhere = ended(Array.from({ length: 40 }, (_, at) => at + 1));

    for (const [what, before, wanted, method, points] of [
      ["a cut", setOf(YEAR, byHash), cut, "moveInOneTransaction", between],
      ["a cut", setOf(YEAR, byHash), cut, "copyAndSwap", everywhere],
      ["a cut", setOf(YEAR, byHash), cut, "copyAndSwap", ["beforeCommit:9", "beforeCommit:14"]],
      ["one table of a tree", setOf(YEAR, threeLevels), setOf(YEAR, whole), "moveInOneTransaction", between],
      ["one table of a tree", setOf(YEAR, threeLevels), setOf(YEAR, whole), "copyAndSwap", ended([2, 8, 14, 16, 18])],
    ] as [string, DesiredSet, DesiredSet, ReorganizationMethod, string[]][]) {
      it(`goes on where it was: ${what} (${method}, from ${points[0]})`, async () => {
        const some = server().major === EVERYWHERE_ON ? points : points.filter((_, at) => at % 13 === 1);
        const phases = new Set<string>();
        for (const point of some) {
          await begin(before);
          const signal = await set.killed(wanted, method, point);
          assert.equal(await contentOf(client, "s.p"), await contentOf(client, "s.twin"), point);
          await write();
          const made = await set.planned(wanted);
          for (const { id } of made.steps) phases.add(id.replace(/\/.*/, "/"));
          await set.up(wanted);
          await set.nothingLeft(wanted);
          if (signal === null) break;
        }
        if (some.length > 4) assert.deepEqual([...phases].sort(), ["reorganize:year", "reorganize:year/"]);
      });
    }

    it("is given up when something else is declared", async () => {
      await begin(setOf(YEAR, byHash));
      await set.killed(cut, "copyAndSwap", "afterTransaction:6");
      await write();
      const other = setOf(QUARTERS, byHash);
      const made = await set.up(other);
      assert.deepEqual(
        made.steps.map(({ kind }) => kind),
        ["abandonReorganization", "reorganize"],
      );
      await set.nothingLeft(other);
    });

    it("is begun anew when the subtree has other tables than it had", async () => {
      await begin(setOf(YEAR, byRegion));
      await set.killed(setOf(QUARTERS, byHash), "copyAndSwap", "afterTransaction:6");
      await client.query("CREATE TABLE s.year_ap PARTITION OF s.year FOR VALUES IN ('ap')");
      await client.query("INSERT INTO s.p SELECT k, 9, 'ap', 1, 1, 'ap' FROM generate_series(0, 399, 9) k");
      await client.query("INSERT INTO s.twin SELECT k, 9, 'ap', 1, 1, 'ap' FROM generate_series(0, 399, 9) k");
      const made = await set.up(setOf(QUARTERS, byHash));
      assert.deepEqual(
        made.steps.map(({ kind }) => kind),
        ["abandonReorganization", "reorganize"],
      );
      await set.nothingLeft(setOf(QUARTERS, byHash));
    });
  });
};

describeOnEachPostgres("rows that change tables between subtrees", suite(CHANGES, true));
describeOnOldestAndNewest("rows that change tables between more subtrees", suite(MORE, false));
