/** A table that others have made goes into an archive, and a stack that has lost its state finds it there again. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client } from "pg";
import { type TestDatabase, testMajors, testServer } from "../support/postgres";
import { TestStack } from "../support/stack";

const TABLE = `
  CREATE TABLE events (id bigint, at timestamptz NOT NULL) PARTITION BY RANGE (at);
  CREATE TABLE events_2026_01 PARTITION OF events FOR VALUES FROM ('2026-01-01Z') TO ('2026-02-01Z');
  CREATE TABLE events_2026_02 PARTITION OF events FOR VALUES FROM ('2026-02-01Z') TO ('2026-03-01Z');
  CREATE TABLE events_2026_03 PARTITION OF events FOR VALUES FROM ('2026-03-01Z') TO ('2026-04-01Z');
  INSERT INTO events SELECT i, '2026-01-01Z'::timestamptz + i * interval '1 hour' FROM generate_series(0, 2100) AS i`;
const CONTENT = "SELECT md5(string_agg(e::text, ',' ORDER BY id)) AS hash FROM events AS e";

describe("a set that was imported", function () {
  this.timeout(0);
  let database: TestDatabase;
  let client: Client;
  let directory: string;
  let stack: TestStack;
  let content: string;

  const program = (from: string, asOf: string, more = "") => `
    new pgp.PartitionSet("events", {
      table: "events",
      partitionBy: { range: { column: "at", type: "timestamptz", every: "month" } },
      window: { from: "${from}", ahead: 0 },
      asOf: "${asOf}",
      archive: { store: "file://${directory}" },
      lifecycle: [{ after: "1 month", tier: "archived" }],
      ${more}
    });`;
  const hash = async () => (await client.query(CONTENT)).rows[0].hash;
  const tiers = async () => {
    const { resources } = await stack.exportState();
    const set = resources.find(({ type }) => type === "pgpartition:index:PartitionSet");
    const partitions = (set?.outputs?.partitions ?? {}) as Record<string, { tier: string }>;
    return Object.fromEntries(Object.entries(partitions).map(([name, { tier }]) => [name, tier]));
  };
  const importSet = async () => {
    const file = join(stack.directory, "import.json");
    const id = `${database.connection.database}/public.events`;
    const resources = [{ type: "pgpartition:index:PartitionSet", name: "events", id }];
    await writeFile(file, JSON.stringify({ resources }));
    // The language host of this test writes no code; the inputs are those that the import records.
    await stack.mustRun([
      "import",
      "--file",
      file,
      "--yes",
      "--skip-preview",
      "--generate-code=false",
      "--protect=false",
    ]);
  };

  before(async () => {
    database = await (await testServer(testMajors().at(-1) ?? 18)).createDatabase();
    client = await database.client();
    await client.query(TABLE);
    content = await hash();
    directory = await mkdtemp(join(tmpdir(), "archive-test-"));
    const { host, port, user, password, database: name } = database.connection;
    const env = { PGHOST: host, PGPORT: String(port), PGUSER: user, PGPASSWORD: password, PGDATABASE: name };
    stack = await TestStack.create({ program: "", env });
    await importSet();
  });
  after(async () => {
    await stack?.remove();
    await database?.drop();
    await rm(directory, { recursive: true, force: true });
  });

  it("has its partitions archived as if it had been made here", async () => {
    await stack.setProgram(program("2026-01", "2026-03"));
    await stack.mustUp();
    assert.deepEqual(await tiers(), { events_2026_01: "archived", events_2026_02: "live", events_2026_03: "live" });
    assert.notEqual(await hash(), content);
  });

  it("and lost with its stack is told what the archive has that the new program leaves out, and may not pin it", async () => {
    await stack.mustRun(["stack", "rm", "test", "--force", "--yes"]);
    await stack.mustRun(["stack", "init", "test"]);
    await importSet();
    await stack.setProgram(program("2026-02", "2026-04"));
    const preview = await stack.previewText();
    assert.equal(preview.code, 0, preview.output);
    assert.match(preview.output, /events_2026_01 \(744 rows, .*neither a table nor declared.*window\.from/);
    await stack.mustUp();
    assert.equal((await stack.previewText()).output.includes("neither a table nor declared"), false);
    await stack.setProgram(program("2026-02", "2026-04", `pins: [{ from: "2026-01", to: "2026-02" }],`));
    const pinned = await stack.previewText();
    assert.notEqual(pinned.code, 0);
    assert.match(pinned.output, /pins\[0\].*ends before the first period of the window/);
  });

  it("and knows it again where it is declared: nothing is made in its place, and a pin brings its rows back", async () => {
    await stack.setProgram(program("2026-01", "2026-04"));
    const preview = await stack.previewText();
    assert.doesNotMatch(preview.output, /CREATE TABLE "public"."events_2026_01"|neither a table nor declared/);
    await stack.mustUp();
    const { events_2026_01, events_2026_02 } = await tiers();
    assert.deepEqual([events_2026_01, events_2026_02], ["archived", "archived"]);
    await stack.setProgram(program("2026-01", "2026-04", `pins: [{ from: "2026-01", to: "2026-03" }],`));
    await stack.mustUp();
    assert.equal(await hash(), content);
    assert.equal((await tiers()).events_2026_01, "live");
  });
});
