/** Rows change partitions: every strategy, by both methods, and nothing is left behind. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import type { Sessions } from "../../../postgres/connection";
import { preflight } from "../../../postgres/preflight";
import { readServer } from "../../../postgres/server";
import type { PartitionBound } from "../../../topology/model";
import type { ReorganizationMethod } from "../../../topology/steps";
import { describeOnEachPostgres, type TestDatabase } from "../../support/postgres";
import { openForEachTest } from "../postgres/opened";
import { carryOut, childrenOf, planOf, range, read, readParentOf } from "../postgres/support";
import { contentOf, leftovers, reorganizing } from "./support";

interface Case {
  title: string;
  /** Makes `s.p` with partitions and rows. */
  tables: string[];
  from: string[];
  to: Record<string, PartitionBound>;
  children: string[];
}

const month = (from: string, to: string) => range(`2026-${from}-01 00:00:00+00`, `2026-${to}-01 00:00:00+00`);

const CASES: Case[] = [
  {
    title: "a half year becomes quarters",
    tables: [
      "CREATE TABLE s.p (id bigint, at timestamptz, note text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)",
      "CREATE TABLE s.h PARTITION OF s.p FOR VALUES FROM ('2026-01-01') TO ('2026-07-01')",
      "INSERT INTO s.p SELECT i, timestamptz '2026-01-01' + i * interval '4 hours', 'n' || i FROM generate_series(0, 999) i",
    ],
    from: ["h"],
    to: { q1: month("01", "04"), q2: month("04", "07") },
    children: [
      "q1 FOR VALUES FROM ('2026-01-01 00:00:00+00') TO ('2026-04-01 00:00:00+00')",
      "q2 FOR VALUES FROM ('2026-04-01 00:00:00+00') TO ('2026-07-01 00:00:00+00')",
    ],
  },
  {
    title: "two partitions become one that bears the name of the first",
    tables: [
      "CREATE TABLE s.p (k int PRIMARY KEY, note text) PARTITION BY RANGE (k)",
      "CREATE TABLE s.a PARTITION OF s.p FOR VALUES FROM (0) TO (500)",
      "CREATE TABLE s.b PARTITION OF s.p FOR VALUES FROM (500) TO (1000)",
      "INSERT INTO s.p SELECT i, 'n' FROM generate_series(0, 999) i",
    ],
    from: ["a", "b"],
    to: { a: range("0", "1000") },
    children: ["a FOR VALUES FROM (0) TO (1000)"],
  },
  {
    title: "rows of DEFAULT become a partition",
    tables: [
      "CREATE TABLE s.p (k int PRIMARY KEY, note text) PARTITION BY RANGE (k)",
      "CREATE TABLE s.c0 PARTITION OF s.p FOR VALUES FROM (0) TO (100)",
      "CREATE TABLE s.d PARTITION OF s.p DEFAULT",
      "INSERT INTO s.p SELECT i, 'n' FROM generate_series(0, 999) i",
    ],
    from: ["d"],
    to: { c1: range("100", "300"), d: { default: true } },
    children: ["c0 FOR VALUES FROM (0) TO (100)", "c1 FOR VALUES FROM (100) TO (300)", "d DEFAULT"],
  },
  {
    title: "a partition is split beside a DEFAULT that takes no part",
    tables: [
      "CREATE TABLE s.p (k int PRIMARY KEY, note text) PARTITION BY RANGE (k)",
      "CREATE TABLE s.c0 PARTITION OF s.p FOR VALUES FROM (0) TO (100)",
      "CREATE TABLE s.d PARTITION OF s.p DEFAULT",
      "INSERT INTO s.p SELECT i, 'n' FROM generate_series(0, 999) i",
    ],
    from: ["c0"],
    to: { c0: range("0", "50"), c1: range("50", "100") },
    children: ["c0 FOR VALUES FROM (0) TO (50)", "c1 FOR VALUES FROM (50) TO (100)", "d DEFAULT"],
  },
  {
    title: "a HASH bucket becomes two",
    tables: [
      'CREATE TABLE s.p ("roomId" uuid, n int, PRIMARY KEY ("roomId", n)) PARTITION BY HASH ("roomId")',
      ...[0, 1, 2, 3].map((r) => `CREATE TABLE s.p${r} PARTITION OF s.p FOR VALUES WITH (MODULUS 4, REMAINDER ${r})`),
      "INSERT INTO s.p SELECT md5(i::text)::uuid, i FROM generate_series(0, 999) i",
    ],
    from: ["p1"],
    to: { p1: { modulus: 8, remainder: 1 }, p5: { modulus: 8, remainder: 5 } },
    children: [
      "p0 FOR VALUES WITH (modulus 4, remainder 0)",
      "p1 FOR VALUES WITH (modulus 8, remainder 1)",
      "p2 FOR VALUES WITH (modulus 4, remainder 2)",
      "p3 FOR VALUES WITH (modulus 4, remainder 3)",
      "p5 FOR VALUES WITH (modulus 8, remainder 5)",
    ],
  },
  {
    title: "a HASH bucket by text becomes two",
    tables: [
      "CREATE TABLE s.p (k text PRIMARY KEY) PARTITION BY HASH (k)",
      ...[0, 1].map((r) => `CREATE TABLE s.p${r} PARTITION OF s.p FOR VALUES WITH (MODULUS 2, REMAINDER ${r})`),
      "INSERT INTO s.p SELECT 'k' || i FROM generate_series(0, 999) i",
    ],
    from: ["p0"],
    to: { a: { modulus: 4, remainder: 0 }, b: { modulus: 4, remainder: 2 } },
    children: [
      "a FOR VALUES WITH (modulus 4, remainder 0)",
      "b FOR VALUES WITH (modulus 4, remainder 2)",
      "p1 FOR VALUES WITH (modulus 2, remainder 1)",
    ],
  },
  {
    title: "a LIST value moves to another partition",
    tables: [
      "CREATE TABLE s.p (region text, id int, PRIMARY KEY (region, id)) PARTITION BY LIST (region)",
      "CREATE TABLE s.eu PARTITION OF s.p FOR VALUES IN ('de', 'fr', 'uk')",
      "CREATE TABLE s.am PARTITION OF s.p FOR VALUES IN ('us', 'it''s')",
      "INSERT INTO s.p SELECT (ARRAY['de','fr','uk','us','it''s'])[i % 5 + 1], i FROM generate_series(0, 999) i",
    ],
    from: ["eu", "am"],
    to: { eu: { values: ["de", "fr"] }, am: { values: ["it's", "uk", "us"] } },
    children: ["am FOR VALUES IN ('it''s', 'uk', 'us')", "eu FOR VALUES IN ('de', 'fr')"],
  },
  {
    title: "several key columns, identity, generated and dropped columns, another order in the partition, odd names",
    tables: [
      'CREATE TABLE s.p (gone int, "Id" bigint GENERATED ALWAYS AS IDENTITY, a int NOT NULL, b text NOT NULL,' +
        ' "lowerB" text GENERATED ALWAYS AS (lower(b)) STORED, CHECK (a > -5), UNIQUE (a, b, "Id")) PARTITION BY RANGE (a, b)',
      'CREATE TABLE s."Old" ("lowerB" text GENERATED ALWAYS AS (lower(b)) STORED, b text NOT NULL, a int NOT NULL, "Id" bigint NOT NULL, gone int,' +
        " CONSTRAINT p_a_check CHECK (a > -5))",
      "ALTER TABLE s.p ATTACH PARTITION s.\"Old\" FOR VALUES FROM (0, MINVALUE) TO (100, 'm')",
      "ALTER TABLE s.p DROP COLUMN gone",
      "INSERT INTO s.p (a, b) SELECT i / 10, 'B' || i FROM generate_series(0, 999) i",
    ],
    from: ["Old"],
    to: { 'new "1"': range2(["0", "MINVALUE"], ["50", "B505"]), Old: range2(["50", "B505"], ["100", "m"]) },
    children: [
      "Old FOR VALUES FROM (50, 'B505') TO (100, 'm')",
      "new \"1\" FOR VALUES FROM (0, MINVALUE) TO (50, 'B505')",
    ],
  },
  {
    title: "foreign keys, triggers, policies and a parent that is a partition itself",
    tables: [
      "CREATE TABLE s.ref (r int PRIMARY KEY)",
      "INSERT INTO s.ref SELECT generate_series(0, 9)",
      "CREATE TABLE s.g (t int NOT NULL, k int NOT NULL, r int) PARTITION BY LIST (t)",
      "CREATE TABLE s.p (t int NOT NULL, k int NOT NULL, r int REFERENCES s.ref ON DELETE CASCADE, PRIMARY KEY (k)) PARTITION BY RANGE (k)",
      "ALTER TABLE s.g ATTACH PARTITION s.p FOR VALUES IN (1)",
      "CREATE TABLE s.c PARTITION OF s.p FOR VALUES FROM (0) TO (1000)",
      "INSERT INTO s.p SELECT 1, i, i % 10 FROM generate_series(0, 999) i",
      "CREATE TABLE s.seen (what text)",
      "CREATE FUNCTION s.see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO s.seen VALUES (TG_OP || TG_TABLE_NAME); RETURN NEW; END $$",
      "CREATE TRIGGER aaa BEFORE INSERT OR UPDATE OR DELETE ON s.p FOR EACH ROW EXECUTE FUNCTION s.see()",
      "ALTER TABLE s.p ENABLE ROW LEVEL SECURITY",
      "CREATE POLICY own ON s.p USING (r < 5)",
    ],
    from: ["c"],
    to: { c: range("0", "400"), c2: range("400", "1000") },
    children: ["c FOR VALUES FROM (0) TO (400)", "c2 FOR VALUES FROM (400) TO (1000)"],
  },
];

