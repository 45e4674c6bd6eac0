/** The Index resource through the real engine: built on a table with rows, drift, change, rename, import, destroy. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import { describeOnNewest, type TestDatabase } from "../support/postgres";
import { TestStack } from "../support/stack";

describeOnNewest("Index through the engine", (server) => {
  let database: TestDatabase;
  let client: Client;
  let stack: TestStack;

  before(async () => {
    database = await server().createDatabase();
    client = await database.client();
    await client.query(`
        CREATE TABLE events (id int NOT NULL, kind text, at timestamptz) PARTITION BY RANGE (id);
        CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (1000);
        CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM (1000) TO (2000);
        INSERT INTO events SELECT i, 'k' || i % 7, now() FROM generate_series(0, 1999) i`);
    stack = await TestStack.create({ database: database.connection, program: program({ columns: ["kind"] }) });
  });
  after(async () => {
    await stack?.remove();
    await database?.drop();
  });

  const program = (args: object, more = "") =>
    `new pgp.Index("by-kind", ${JSON.stringify({ table: "events", name: "events_kind_idx", ...args })}, { provider${more} });`;

  async function definition(name = "events_kind_idx"): Promise<string | undefined> {
    const { rows } = await client.query<{ def: string }>(
      "SELECT pg_get_indexdef(i.indexrelid) AS def FROM pg_index i WHERE i.indexrelid = to_regclass($1) AND i.indisvalid",
      [name],
    );
    return rows[0]?.def;
  }

  async function noChanges(): Promise<void> {
    const { changeSummary, output } = await stack.preview("--refresh");
    assert.deepEqual(Object.keys(changeSummary), ["same"], output);
  }

  it("is previewed with every statement and its locks, then built", async () => {
    const { output } = await stack.previewText();
    assert.match(output, /2 to build/);
    assert.match(output, /CREATE INDEX "events_kind_idx" ON ONLY "public"\."events" USING "btree" \("kind"\)/);
    assert.match(output, /CREATE INDEX CONCURRENTLY "events_1_kind_idx" ON "public"\."events_1"/);
    assert.match(
      output,
      /lock: SHARE UPDATE EXCLUSIVE on "public"\."events_1", for an index build: blocks neither reads nor writes/,
    );
    await stack.mustUp();
    assert.equal(await definition(), "CREATE INDEX events_kind_idx ON ONLY public.events USING btree (kind)");
    await noChanges();
  });

  it("drift of a part shows after a refresh and is put right", async () => {
    await client.query("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'events_1_kind_idx'::regclass");
    await stack.refresh();
    const { output } = await stack.previewText();
    assert.match(output, /events_1: "not valid"/);
    await stack.mustUp();
    await noChanges();
  });

  it("another definition is built beside the old one and takes its name", async () => {
    await stack.setProgram(program({ columns: ["kind", { column: "id", order: "desc" }], where: "id > 5" }));
    const { output } = await stack.previewText();
    assert.match(output, /put in place events_kind_idx_new_\w+ on events as events_kind_idx/);
    assert.match(output, /ACCESS EXCLUSIVE on "public"\."events", short: blocks reads and writes/);
    await stack.mustUp();
    assert.match((await definition()) ?? "", /\(kind, id DESC\) WHERE \(id > 5\)$/);
    await noChanges();
  });

  it("another name is a rename", async () => {
    await stack.setProgram(
      program({ name: "by_kind", columns: ["kind", { column: "id", order: "desc" }], where: "id > 5" }),
    );
    const { output } = await stack.previewText();
    assert.match(output, /ALTER INDEX "public"\."events_kind_idx" RENAME TO "by_kind"/);
    assert.doesNotMatch(output, /CREATE INDEX/);
    await stack.mustUp();
    assert.notEqual(await definition("by_kind"), undefined);
    await noChanges();
  });

  it("an index that is there is imported by its name", async () => {
    await stack.mustRun(["state", "delete", "--yes", await urn()]);
    const args = { name: "by_kind", columns: ["kind", { column: "id", order: "desc" }], where: "(id > 5)" };
    const id = `${database.connection.database}/public.by_kind`;
    await stack.setProgram(program(args, `, import: "${id}"`));
    await stack.mustUp();
    await stack.setProgram(program(args));
    await noChanges();
  });

  it("what is not unique is reported by partition, and the next run finishes", async () => {
    await stack.setProgram(program({ name: "by_kind", unique: true, columns: ["id", "kind"] }));
    await client.query("INSERT INTO events VALUES (1, 'k1', now())");
    const failed = await stack.up();
    assert.notEqual(failed.code, 0);
    assert.match(failed.output, /build:events_1: could not create unique index/);
    assert.match((await definition("by_kind")) ?? "", /id DESC/);
    await client.query("DELETE FROM events WHERE ctid = (SELECT max(ctid) FROM events WHERE id = 1) AND id = 1");
    await stack.mustUp();
    assert.match(
      (await definition("by_kind")) ?? "",
      /^CREATE UNIQUE INDEX by_kind ON ONLY public.events USING btree \(id, kind\)$/,
    );
    await noChanges();
  });

  it("is dropped with all its parts when it is destroyed", async () => {
    assert.equal((await stack.destroy()).code, 0);
    const { rows } = await client.query("SELECT indexname FROM pg_indexes WHERE schemaname = 'public'");
    assert.deepEqual(rows, []);
  });

  it("comes with a new table in one run", async () => {
    await stack.setProgram(`
        const orders = new pgp.PartitionedTable("orders", {
          columns: [{ name: "id", type: "int" }, { name: "region", type: "text", nullable: false }],
          partitionBy: { list: { column: "region", values: { eu: ["de"], us: ["us"] } } },
        }, { providers: [provider] });
        new pgp.Index("orders-id", { table: orders.table, name: "orders_id_idx", columns: ["id"] }, { provider });`);
    const { output } = await stack.previewText();
    assert.match(output, /public\.orders does not exist yet/);
    await stack.mustUp();
    assert.notEqual(await definition("orders_id_idx"), undefined);
    await noChanges();
  });

  async function urn(): Promise<string> {
    const { resources } = await stack.exportState();
    return resources.find(({ type }) => type === "pgpartition:index:Index")?.urn ?? "";
  }
});
