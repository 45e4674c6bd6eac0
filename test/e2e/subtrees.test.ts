/** Partitions with partitions, through the real engine: they are cut, made one table and divided again under an application. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import { treeOf } from "../integration/tree/support";
import { describeOnNewest, type TestDatabase } from "../support/postgres";
import { TestStack } from "../support/stack";
import { startTraffic } from "../support/traffic";

/** So many that each quarter is copied beside the application. */
const ROWS = 200_000;

const BUCKETS = `subPartitionBy: { partitionBy: { hash: { columns: ["id"], partitions: 2 } } },`;
const REGIONS = `subPartitionBy: {
  partitionBy: { list: { column: "region", values: { eu: ["de", "fr"], us: ["us"] } } },
  subPartitionBy: { partitionBy: { hash: { columns: ["id"], partitions: 2 } } },
},`;

const program = (every: "year" | "quarter", inside: string) => `
new pgp.PartitionedTable("events", {
  columns: [
    { name: "id", type: "bigint" },
    { name: "at", type: "timestamptz" },
    { name: "region", type: "text" },
    { name: "note", type: "text" },
  ],
  primaryKey: ["id", "at", "region"],
  partitionBy: { range: { column: "at", every: "${every}" } },
  window: { from: "2024-01", ahead: 0 },
  asOf: "2024-12",
  ${inside}
}, { provider });`;

/** The instant and the region of a row follow from its id, so that the application finds it. */
const AT = (id: string) => `timestamptz '2024-01-01Z' + ${id} * interval '150 seconds'`;
const REGION = (id: string) => `(ARRAY['de', 'fr', 'us'])[${id} % 3 + 1]`;
const filled = (table: string) => `INSERT INTO ${table}
  SELECT id, ${AT("id")}, ${REGION("id")}, repeat('n', 150) FROM generate_series(0::bigint, ${ROWS - 1}) id`;

/** Every change is made to the table and to its twin by one statement, which fails unless it meets exactly one row of each. */
const changed = (table: string, writer: number) => `
WITH x AS MATERIALIZED (SELECT 2 * floor(random() * ${ROWS / 2})::bigint + ${writer} AS id),
  u AS (UPDATE ${table} t SET note = md5(t.note) || repeat('u', 118) FROM x
    WHERE t.id = x.id AND t.at = ${AT("x.id")} AND t.region = ${REGION("x.id")} RETURNING t.id, t.at, t.region, t.note),
  w AS (UPDATE twin t SET note = u.note FROM u WHERE t.id = u.id AND t.at = u.at AND t.region = u.region RETURNING t.id)
SELECT 1 / (count(*) = 1)::int FROM w`;

const APPLICATION = [
  [changed("events", 0)],
  [changed("events", 1)],
  [
    `WITH n AS (SELECT ${ROWS} + nextval('fresh') AS id),
       i AS (INSERT INTO events SELECT id, ${AT(`(id % ${ROWS})`)}, ${REGION("id")}, 'new' FROM n RETURNING *)
     INSERT INTO twin SELECT * FROM i`,
    `WITH d AS (DELETE FROM events WHERE (id, at, region) IN (SELECT id, at, region FROM twin WHERE id >= ${ROWS} LIMIT 1) RETURNING *)
     DELETE FROM twin t USING d WHERE t.id = d.id AND t.at = d.at AND t.region = d.region`,
  ],
  [`SELECT 1 / (count(*) = ${ROWS})::int FROM events WHERE id < ${ROWS}`],
  [
    "BEGIN ISOLATION LEVEL REPEATABLE READ",
    "SELECT count(*) FROM twin",
    "SELECT 1 / ((SELECT count(*) FROM events) = (SELECT count(*) FROM twin))::int",
    "COMMIT",
  ],
];

describeOnNewest("subtrees that change while an application goes on", (server) => {
  let database: TestDatabase;
  let stack: TestStack;
  let client: Client;

  before(async () => {
    database = await server().createDatabase();
    stack = await TestStack.create({ database: database.connection, program: program("year", BUCKETS) });
    client = await database.client();
    await stack.mustUp();
    await client.query("CREATE TABLE twin (LIKE events, PRIMARY KEY (id, at, region)); CREATE SEQUENCE fresh");
    for (const table of ["events", "twin"]) await client.query(filled(table));
    await client.query("ANALYZE");
  });
  after(async () => {
    await stack?.remove();
    await database?.drop();
  });

  const content = async (table: string) => {
    const { rows } = await client.query(`SELECT count(*), sum(hashtextextended(t::text, 0)) AS hash FROM ${table} t`);
    return rows[0];
  };

  /** Previews, and updates beside the application; nothing of that fails and nothing is left to do. Gives back the preview's text. */
  async function change(next: string): Promise<string> {
    await stack.setProgram(next);
    const { code, output } = await stack.previewText();
    assert.equal(code, 0, output);
    const traffic = await startTraffic(database, APPLICATION, 20_000);
    const updated = await stack.up();
    const { statements, failures } = await traffic.stop();
    assert.equal(updated.code, 0, updated.output);
    assert.deepEqual(failures, []);
    assert.ok(statements > 100, `${statements} statements`);
    assert.deepEqual(await content("events"), await content("twin"));
    const second = await stack.run(["preview", "--expect-no-changes"]);
    assert.equal(second.code, 0, second.output);
    assert.deepEqual(await leftovers(), []);
    return output;
  }

  /** What only a copy in progress should have. */
  const leftovers = async () =>
    (await client.query("SELECT relname FROM pg_class WHERE relname LIKE 'pgpartition%'")).rows;
  const tree = () => treeOf(client, "events");

  it("are cut: a year with buckets becomes quarters with regions of buckets", async () => {
    const shown = await change(program("quarter", REGIONS));
    assert.match(shown, /public\.events: 4 to create by splitting events_2024 \(≈200,000 rows, [\d.]+ MB\)/);
    assert.match(
      shown,
      /splits public\.events_2024 \(.*\) into 4; copied while the application goes on, which takes about/,
    );
    assert.match(shown, /-- copy events_2024_p1, some blocks in each transaction/);
    assert.match(shown, /- events_2024 +: \{/);
    const quarters = await tree();
    assert.equal(quarters.length, 4 * (1 + 2 + 4));
    assert.ok(
      quarters.some((one) => one.startsWith("events_2024_q4_eu > events_2024_q4_eu_p1 ")),
      quarters.join("\n"),
    );
  });

  it("become one table each when the program says nothing of levels any more", async () => {
    const shown = await change(program("quarter", ""));
    assert.match(shown, /public\.events: 4 to make anew \(/);
    const division =
      "public\\.events_2024_q2 is partitioned by LIST \\(region\\), but is declared as an undivided table";
    assert.match(shown, new RegExp(`reorganize events_2024_q2 → events_2024_q2 +\\(${division}; copied while`));
    assert.match(
      shown,
      /LOCK TABLE ONLY "public"\."events", ONLY "public"\."events_2024_q1", ONLY "public"\."events_2024_q1_eu"/,
    );
    assert.match(shown, /- partitionBy: \{/);
    assert.doesNotMatch(shown, /nobody declares/);
    assert.deepEqual(
      (await tree()).map((one) => one.replace(/ FOR .*/, "")),
      [1, 2, 3, 4].map((quarter) => `events > events_2024_q${quarter}`),
    );
  });

  it("are merged and divided at once", async () => {
    const shown = await change(program("year", BUCKETS));
    assert.match(shown, /public\.events: 1 to create by merging 4 others/);
    assert.equal((await tree()).length, 3);
  });
});