function range2(from: string[], to: string[]): PartitionBound {
  return { from, to };
}

const METHODS: ReorganizationMethod[] = ["moveInOneTransaction", "copyAndSwap"];

describeOnEachPostgres("rows change partitions", (server) => {
  let database: TestDatabase;
  let client: Client;
  let sessions: Sessions;

  openForEachTest(server, (opened) => {
    ({ database, client, sessions } = opened);
  });
  beforeEach(async () => {
    await client.query("CREATE SCHEMA s");
  });

  for (const { title, tables, from, to, children } of CASES) {
    for (const method of METHODS) {
      it(`${title} (${method})`, async () => {
        await client.query("SET TimeZone = 'UTC'");
        for (const sql of tables) await client.query(sql);
        const before = await contentOf(client, "s.p");
        const step = await reorganizing(sessions, method, from, to);
        const report = await carryOut(sessions, [step]);
        assert.deepEqual([report.done, report.failed], [[step.id], []]);
        assert.deepEqual(await childrenOf(client), children);
        assert.equal(await contentOf(client, "s.p"), before);
        assert.deepEqual(await leftovers(client), []);
        await assertLikeTheParent(client, Object.keys(to), sessions);
        const again = await carryOut(sessions, [step]);
        assert.deepEqual([again.done, again.failed, again.skipped.map(({ reached }) => reached)], [[], [], [true]]);
      });
    }
  }

  it("in one transaction are not seen with a snapshot from before it, which is said beforehand", async () => {
    await client.query("CREATE TABLE s.p (k int PRIMARY KEY) PARTITION BY RANGE (k)");
    await client.query("CREATE TABLE s.a PARTITION OF s.p FOR VALUES FROM (0) TO (100)");
    await client.query("INSERT INTO s.p SELECT generate_series(0, 99)");
    const step = await reorganizing(sessions, "moveInOneTransaction", ["a"], {
      b: range("0", "50"),
      c: range("50", "100"),
    });
    const set = await read(sessions);
    const findings = await sessions.withSession(async (session) =>
      preflight(session, await readServer(session), planOf(step), set),
    );
    const said = findings.filter(({ reason }) => /snapshot is from before .* does not see the rows/.test(reason));
    assert.deepEqual(
      said.map(({ severity }) => severity),
      ["info"],
    );
    const reader = await database.client();
    const counted = async (by: Client) => (await by.query("SELECT count(*)::int AS n FROM s.p")).rows[0].n;
    await reader.query("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM pg_class LIMIT 1");
    assert.deepEqual((await carryOut(sessions, [step])).failed, []);
    assert.deepEqual([await counted(reader), await counted(client)], [0, 100]);
    await reader.query("COMMIT");
    assert.equal(await counted(reader), 100);
  });
});

