/** A tree of three levels in a program: what a preview shows of it, how it rolls, drifts, is imported and destroyed. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import { describeOnOldestAndNewest, type TestDatabase } from "../support/postgres";
import { TestStack } from "../support/stack";

const program = (asOf: string, more = "") => `
new pgp.PartitionedTable("events", {
  columns: [
    { name: "id", type: "bigint", nullable: false },
    { name: "at", type: "timestamptz", nullable: false },
    { name: "region", type: "text", nullable: false },
    { name: "body", type: "text" },
  ],
  primaryKey: ["id", "at", "region"],
  partitionBy: { list: { column: "region", values: { eu: ["de", "fr"], us: ["us"] } } },
  defaultPartition: true,
  subPartitionBy: {
    partitionBy: { range: { column: "at", every: "month" } },
    window: { from: "2026-01", ahead: 1 },
    lifecycle: [{ after: "2 months", tier: "dropped" }],
    subPartitionBy: { partitionBy: { hash: { columns: ["id"], partitions: 2 } } },
  },
  asOf: "${asOf}",
  ${more}
}, { provider });`;

describeOnOldestAndNewest("a tree of partitions, through the engine", (server) => {
  let database: TestDatabase;
  let client: Client;
  let stack: TestStack;

  before(async () => {
    database = await server().createDatabase();
    client = await database.client();
    stack = await TestStack.create({ database: database.connection, program: program("2026-01") });
  });
  after(async () => {
    await stack?.remove();
    await database?.drop();
  });

  const noChanges = async () => {
    const { steps, output } = await stack.preview();
    const changing = steps.filter(({ op }) => op !== "same");
    assert.deepEqual(changing, [], output);
  };
  const leaves = async () => {
    const { rows } = await client.query<{ leaves: number }>(
      "SELECT count(*)::int AS leaves FROM pg_partition_tree('public.events') WHERE isleaf",
    );
    return rows[0]?.leaves;
  };

  it("is made at once, with a row for each partition, and the next preview is empty", async () => {
    const first = await stack.previewText();
    assert.equal(first.code, 0, first.output);
    assert.match(
      first.output,
      /create events_eu {2}IN \(de, fr\), RANGE \(at\) with 6 partition\(s\) in it {2}\(declared\)/,
    );
    await stack.mustUp();
    // Two regions of two months of two, and DEFAULT.
    assert.equal(await leaves(), 9);
    await noChanges();
    const { resources } = await stack.exportState();
    const views = resources
      .filter(({ type }) => type === "pgpartition:index:Partition")
      .map(({ urn }) => urn.split("::").at(-1));
    assert.equal(views.length, 15);
    assert.ok(views.includes("events_eu_2026_01_p1"));
  });

  it("rolls each region forward by one subtree, and gives one up with all that is below it", async () => {
    await client.query(
      "INSERT INTO events SELECT i, '2026-01-10Z', r, 'x' FROM generate_series(1, 50) i, unnest(ARRAY['de', 'us', 'other']) r",
    );
    await stack.setProgram(program("2026-04"));
    const { steps, diagnostics, output } = await stack.preview();
    const set = steps.find(({ urn }) => urn.includes("PartitionSet"));
    assert.deepEqual(
      Object.keys(set?.detailedDiff ?? {}).sort(),
      [
        "asOf",
        ...["eu", "us"].flatMap((region) => [
          `partitions.events_${region}.partitions.events_${region}_2026_01.tier`,
          ...["03", "04", "05"].map((month) => `partitions.events_${region}.partitions.events_${region}_2026_${month}`),
        ]),
      ].sort(),
      output,
    );
    const text = diagnostics.map(({ message }) => message).join("\n");
    assert.match(text, /public.events: 18 to create, 2 to drop/);
    assert.match(text, /lock: SHARE UPDATE EXCLUSIVE on "public"."events_eu"/);
    assert.match(text, /detach events_us_2026_01 .*\(after 2 months: dropped\)/);
    await stack.mustUp();
    assert.equal(await leaves(), 17);
    const { rows } = await client.query("SELECT count(*)::int AS n FROM events");
    assert.deepEqual(rows, [{ n: 50 }], "only the rows of the region that has no months are left");
    await noChanges();
  });

  it("shows after a refresh what was dropped by hand on the lowest level, and makes it again", async () => {
    await client.query("DROP TABLE events_us_2026_05_p0");
    await client.query("ALTER TABLE events_eu DETACH PARTITION events_eu_2026_05");
    const refreshed = await stack.refresh();
    assert.equal(refreshed.code, 0, refreshed.output);
    const { steps, output } = await stack.preview();
    const set = steps.find(({ urn }) => urn.includes("PartitionSet"));
    assert.deepEqual(
      Object.keys(set?.detailedDiff ?? {}).sort(),
      [
        "partitions.events_eu.partitions.events_eu_2026_05.tier",
        "partitions.events_us.partitions.events_us_2026_05.partitions.events_us_2026_05_p0",
      ],
      output,
    );
    await stack.mustUp();
    assert.equal(await leaves(), 17);
    await noChanges();
  });

  it("is imported as it is into another stack", async () => {
    const other = await TestStack.create({ database: database.connection, program: "" });
    try {
      const id = `${database.connection.database}/public.events`;
      const args = ["import", "pgpartition:index:PartitionSet", "events", id, "--yes", "--skip-preview"];
      // The language host of this test writes no code; the inputs are those that the import records.
      await other.mustRun([...args, "--generate-code=false"], pgEnvironment(database));
      const { resources } = await other.exportState();
      const set = resources.find(({ type }) => type === "pgpartition:index:PartitionSet");
      assert.deepEqual(Object.keys((set?.outputs?.partitions as object) ?? {}).sort(), [
        "events_default",
        "events_eu",
        "events_us",
      ]);
    } finally {
      await other.remove();
    }
  });

  it("is not destroyed while a leaf holds a row, and then as a whole", async () => {
    const refused = await stack.destroy();
    assert.notEqual(refused.code, 0);
    assert.match(refused.output, /1 partition\(s\) hold rows \("public"."events_default"\)/);
    await client.query("TRUNCATE events");
    const destroyed = await stack.destroy();
    assert.equal(destroyed.code, 0, destroyed.output);
    const { rows } = await client.query(
      "SELECT relname FROM pg_class WHERE relname LIKE 'events%' AND relkind IN ('r', 'p')",
    );
    assert.deepEqual(rows, []);
  });
});

function pgEnvironment({ connection }: TestDatabase): Record<string, string> {
  return {
    PGHOST: connection.host,
    PGPORT: String(connection.port),
    PGUSER: connection.user,
    PGPASSWORD: connection.password,
    PGDATABASE: connection.database,
    PGSSLMODE: "disable",
  };
}
