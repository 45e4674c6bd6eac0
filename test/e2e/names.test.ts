/** Names that need quoting, and names as long as PostgreSQL keeps them, through a whole life in one stack. */
import assert from "node:assert/strict";
import { describeOnNewest, type TestDatabase } from "../support/postgres";
import { TestStack } from "../support/stack";

/** Fills a name up to the 63 bytes that PostgreSQL keeps. */
const to63Bytes = (text: string): string => {
  const fill = "é".repeat(Math.floor((63 - Buffer.byteLength(text)) / 2));
  return (text + fill).padEnd(text.length + fill.length + ((63 - Buffer.byteLength(text)) % 2), "x");
};

interface Named {
  what: string;
  schema: string;
  table: string;
  /** Key column. */
  column: string;
  /** Template of the partitions' names, and what 2026-09 and 2027-02 are called by it. */
  naming: string;
  oldest: string;
  newest: string;
}

const LONG = { schema: to63Bytes("schema_"), table: to63Bytes("table_"), column: to63Bytes("column_") };
const LONG_NAME = to63Bytes("2026_09_").slice("2026_09_".length);

/** Monthly sets; each has a second column of the same kind of name, an index and a primary key. */
const MONTHLY: Named[] = [
  {
    what: "camelCase",
    schema: "AppData",
    table: "ConversationMessage",
    column: "createdAt",
    naming: "{table}_{yyyy}_{mm}",
    oldest: "ConversationMessage_2026_09",
    newest: "ConversationMessage_2027_02",
  },
  {
    what: "spaces, quotes of both kinds, dots, slashes, backslashes and dollars",
    schema: `it's a "schema".x/y`,
    table: `chat "messages" $1 $$ \\d`,
    column: `created "at" \\ it's`,
    naming: `{table} {yyyy}.{mm}/'"p"[0]`,
    oldest: `chat "messages" $1 $$ \\d 2026.09/'"p"[0]`,
    newest: `chat "messages" $1 $$ \\d 2027.02/'"p"[0]`,
  },
  {
    what: "reserved words",
    schema: "user",
    table: "order",
    column: "from",
    naming: "{table}_{yyyy}_{mm}",
    oldest: "order_2026_09",
    newest: "order_2027_02",
  },
  {
    what: "unicode",
    schema: "Схема данных",
    table: "журнал_событий",
    column: "größe_時刻",
    naming: "{table}_{yyyy}年{mm}月🐘",
    oldest: "журнал_событий_2026年09月🐘",
    newest: "журнал_событий_2027年02月🐘",
  },
  {
    what: "63 bytes",
    ...LONG,
    naming: `{yyyy}_{mm}_${LONG_NAME}`,
    oldest: `2026_09_${LONG_NAME}`,
    newest: `2027_02_${LONG_NAME}`,
  },
];

/** Words of SQL and of JavaScript as names of LIST partitions. */
const WORDS = ["select", "default", "constructor", "toString", "a.b", "two words", 'say "no"'];

const monthly = ({ schema, table, column, naming }: Named, index: number, asOf: string): string => `
new pgp.PartitionedTable("monthly-${index}", ${JSON.stringify({
  schema,
  table,
  columns: [
    { name: "id", type: "bigint" },
    { name: column, type: "timestamptz" },
  ],
  primaryKey: ["id", column],
  indexes: [{ name: `i${table}`.slice(0, 25), columns: [column] }],
  partitionBy: { range: { column, every: "month" } },
  window: { from: "2026-09", ahead: 1 },
  asOf,
  lifecycle: [
    { after: "2 months", tier: "detached" },
    { after: "3 months", tier: "dropped" },
  ],
  naming,
})}, { provider });`;

const LIST = `
new pgp.PartitionedTable("words", ${JSON.stringify({
  schema: "group",
  table: "table",
  columns: [{ name: "select", type: "text" }],
  partitionBy: { list: { column: "select", values: Object.fromEntries(WORDS.map((word) => [word, [word]])) } },
  naming: { partitions: "{value}", default: "Default Partition" },
  defaultPartition: true,
})}, { provider });`;

const program = (asOf: string) => [...MONTHLY.map((named, index) => monthly(named, index, asOf)), LIST].join("\n");