/** What the parent has, its new partitions have: indexes, foreign keys, triggers, policies; and nobody saw the rows move. */
async function assertLikeTheParent(client: Client, targets: string[], sessions: Sessions): Promise<void> {
  await readParentOf(sessions);
  for (const target of targets) {
    const { rows } = await client.query<{ parent: string; child: string }>(
      `SELECT (SELECT count(*) FROM pg_index WHERE indrelid = 's.p'::regclass)
         || ' ' || (SELECT count(*) FROM pg_constraint WHERE conrelid = 's.p'::regclass AND contype = 'f')
         || ' ' || (SELECT count(*) FROM pg_policy WHERE polrelid = 's.p'::regclass)
         || ' ' || (SELECT count(*) FROM pg_trigger WHERE tgrelid = 's.p'::regclass AND tgname = 'aaa') AS parent,
         (SELECT count(*) FROM pg_index x JOIN pg_inherits i ON i.inhrelid = x.indexrelid WHERE indrelid = c.oid AND indisvalid)
         || ' ' || (SELECT count(*) FROM pg_constraint WHERE conrelid = c.oid AND contype = 'f' AND conparentid <> 0)
         || ' ' || (SELECT count(*) FROM pg_policy WHERE polrelid = c.oid)
         || ' ' || (SELECT count(*) FROM pg_trigger WHERE tgrelid = c.oid AND tgname = 'aaa') AS child
       FROM pg_class c WHERE c.relnamespace = 's'::regnamespace AND c.relname = $1`,
      [target],
    );
    assert.equal(rows[0]?.child, rows[0]?.parent);
  }
  const { rows } = await client.query<{ seen: string | null }>("SELECT to_regclass('s.seen')::text AS seen");
  if (rows[0]?.seen) assert.deepEqual((await client.query("SELECT * FROM s.seen")).rows, []);
}
