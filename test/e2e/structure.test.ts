/** Declared bounds that differ from the real ones, through the real engine: rows change tables, and none is lost. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import { partitionsOf } from "../support/partitions";
import { describeOnOldestAndNewest, type TestDatabase } from "../support/postgres";
import { TestStack } from "../support/stack";

/** What the tests change in each table. */
interface Declaration {
  every: "year" | "quarter" | "month";
  asOf: string;
  lists: string;
  buckets: number;
  naming: string;
}

const FIRST: Declaration = {
  every: "year",
  asOf: "2026-02",
  lists: '{ eu: ["de", "fr"], us: ["us"] }',
  buckets: 4,
  naming: "{table}_{yyyy}_{mm}",
};

const AHEAD = { year: 0, quarter: 3, month: 11 };

const program = ({ every, asOf, lists, buckets, naming }: Declaration) => `
const columns = [{ name: "id", type: "bigint" }, { name: "at", type: "timestamptz" }, { name: "note", type: "text" }];
new pgp.PartitionedTable("years", { columns, primaryKey: ["id", "at"],
  partitionBy: { range: { column: "at", every: "${every}" } },
  window: { from: "2024-01", ahead: ${AHEAD[every]} }, asOf: "2025-01" }, { provider });
new pgp.PartitionedTable("late", { columns, primaryKey: ["id", "at"], defaultPartition: true,
  partitionBy: { range: { column: "at", every: "month" } }, window: { from: "2026-01", ahead: 0 }, asOf: "${asOf}" }, { provider });
new pgp.PartitionedTable("named", { columns, primaryKey: ["id", "at"], naming: "${naming}",
  partitionBy: { range: { column: "at", every: "month" } }, window: { from: "2026-01", ahead: 1 }, asOf: "2026-01" }, { provider });
new pgp.PartitionedTable("orders", { columns: [...columns.slice(0, 1), { name: "country", type: "text" }, ...columns.slice(2)],
  primaryKey: ["id", "country"], partitionBy: { list: { column: "country", values: ${lists} } } }, { provider });
new pgp.PartitionedTable("shards", { columns, primaryKey: ["id"],
  partitionBy: { hash: { columns: ["id"], partitions: ${buckets} } } }, { provider });
`;

const TABLES = ["years", "late", "named", "orders", "shards"];

/** One table is large enough to be copied beside the application. */
const ROWS = `
INSERT INTO years SELECT g, timestamptz '2024-01-01Z' + g * interval '8 minutes', repeat('x', 150) FROM generate_series(1, 60000) g;
INSERT INTO years SELECT g, timestamptz '2025-01-01Z' + g * interval '1 day', 'new' FROM generate_series(0, 364) g;
INSERT INTO late SELECT g, timestamptz '2026-01-01Z' + g * interval '1 day', 'late' FROM generate_series(0, 120) g;
INSERT INTO named SELECT g, timestamptz '2026-01-01Z' + g * interval '1 day', 'named' FROM generate_series(0, 50) g;
INSERT INTO orders SELECT g, (ARRAY['de', 'fr', 'us'])[g % 3 + 1], 'order' FROM generate_series(1, 300) g;
INSERT INTO shards SELECT g, now(), 'shard' FROM generate_series(1, 1000) g;
ANALYZE;`;

/** Statements that change something, as PostgreSQL's log has them. */
const CHANGING = /^\s*(?:CREATE|ALTER|DROP|LOCK|COMMENT|GRANT|INSERT|UPDATE|DELETE|WITH|TRUNCATE)\b/i;

describeOnOldestAndNewest("structural change", (server) => {
  let database: TestDatabase;
  let stack: TestStack;
  let client: Client;
  let content: string | undefined;

  before(async () => {
    database = await server().createDatabase();
    stack = await TestStack.create({ database: database.connection, program: program(FIRST) });
    client = await database.client();
    await stack.mustUp();
    await client.query(ROWS);
    content = await hashes();
  });

  after(async () => {
    await stack?.remove();
    await database?.drop();
  });

  /** Of every row, in one number for each table. */
  const hashes = async () => {
    const parts = TABLES.map(
      (table) => `(SELECT count(*) || ' ' || sum(hashtextextended(t::text, 0)) FROM ${table} t)`,
    );
    const { rows } = await client.query<{ hash: string }>(`SELECT concat_ws(', ', ${parts.join(", ")}) AS hash`);
    return rows[0]?.hash;
  };

  const names = async (table: string) => Object.keys(await partitionsOf(client, table));

  /** Previews, updates, and sees that rows are the same and nothing is left to do; gives back what the preview said. */
  const change = async (more: Partial<Declaration>): Promise<string> => {
    await stack.setProgram(program({ ...FIRST, ...more }));
    const { code, output } = await stack.previewText();
    assert.equal(code, 0, output);
    await stack.mustUp();
    assert.equal(await hashes(), content);
    const second = await stack.run(["preview", "--expect-no-changes"]);
    assert.equal(second.code, 0, second.output);
    return output;
  };

  it("splits years into quarters, moves a LIST value and rows of DEFAULT, doubles the buckets, renames", async () => {
    await database.logStatements();
    const shown = await change({
      every: "quarter",
      asOf: "2026-03",
      lists: '{ eu: ["de"], us: ["fr", "us"] }',
      buckets: 8,
      naming: "{table}_p{yyyy}{mm}",
    });
    assert.match(shown, /public\.years: 8 to create out of 2 others \(≈[\d,]+ rows, [\d.]+ MB\)/);
    assert.match(shown, /splits public\.years_2024 \(2024-01-01 .* into 4; copied while the application goes on/);
    assert.match(shown, /splits public\.years_2025 \(.* into 4; small enough for one transaction/);
    assert.match(shown, /public\.late: 1 to create with rows of late_default \(≈31 rows\)/);
    assert.match(shown, /public\.named: 2 to rename/);
    assert.match(shown, /public\.shards: 8 to create out of 4 others/);
    assert.deepEqual((await names("years")).slice(0, 5), [
      "years_2024_q1",
      "years_2024_q2",
      "years_2024_q3",
      "years_2024_q4",
      "years_2025_q1",
    ]);
    assert.deepEqual(await names("late"), ["late_2026_01", "late_2026_02", "late_2026_03", "late_default"]);
    assert.deepEqual(await names("named"), ["named_p202601", "named_p202602"]);
    assert.equal((await names("shards")).length, 8);
    const { rows } = await client.query("SELECT count(*)::int AS count FROM orders_us WHERE country = 'fr'");
    assert.equal(rows[0].count, 100);
    const sent = (await database.statements()).filter((sql) => CHANGING.test(sql) && !sql.includes("pg_temp"));
    assert.ok(sent.length > 50, String(sent.length));
    const missing = sent.filter((sql) => !shown.includes(sql.split("\n")[0]?.trim() ?? ""));
    assert.deepEqual(missing, []);
  });

  it("splits quarters into months, and merges again what is not wanted any more", async () => {
    const now = { asOf: "2026-03", lists: '{ eu: ["de"], us: ["fr", "us"] }', naming: "{table}_p{yyyy}{mm}" };
    await change({ ...now, every: "month", buckets: 8 });
    assert.equal((await names("years")).length, 24);
    const shown = await change({ ...now, every: "year", buckets: 4 });
    assert.match(shown, /public\.years: 2 to create out of 24 others/);

    assert.deepEqual(await names("years"), ["years_2024", "years_2025"]);
    assert.equal((await names("shards")).length, 4);
  });
});
