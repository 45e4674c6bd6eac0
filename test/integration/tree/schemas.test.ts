/** Partitions in another schema than their table: made, adopted, moved, and refused before anything is done. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import { type Connection, describeOnEachPostgres } from "../../support/postgres";
import { sessionsOn } from "../postgres/support";
import { SetUnderTest } from "./support";

const monthly = (asOf: string, more = {}) => ({
  schema: "app",
  table: "events",
  partitionSchema: "parts",
  partitionBy: { range: { column: "at", type: "date", every: "month" } },
  window: { from: "2026-01", ahead: 1 },
  lifecycle: [
    { after: "1 months", tier: "detached" },
    { after: "3 months", tier: "dropped" },
  ],
  asOf,
  ...more,
});

const divided = { subPartitionBy: { partitionBy: { hash: { columns: ["id"], partitions: 2 } } } };

/** Every table of the two schemas and of `kept`, with the number of its rows; attached ones below their parent. */
async function tablesOf(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ text: string }>(
    `SELECT coalesce(i.inhparent::regclass || ' > ', '') || c.oid::regclass || ' ' ||
       (xpath('/row/n/text()', query_to_xml('SELECT count(*) AS n FROM ' || c.oid::regclass, false, true, '')))[1]::text AS text
     FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
     WHERE c.relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname IN ('app', 'parts', 'kept', 'eu')) AND c.relkind IN ('r', 'p')
     ORDER BY c.relnamespace::regnamespace::text, c.relname`,
  );
  return rows.map(({ text }) => text);
}

