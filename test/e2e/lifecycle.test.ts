/** The life of a set through the real engine: made, unchanged, refreshed, rolled forward, emptied, destroyed. */
import assert from "node:assert/strict";
import { describeOnEachPostgres, type TestDatabase } from "../support/postgres";
import { TestStack } from "../support/stack";

const COLUMNS = `[
  { name: "id", type: "bigint", nullable: false },
  { name: "created_at", type: "timestamptz", nullable: false },
  { name: "payload", type: "text" },
]`;

/** 36 months and DEFAULT at 2026-11; `lifecycle` and `asOf` are what the tests move. */
const program = (asOf: string, lifecycle = "[]") => `
new pgp.PartitionedTable("events", {
  columns: ${COLUMNS},
  primaryKey: ["id", "created_at"],
  indexes: [{ name: "events_created_at", columns: ["created_at"] }],
  partitionBy: { range: { column: "created_at", every: "month" } },
  window: { from: "2024-03", ahead: 3 },
  asOf: "${asOf}",
  lifecycle: ${lifecycle},
  defaultPartition: true,
}, { provider });
`;

const PARTITIONS = `
  SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
  WHERE i.inhparent = 'public.events'::regclass ORDER BY 1`;

describeOnEachPostgres("a set of 36 months and DEFAULT", (server) => {
  let database: TestDatabase;
  let stack: TestStack;

  before(async () => {
    database = await server().createDatabase();
    stack = await TestStack.create({ database: database.connection, program: program("2026-11") });
  });

  after(async () => {
    await stack?.remove();
    await database?.drop();
  });

  const names = async (): Promise<string[]> => {
    const client = await database.client();
    const { rows } = await client.query<{ name: string }>(PARTITIONS);
    await client.end();
    return rows.map(({ name }) => name);
  };

  it("is shown partition by partition, with SQL and locks, before anything is made", async () => {
    const { code, output } = await stack.previewText();
    assert.equal(code, 0, output);
    assert.match(output, /37 to create/);
    assert.match(output, /CREATE TABLE "public"\."events_2024_03" PARTITION OF "public"\."events"/);
    assert.match(output, /ACCESS EXCLUSIVE on "public"\."events"/);
    const client = await database.client();
    const { rows } = await client.query("SELECT to_regclass('public.events') AS found");
    assert.equal(rows[0].found, null);
  });

  it("is made by up; then there is nothing to preview and nothing to refresh", async () => {
    const up = await stack.mustUp();
    assert.match(up.output, /pgpartition:index:Partition/);
    const made = await names();
    assert.equal(made.length, 37);
    assert.equal(made[0], "events_2024_03");
    assert.ok(made.includes("events_2027_02") && made.includes("events_default"));

    const second = await stack.run(["preview", "--expect-no-changes"]);
    assert.equal(second.code, 0, second.output);
    const refresh = await stack.run(["refresh", "--yes", "--expect-no-changes"]);
    assert.equal(refresh.code, 0, refresh.output);
  });

  it("rolls forward by exactly one month: one partition more, one tier changed, and up sends what was shown", async () => {
    const client = await database.client();
    await client.query(
      "INSERT INTO events SELECT g, timestamptz '2024-03-01Z' + g * interval '1 day', 'x' FROM generate_series(0, 900) g",
    );
    // 24 months before 2026-11-01 is 2024-11-01: the months before it are old already, so the first of them go now.
    const lifecycle = '[{ after: "30 months", tier: "detached" }]';
    await stack.setProgram(program("2026-11", lifecycle));
    await stack.mustUp();
    await stack.setProgram(program("2026-12", lifecycle));

    const preview = await stack.preview();
    assert.equal(preview.code, 0, preview.output);
    const changes = preview.steps
      .filter(({ op }) => op !== "same")
      .map(({ op, urn }) => `${op} ${urn.split("$").at(-1)}`)
      .sort();
    assert.deepEqual(changes, [
      "create pgpartition:index:Partition::events_2027_03",
      "update pgpartition:index:Partition::events_2024_05",
      "update pgpartition:index:PartitionSet::events",
    ]);
    const set = preview.steps.find(({ urn }) => urn.includes("$pgpartition:index:PartitionSet::"));
    assert.deepEqual(Object.keys(set?.detailedDiff ?? {}).sort(), [
      "asOf",
      "partitions.events_2024_05.tier",
      "partitions.events_2027_03",
    ]);

    const shown = (await stack.previewText()).output;
    const before = await names();
    await database.logStatements();
    await stack.mustUp();
    const changing = (await database.statements()).filter((sql) =>
      /^\s*(CREATE|ALTER|DROP|LOCK|COMMENT|GRANT)\b/i.test(sql),
    );
    assert.ok(changing.length >= 2, changing.join("\n"));
    for (const sql of changing) {
      assert.ok(shown.includes(sql.split("\n")[0] as string), `not shown in the preview: ${sql}`);
    }
    const after = await names();
    assert.deepEqual(
      after.filter((name) => !before.includes(name)),
      ["events_2027_03"],
    );
    assert.deepEqual(
      before.filter((name) => !after.includes(name)),
      ["events_2024_05"],
    );
    const kept = await client.query("SELECT count(*)::int AS rows FROM events_2024_05");
    assert.equal(kept.rows[0].rows, 31);
    const second = await stack.run(["preview", "--expect-no-changes"]);
    assert.equal(second.code, 0, second.output);
  });

  it("is not destroyed while it holds rows, and leaves nothing behind once it is empty", async () => {
    const refused = await stack.destroy();
    assert.notEqual(refused.code, 0);
    assert.match(refused.output, /hold rows/);
    assert.equal((await names()).length, 35);

    const client = await database.client();
    await client.query("TRUNCATE events, events_2024_03, events_2024_04, events_2024_05");
    const destroyed = await stack.destroy();
    assert.equal(destroyed.code, 0, destroyed.output);
    const left = await client.query("SELECT relname FROM pg_class WHERE relname LIKE 'events%'");
    assert.deepEqual(left.rows, []);
  });
});
