/** Partitions that compute a stored generated column by an expression of their own: made so, compared, kept and changed. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import type { Sessions } from "../../../postgres/connection";
import type { Properties } from "../../../provider/values";
import { REWRITE_LIMIT_BYTES } from "../../../topology/storage";
import { describeOnEachPostgres, type TestDatabase } from "../../support/postgres";
import { startTraffic } from "../../support/traffic";
import { openForSuite } from "../postgres/opened";
import { contentOf, leftovers } from "../reorganize/support";
import { SetUnderTest } from "./support";

const OWN = { b: "a*100" };

type Entry = { from: number; to: number; generated?: Record<string, string> } & Properties;

const declared = (partitions: Record<string, Entry>, more: Properties = {}): Properties => ({
  schema: "s",
  table: "p",
  partitionBy: { range: { column: "k", type: "integer" } },
  partitions,
  ...more,
});

const one = (from: number, generated?: Record<string, string>): Entry => ({
  from: from * 10,
  to: from * 10 + 10,
  ...(generated && { generated }),
});

describeOnEachPostgres("generation expressions of a partition's own", (server) => {
  let database: TestDatabase;
  let client: Client;
  let sessions: Sessions;
  let set: SetUnderTest;

  openForSuite(server, (opened) => {
    ({ database, client, sessions } = opened);
  });
  beforeEach(async () => {
    await client.query("DROP SCHEMA IF EXISTS s CASCADE; CREATE SCHEMA s");
    await client.query(
      `CREATE TABLE s.p (id int NOT NULL, a int CHECK (a > 0), b int GENERATED ALWAYS AS (a * 2) STORED, k int NOT NULL, pad text,
         PRIMARY KEY (id, k)) PARTITION BY RANGE (k)`,
    );
    await client.query("CREATE INDEX p_b ON s.p (b)");
    await client.query("COMMENT ON COLUMN s.p.b IS 'computed'");
    // With a target, which LIKE leaves out, statistics objects get names here, which must not meet those of a table that leaves.
    await client.query("CREATE STATISTICS s.st ON a, k FROM s.p; ALTER STATISTICS s.st SET STATISTICS 9");
    set = new SetUnderTest(sessions);
  });

  const major = () => server().major;
  const own = () => major() >= 16;

  /** Each leaf's own expression. */
  async function expressions(): Promise<Record<string, string>> {
    const { rows } = await client.query<{ name: string; text: string }>(
      `SELECT c.relname AS name, pg_get_expr(d.adbin, d.adrelid) AS text FROM pg_attrdef d JOIN pg_class c ON c.oid = d.adrelid
       JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
       WHERE c.relnamespace = 's'::regnamespace AND c.relname <> 'p' AND a.attname = 'b' ORDER BY 1`,
    );
    return Object.fromEntries(rows.map(({ name, text }) => [name, text]));
  }

  const values = async (): Promise<number[]> =>
    (await client.query<{ b: number }>("SELECT b FROM s.p ORDER BY id")).rows.map(({ b }) => b);

  const insert = (...keys: number[]) =>
    client.query(`INSERT INTO s.p (id, a, k) SELECT k, 3, k FROM unnest($1::int[]) k`, [keys]);

  it("are there from the start, on an empty parent and on one in use", async function () {
    if (!own()) this.skip();
    await set.settle(declared({ p0: one(0), p1: one(1, OWN) }));
    await insert(5, 15);
    await set.settle(declared({ p0: one(0), p1: one(1, OWN), p2: one(2, { b: "a + 1" }), p3: one(3) }));
    await insert(25, 35);
    assert.deepEqual(await expressions(), { p0: "(a * 2)", p1: "(a * 100)", p2: "(a + 1)", p3: "(a * 2)" });
    assert.deepEqual(await values(), [6, 300, 4, 6]);
    const { rows } = await client.query(
      `SELECT c.relname AS name, col_description(c.oid, a.attnum) AS said, array_agg(a.attname::text) OVER () @> '{b}' AS aligned,
         (SELECT count(*)::int FROM pg_index x WHERE x.indrelid = c.oid AND x.indisvalid) AS indexes,
         (SELECT count(*)::int FROM pg_statistic_ext x WHERE x.stxrelid = c.oid) AS statistics, a.attnum::int AS number
       FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'b'
       WHERE c.relname IN ('p2', 'p3') ORDER BY 1`,
    );
    const like = { said: "computed", aligned: true, indexes: 2, statistics: 1, number: 3 };
    assert.deepEqual(rows, [
      { name: "p2", ...like },
      { name: "p3", ...like },
    ]);
    assert.deepEqual(await leftovers(client), []);
  });

  it("are those of what is below, unless an entry there says another", async function () {
    if (!own()) this.skip();
    const level = {
      partitionBy: { list: { column: "id", type: "integer" } },
      partitions: { p1_x: { values: [1] }, p1_y: { values: [2], generated: { b: "a * 7" } } },
    };
    const tree = (generated: Record<string, string>) =>
      declared({ p0: one(0), p1: { ...one(1, generated), ...level } as Entry });
    await set.settle(tree(OWN));
    await client.query("INSERT INTO s.p (id, a, k) VALUES (1, 3, 11), (2, 3, 11)");
    assert.deepEqual(await expressions(), { p0: "(a * 2)", p1: "(a * 100)", p1_x: "(a * 100)", p1_y: "(a * 7)" });
    assert.deepEqual(await values(), [300, 21]);
    const below = (generated: Record<string, string>) => ({
      ...level,
      partitions: { ...level.partitions, p1_x: { values: [1], generated } },
    });
    const leaves = (generated: Record<string, string>) =>
      declared({ p0: one(0), p1: { ...one(1, OWN), ...below(generated) } as Entry });
    assert.deepEqual(set.diff(leaves({ b: "a * 5" })), ["add partitions.p1.partitions.p1_x.generated.b"]);
    assert.deepEqual(await set.settle(leaves({ b: "a * 5" })), ["reorganize:p1_x"]);
    assert.deepEqual(await values(), [15, 21]);
    assert.deepEqual(await set.settle(tree(OWN)), ["reorganize:p1_x"]);
    const { steps, findings } = await set.preview(tree({ b: "a * 8" }));
    assert.deepEqual(steps, []);
    assert.match(findings.map(({ reason }) => reason).join(), /partitioned itself keeps the expression/);
  });

  it("are changed with their rows when the program changes them, by a new table", async function () {
    if (!own()) this.skip();
    await set.settle(declared({ p0: one(0), p1: one(1, OWN) }));
    await insert(5, 15);
    const changed = declared({ p0: one(0), p1: one(1, { b: "a + 40" }) });
    assert.deepEqual(set.diff(changed), ["update partitions.p1.generated.b"]);
    assert.deepEqual(await set.settle(changed), ["reorganize:p1"]);
    assert.deepEqual(await values(), [6, 43]);
    const back = declared({ p0: one(0), p1: one(1, { b: "(a * 2)" }) });
    await set.settle(back);
    assert.deepEqual(await expressions(), { p0: "(a * 2)", p1: "(a * 2)" });
    assert.deepEqual(await values(), [6, 6]);
    await set.settle(declared({ p0: one(0), p1: one(1) }));
  });

  it("that somebody has changed by hand are shown and put right; one that nobody declares is left and reported", async function () {
    if (!own()) this.skip();
    const wanted = declared({ p0: one(0), p1: one(1, OWN) });
    await set.settle(wanted);
    await insert(5, 15);
    await client.query("ALTER TABLE s.p DETACH PARTITION s.p1; DROP TABLE s.p1");
    await client.query(
      "CREATE TABLE s.p1 PARTITION OF s.p (b GENERATED ALWAYS AS (a * 9) STORED) FOR VALUES FROM (10) TO (20)",
    );
    await insert(15);
    await client.query("CREATE STATISTICS s.p1_st ON a, k FROM s.p1; COMMENT ON COLUMN s.p1.b IS 'computed'");
    const [run] = [await set.preview(wanted)];
    assert.deepEqual(
      run.steps.map(({ id, reason }) => [id, reason.replace(/;.*/, "")]),
      [["reorganize:p1", "generated columns (b): (a * 9) instead of (a * 100)"]],
    );
    await set.settle(wanted);
    assert.deepEqual(await values(), [6, 300]);
    const { plan, findings } = await set.up(declared({ p0: one(0), p1: one(1) }));
    assert.deepEqual(plan.steps, []);
    assert.match(findings.join(), /p1: generated columns \(b\): \(a \* 100\) instead of \(a \* 2\)\. .*declare/i);
  });

  it("of a large partition are changed beside the working application", async function () {
    if (major() < 18) this.skip();
    const rows = Math.ceil((REWRITE_LIMIT_BYTES * 1.05) / 1024);
    const wide = (generated: Record<string, string>) => declared({ p0: { from: 0, to: 1_000_000, generated } });
    await set.settle(wide(OWN));
    await client.query(
      `INSERT INTO s.p (id, a, k, pad) SELECT i, 3, i, repeat('x', 1000) FROM generate_series(1, ${rows}) i; ANALYZE s.p`,
    );
    const before = await contentOf(client, "s.p", "id, k, pad");
    const jobs = [["UPDATE s.p SET a = a + 1 WHERE k % 500 = 1"], ["SELECT 1 / (count(*) > 10000)::int FROM s.p"]];
    const traffic = await startTraffic(database, jobs, 20_000);
    assert.deepEqual(await set.settle(wide({ b: "a - 1" })), ["reorganize:p0"]);
    const { failures } = await traffic.stop();
    assert.deepEqual(failures, []);
    assert.equal(await contentOf(client, "s.p", "id, k, pad"), before);
    const { rows: wrong } = await client.query("SELECT FROM s.p WHERE b <> a - 1");
    assert.deepEqual([wrong.length, await leftovers(client)], [0, []]);
  });

  it("stay with the rows when a partition is split, and a split that would lose them is refused", async function () {
    if (!own()) this.skip();
    await set.settle(declared({ p0: { from: 0, to: 100, generated: OWN } }));
    await insert(5, 60);
    const halves = (generated?: Record<string, string>): Record<string, Entry> => ({
      p0: { from: 0, to: 50, generated: OWN },
      p50: { from: 50, to: 100, ...(generated && { generated }) },
    });
    const { steps, findings } = await set.preview(declared(halves()));
    assert.deepEqual(steps, []);
    assert.match(
      findings.map(({ reason }) => reason).join(),
      /s\.p0 computes b by an expression of its own.*generated/,
    );
    assert.deepEqual(await set.settle(declared(halves(OWN))), ["reorganize:p0"]);
    assert.deepEqual(await expressions(), { p0: "(a * 100)", p50: "(a * 100)" });
    assert.deepEqual(await values(), [300, 300]);
    await set.settle(declared(halves({ b: "a * 2" })));
    assert.deepEqual(await values(), [300, 6]);
  });

  it("that the server does not take are refused with the reason, and the others are made", async () => {
    const cases: [Record<string, string>, RegExp][] = own()
      ? [
          [{ c: "a" }, /s\.p has no column c/],
          [{ a: "k" }, /a is no generated column/],
          [{ b: "random()" }, /42P17/],
          [{ b: "nothing + 1" }, /42703/],
        ]
      : [[OWN, /42804/]];
    for (const [generated, reason] of cases) {
      const { done, findings } = await set.up(declared({ p0: one(0), p1: one(1, generated) }));
      assert.match(findings.join(), reason);
      assert.match(findings.join(), /^error partitions\.p1: generated/);
      assert.deepEqual(
        done.filter((id) => id === "create:p1"),
        [],
      );
    }
    await set.settle(declared({ p0: one(0), p1: one(1) }));
    const [[generated, reason] = [OWN, /42804/]] = cases;
    const { plan, findings } = await set.up(declared({ p0: one(0), p1: one(1, generated) }));
    assert.deepEqual(plan.steps, []);
    assert.match(findings.join(), reason);
    assert.match(set.diff(declared({ p0: one(0), p1: one(1, generated) })).join(), /p1\.differs\.generatedColumns/);
  });
});