describeOnEachPostgres("partitions in another schema", (server) => {
  async function withTable(work: (client: Client, stack: SetUnderTest, connection: Connection) => Promise<void>) {
    const database = await server().createDatabase();
    const sessions = sessionsOn(database.connection);
    try {
      const client = await database.client();
      await client.query(
        `CREATE SCHEMA app; CREATE SCHEMA parts; CREATE SCHEMA kept;
         CREATE TABLE app.events (id int NOT NULL, at date NOT NULL) PARTITION BY RANGE (at)`,
      );
      await work(client, new SetUnderTest(sessions), database.connection);
    } finally {
      await sessions.close();
      await database.drop();
    }
  }

  it("are made there on every level, roll forward and leave", () =>
    withTable(async (client, stack) => {
      await stack.settle(monthly("2026-01", divided));
      await client.query("INSERT INTO app.events SELECT n, '2026-01-15' FROM generate_series(1, 10) n");
      assert.deepEqual(await stack.settle(monthly("2026-03", divided)), [
        "create:events_2026_03",
        "create:events_2026_04",
        "detach:events_2026_01",
      ]);
      assert.deepEqual(await stack.settle(monthly("2026-05", divided)), [
        "create:events_2026_05",
        "create:events_2026_06",
        "detach:events_2026_02",
        "detach:events_2026_03",
        "drop:events_2026_01",
      ]);
      assert.deepEqual(
        (await tablesOf(client)).filter((text) => !/_p\d /.test(text)),
        [
          "app.events 0",
          "parts.events_2026_02 0",
          "parts.events_2026_03 0",
          "app.events > parts.events_2026_04 0",
          "app.events > parts.events_2026_05 0",
          "app.events > parts.events_2026_06 0",
        ],
      );
      assert.equal((await tablesOf(client)).filter((text) => /parts\.events_2026_\d\d_p\d /.test(text)).length, 10);
    }));

  it("take no rights from the defaults of that schema", () =>
    withTable(async (client, stack) => {
      await client.query("ALTER DEFAULT PRIVILEGES IN SCHEMA parts GRANT SELECT ON TABLES TO PUBLIC");
      await stack.settle(monthly("2026-01"));
      const { rows } = await client.query(
        `SELECT count(*)::int AS n FROM pg_class c, aclexplode(c.relacl) g
         WHERE c.relnamespace = 'parts'::regnamespace AND g.grantee <> c.relowner`,
      );
      assert.deepEqual(rows, [{ n: 0 }]);
    }));

  it("are adopted where they are, by one declaration that does nothing", () =>
    withTable(async (client, stack) => {
      await client.query(
        `CREATE TABLE parts.events_2026_01 PARTITION OF app.events FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
         CREATE TABLE kept.events_2026_02 PARTITION OF app.events FOR VALUES FROM ('2026-02-01') TO ('2026-03-01')`,
      );
      const kept = { events_2026_02: { from: "2026-02-01", to: "2026-03-01", schema: "kept" } };
      const { findings, done } = await stack.up(monthly("2026-01", { partitionSchema: undefined }));
      assert.deepEqual(done, []);
      assert.equal(findings.length, 2);
      assert.match(
        findings.join(),
        /held by parts\.events_2026_01, in another schema than app\.events\. .*partitionSchema: "parts"/,
      );
      assert.deepEqual(await stack.settle(monthly("2026-01", { partitions: kept })), []);
    }));

  it("move where they are declared, with their rows, and back", () =>
    withTable(async (client, stack) => {
      await stack.settle(monthly("2026-01", { partitionSchema: undefined, ...divided }));
      await client.query("INSERT INTO app.events SELECT n, '2026-01-15' FROM generate_series(1, 10) n");
      const before = await client.query("SELECT id FROM app.events ORDER BY id");
      const raw = monthly("2026-01", divided);
      assert.ok(stack.diff(raw).includes("add partitions.events_2026_01.schema"));
      const { steps } = await stack.preview(raw);
      assert.deepEqual(steps[0]?.reason, "is in app, declared in parts");
      assert.deepEqual([...(await stack.settle(raw))].sort(), [
        "rename:events_2026_01",
        "rename:events_2026_01_p0",
        "rename:events_2026_01_p1",
        "rename:events_2026_02",
        "rename:events_2026_02_p0",
        "rename:events_2026_02_p1",
      ]);
      assert.deepEqual((await client.query("SELECT id FROM app.events ORDER BY id")).rows, before.rows);
      assert.equal((await tablesOf(client)).filter((text) => text.includes("> parts.")).length, 6);
      const kept = { events_2026_01: { from: "2026-01-01", to: "2026-02-01", schema: "kept" } };
      await stack.settle(monthly("2026-01", { partitions: kept, ...divided }));
      assert.equal((await tablesOf(client)).filter((text) => text.includes("> kept.")).length, 3);
      await stack.settle(monthly("2026-01", { partitionSchema: undefined, ...divided }));
      assert.equal((await tablesOf(client)).filter((text) => text.includes("> app.")).length, 6);
    }));

  it("are those of their level, where it says one, and of the entry above, where that does", () =>
    withTable(async (client, stack) => {
      await client.query("DROP TABLE app.events; CREATE SCHEMA eu");
      await client.query("CREATE TABLE app.events (id int NOT NULL, at date NOT NULL) PARTITION BY LIST (id)");
      const level = (asOf: string, more = {}) => ({
        schema: "app",
        table: "events",
        partitionBy: { list: { column: "id", type: "integer" } },
        partitions: { one: { values: [1] }, two: { values: [2], schema: "eu" } },
        asOf,
        subPartitionBy: {
          partitionBy: { range: { column: "at", type: "date", every: "month" } },
          window: { from: "2026-01", ahead: 0 },
          lifecycle: [
            { after: "1 months", tier: "detached" },
            { after: "2 months", tier: "dropped" },
          ],
          partitionSchema: "parts",
          ...more,
        },
      });
      await stack.settle(level("2026-01"));
      assert.deepEqual(await tablesOf(client), [
        "app.events 0",
        "app.events > app.one 0",
        "app.events > eu.two 0",
        "eu.two > eu.two_2026_01 0",
        "app.one > parts.one_2026_01 0",
      ]);
      await client.query("INSERT INTO app.events VALUES (1, '2026-01-05'), (2, '2026-01-06')");
      await stack.settle(level("2026-01", { partitionSchema: "kept" }));
      await stack.settle(level("2026-03", { partitionSchema: "kept" }));
      await stack.settle(level("2026-06", { partitionSchema: "kept" }));
      const left = (await tablesOf(client)).filter((text) => text.startsWith("app.one") || text.startsWith("eu.two"));
      assert.deepEqual(
        left.filter((text) => /2026_06/.test(text)),
        ["eu.two > eu.two_2026_06 0", "app.one > kept.one_2026_06 0"],
      );
      assert.deepEqual(
        (await tablesOf(client)).filter((text) => /2026_01/.test(text)),
        [],
      );
    }));

  it("are split and merged there", () =>
    withTable(async (client, stack) => {
      await stack.settle(monthly("2026-01", { lifecycle: [] }));
      await client.query("INSERT INTO app.events SELECT n, '2026-01-01'::date + n FROM generate_series(0, 30) n");
      const halves = {
        partitionBy: { range: { column: "at", type: "date" } },
        window: undefined,
        asOf: undefined,
        lifecycle: undefined,
        partitions: {
          events_a: { from: "2026-01-01", to: "2026-01-16" },
          events_b: { from: "2026-01-16", to: "2026-03-01" },
        },
      };
      await stack.settle(monthly("2026-01", halves));
      assert.deepEqual(await tablesOf(client), [
        "app.events 31",
        "app.events > parts.events_a 15",
        "app.events > parts.events_b 16",
      ]);
    }));

  it("are refused before anything is done when the schema is not there, or not to be used", () =>
    withTable(async (client, stack, connection) => {
      const told = async (one: SetUnderTest, schema: string) => {
        const { findings } = await one.preview(monthly("2026-01", { partitionSchema: schema }));
        return findings.map(({ severity, reason }) => `${severity} ${reason}`).sort();
      };
      assert.deepEqual(await told(stack, "nowhere"), [
        "error Schema nowhere does not exist. Make it first: CREATE SCHEMA nowhere AUTHORIZATION postgres.",
      ]);
      const role = `owner_${connection.database}`;
      await client.query(
        `CREATE ROLE ${role} LOGIN PASSWORD 'x'; GRANT ALL ON SCHEMA app TO ${role}; ALTER TABLE app.events OWNER TO ${role}`,
      );
      const sessions = sessionsOn({ ...connection, user: role, password: "x" });
      try {
        assert.deepEqual(await told(new SetUnderTest(sessions), "parts"), [
          `error ${role} may not create tables in schema parts: GRANT CREATE ON SCHEMA parts TO ${role}.`,
          `error ${role} may not look up tables in schema parts: GRANT USAGE ON SCHEMA parts TO ${role}.`,
        ]);
        await client.query(`GRANT ALL ON SCHEMA parts TO ${role}`);
        assert.deepEqual(await told(new SetUnderTest(sessions), "parts"), []);
      } finally {
        await sessions.close();
        await client.query(`DROP OWNED BY ${role} CASCADE; DROP ROLE ${role}`);
      }
    }));
});