const quote = (name: string) => `"${name.replaceAll('"', '""')}"`;
const relation = (schema: string, name: string) => `${quote(schema)}.${quote(name)}`;

describeOnNewest("names of every kind", (server) => {
  let database: TestDatabase;
  let stack: TestStack;

  before(async () => {
    database = await server().createDatabase();
    const client = await database.client();
    for (const { schema } of [...MONTHLY, { schema: "group" }]) await client.query(`CREATE SCHEMA ${quote(schema)}`);
    stack = await TestStack.create({ database: database.connection, program: program("2026-11") });
  });

  after(async () => {
    await stack?.remove();
    await database?.drop();
  });

  /** Ordinary tables of a schema with their rows; attached ones and others. */
  const tables = async (schema: string): Promise<Record<string, { attached: boolean; rows: number }>> => {
    const client = await database.client();
    const { rows } = await client.query<{ name: string; attached: boolean }>(
      "SELECT relname AS name, relispartition AS attached FROM pg_class WHERE relkind = 'r' AND relnamespace = $1::text::regnamespace ORDER BY 1",
      [quote(schema)],
    );
    const found: Record<string, { attached: boolean; rows: number }> = {};
    for (const { name, attached } of rows) {
      const count = await client.query(`SELECT count(*)::int AS rows FROM ${relation(schema, name)}`);
      found[name] = { attached, rows: count.rows[0].rows };
    }
    return found;
  };

  it("are made as they are written, and rows go where they belong", async () => {
    await stack.mustUp();
    const client = await database.client();
    for (const { what, schema, table, column, oldest } of MONTHLY) {
      await client.query(
        `INSERT INTO ${relation(schema, table)} (id, ${quote(column)}) VALUES (1, '2026-09-15Z'), (2, '2026-10-15Z')`,
      );
      const made = await tables(schema);
      assert.equal(Object.keys(made).length, 4, what);
      assert.deepEqual(made[oldest], { attached: true, rows: 1 }, what);
    }
    await client.query(`INSERT INTO "group"."table" SELECT unnest($1::text[])`, [[...WORDS, "another word"]]);
    const words = await tables("group");
    assert.deepEqual(Object.keys(words).sort(), [...WORDS, "Default Partition"].sort());
    assert.ok(Object.values(words).every(({ rows }) => rows === 1));
  });

  it("are found again: nothing to refresh and nothing to preview", async () => {
    const second = await stack.run(["preview", "--refresh", "--expect-no-changes"]);
    assert.equal(second.code, 0, second.output);
  });

  it("roll forward: two months more, one detached with its rows, one dropped, and nothing else", async () => {
    await stack.setProgram(program("2027-01"));
    const preview = await stack.preview();
    assert.equal(preview.code, 0, preview.output);
    const sets = preview.steps.filter(({ op, urn }) => op === "update" && urn.includes("PartitionSet::"));
    assert.equal(sets.length, MONTHLY.length, preview.output);
    for (const step of sets) {
      assert.equal(Object.keys(step.detailedDiff ?? {}).length, 5, JSON.stringify(step.detailedDiff));
    }
    await stack.mustUp();
    for (const { what, schema, oldest, newest } of MONTHLY) {
      const now = await tables(schema);
      assert.equal(now[oldest], undefined, what);
      assert.deepEqual(now[newest], { attached: true, rows: 0 }, what);
      const detached = Object.values(now).filter(({ attached }) => !attached);
      assert.deepEqual(detached, [{ attached: false, rows: 1 }], what);
      assert.equal(Object.keys(now).length, 5, what);
    }
    const second = await stack.run(["preview", "--refresh", "--expect-no-changes"]);
    assert.equal(second.code, 0, second.output);
  });

  it("are destroyed without a trace once they are empty", async () => {
    const client = await database.client();
    for (const { schema } of [...MONTHLY, { schema: "group" }]) {
      for (const name of Object.keys(await tables(schema))) await client.query(`TRUNCATE ${relation(schema, name)}`);
    }
    const destroyed = await stack.destroy();
    assert.equal(destroyed.code, 0, destroyed.output);
    const left = await client.query(
      "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND oid >= 16384 AND relnamespace <> 'information_schema'::regnamespace",
    );
    assert.deepEqual(left.rows, []);
  });
});
