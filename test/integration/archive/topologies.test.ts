/** Every kind of partition goes into the archive and comes back as it was, beside partitions that stay. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client } from "pg";
import { catalogSnapshot } from "../../support/catalog-snapshot";
import { describeOnEachPostgres, type TestDatabase } from "../../support/postgres";
import { openForEachTest } from "../postgres/opened";
import { SetUnderTest } from "../tree/support";
import { changeRows, keysIn } from "./support";

type Raw = Record<string, unknown>;

interface Kind {
  /** The parent, and what else is there before its partitions. */
  sql: string;
  /** The program, with partitions whose tier changes. */
  program: (tier: string) => Raw;
  rows: string;
  /** What is no table any more while it is archived. */
  gone: string[];
  /** Rows that are still seen meanwhile. */
  left: number;
  schema?: string;
  table?: string;
}

const months = (tier: string, more: Raw = {}): Raw => ({
  table: "events",
  partitionBy: { range: { column: "at", type: "date", every: "month" } },
  window: { from: "2026-01", ahead: 0 },
  asOf: "2026-03",
  ...(tier === "live" ? {} : { lifecycle: [{ after: "1 month", tier }] }),
  ...more,
});

const EVENTS = "CREATE TABLE events (id int NOT NULL, at date NOT NULL, payload text) PARTITION BY RANGE (at)";
const ROWS = "INSERT INTO events SELECT i, '2026-01-01'::date + i % 90, 'row ' || i FROM generate_series(1, 900) AS i";

/** 63 bytes, and everything that has to be quoted somewhere. */
const ODD = `Été "quoted" 'x' 100% a/b\\c;.$(*) ${"_".repeat(27)}`;

const KINDS: Record<string, Kind> = {
  "a range": { sql: EVENTS, program: (tier) => months(tier), rows: ROWS, gone: ["events_2026_01"], left: 590 },
  "a group of a list": {
    sql: "CREATE TABLE events (id int NOT NULL, region text) PARTITION BY LIST (region)",
    program: (tier) => ({
      table: "events",
      partitionBy: { list: { column: "region", type: "text" } },
      partitions: { events_eu: { values: ["de", null, "f'r"], tier }, events_us: { values: ["us"] } },
    }),
    rows: "INSERT INTO events SELECT i, (ARRAY['de', NULL, 'f''r', 'us'])[1 + i % 4] FROM generate_series(1, 400) AS i",
    gone: ["events_eu"],
    left: 100,
  },
  "a bucket of a hash": {
    sql: "CREATE TABLE events (id int NOT NULL, region text) PARTITION BY HASH (region, id)",
    program: (tier) => ({
      table: "events",
      partitionBy: { hash: { columns: ["region", "id"] } },
      partitions: { events_p0: { modulus: 2, remainder: 0, tier }, events_p1: { modulus: 2, remainder: 1 } },
    }),
    rows: "INSERT INTO events SELECT i, 'r' || i FROM generate_series(1, 400) AS i",
    gone: ["events_p0"],
    left: -1,
  },
  "the DEFAULT partition": {
    sql: EVENTS,
    program: (tier) => months("live", { partitions: { events_rest: { default: true, tier } } }),
    rows: `${ROWS}; INSERT INTO events VALUES (-1, '2000-01-01', 'early')`,
    gone: ["events_rest"],
    left: 900,
  },
  "a month beside a DEFAULT partition": {
    sql: EVENTS,
    program: (tier) => months(tier, { defaultPartition: true }),
    rows: `${ROWS}; INSERT INTO events VALUES (-1, '2000-01-01', 'early')`,
    gone: ["events_2026_01"],
    left: 591,
  },
  "a tenant's month": {
    sql: "CREATE TABLE events (id int NOT NULL, at date NOT NULL, tenant text) PARTITION BY LIST (tenant)",
    program: (tier) => {
      const { table, ...month } = months(tier);
      return {
        table,
        partitionBy: { list: { column: "tenant", type: "text", values: { a: ["a"], b: ["b"] } } },
        asOf: "2026-03",
        subPartitionBy: month,
      };
    },
    rows: "INSERT INTO events SELECT i, '2026-01-01'::date + i % 90, chr(97 + i % 2) FROM generate_series(1, 900) AS i",
    gone: ["events_a_2026_01", "events_b_2026_01"],
    left: 590,
  },
  "a tenant with its months": {
    sql: "CREATE TABLE events (id int NOT NULL, at date NOT NULL, tenant text) PARTITION BY LIST (tenant)",
    program: (tier) => {
      const { table, ...month } = months("live");
      return {
        table,
        partitionBy: { list: { column: "tenant", type: "text" } },
        partitions: { events_a: { values: ["a"], tier }, events_b: { values: ["b"] } },
        asOf: "2026-03",
        subPartitionBy: month,
      };
    },
    rows: "INSERT INTO events SELECT i, '2026-01-01'::date + i % 90, chr(97 + i % 2) FROM generate_series(1, 900) AS i",
    gone: ["events_a", "events_a_2026_01", "events_a_2026_03"],
    left: 450,
  },
  "a month with buckets in another schema": {
    sql: `CREATE SCHEMA parts; ${EVENTS}`,
    program: (tier) =>
      months(tier, {
        partitionSchema: "parts",
        subPartitionBy: { partitionBy: { hash: { columns: ["id"], partitions: 2 } } },
      }),
    rows: ROWS,
    gone: ["parts.events_2026_01", "parts.events_2026_01_p0"],
    left: 590,
  },
  "a partition of another schema than the others": {
    sql: `CREATE SCHEMA parts; ${EVENTS}`,
    program: (tier) =>
      months("live", {
        partitions: { events_2026_01: { from: "2026-01-01", to: "2026-02-01", schema: "parts", tier } },
      }),
    rows: ROWS,
    gone: ["parts.events_2026_01"],
    left: 590,
  },
  "names that need every quote": {
    sql: `CREATE SCHEMA "S ""1"""; CREATE TABLE "S ""1""".${quoted(ODD)} ("Id ""x""" int NOT NULL, "a\tt" date NOT NULL)
      PARTITION BY RANGE ("a\tt")`,
    program: (tier) => ({
      schema: 'S "1"',
      table: ODD,
      partitionBy: { range: { column: "a\tt", type: "date" } },
      partitions: {
        [`1${ODD.slice(0, -1)}`]: { from: "2026-01-01", to: "2026-02-01", tier },
        [`2${ODD.slice(0, -1)}`]: { from: "2026-02-01", to: "2027-01-01" },
      },
    }),
    rows: `INSERT INTO "S ""1""".${quoted(ODD)} SELECT i, '2026-01-01'::date + i % 90 FROM generate_series(1, 900) AS i`,
    gone: [`"S ""1""".${quoted(`1${ODD.slice(0, -1)}`)}`],
    left: 590,
    schema: '"S ""1"""',
    table: `"S ""1""".${quoted(ODD)}`,
  },
  "everything that a table may have": {
    sql: `CREATE TYPE mood AS ENUM ('bad', 'good'); CREATE ROLE app_%DB%; CREATE TABLE kinds (kind int PRIMARY KEY);
      INSERT INTO kinds VALUES (0), (1);
      CREATE TABLE events (gone text, id bigint GENERATED ALWAYS AS IDENTITY, at date NOT NULL, n serial, "User" text COLLATE "C"
        DEFAULT 'nobody', mood mood, twice bigint GENERATED ALWAYS AS (n * 2) STORED, kind int REFERENCES kinds,
        CONSTRAINT "positive!" CHECK (n > 0), PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
      ALTER TABLE events DROP COLUMN gone; ALTER TABLE events ALTER "User" SET STORAGE EXTERNAL;
      CREATE INDEX ON events (lower("User")) WHERE n > 5; CREATE UNIQUE INDEX ON events (n, at) INCLUDE (mood);
      CREATE STATISTICS events_stats ON n, "User" FROM events;
      CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW."User" := NEW."User" || ''!''; RETURN NEW; END';
      CREATE TRIGGER touch BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION touch();
      ALTER TABLE events ENABLE ROW LEVEL SECURITY; CREATE POLICY mine ON events USING ("User" = current_user);
      ALTER TABLE events OWNER TO app_%DB%; GRANT SELECT ON events TO PUBLIC; GRANT UPDATE (mood) ON events TO PUBLIC;
      ALTER TABLE events REPLICA IDENTITY FULL; COMMENT ON TABLE events IS 'it''s'; COMMENT ON COLUMN events.n IS 'number';
      CREATE PUBLICATION one FOR TABLE events`,
    program: (tier) =>
      months(tier, {
        children: { comment: "{table}: {bound}" },
        storage: { live: { parameters: { fillfactor: 71 } } },
      }),
    rows: `INSERT INTO events (at, "User", mood, kind) SELECT '2026-01-01'::date + i % 90, 'user ' || i, 'good', i % 2
      FROM generate_series(1, 900) AS i`,
    gone: ["events_2026_01"],
    left: 590,
  },
};

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

describeOnEachPostgres("partitions in the archive", (server) => {
  let database: TestDatabase;
  let client: Client;
  let stack: SetUnderTest;
  let directory: string;

  openForEachTest(server, (opened) => {
    ({ database, client } = opened);
    stack = new SetUnderTest(opened.sessions);
  });
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "archive-test-"));
  });
  afterEach(() => rm(directory, { recursive: true }));

  const exists = async (table: string) =>
    (await client.query("SELECT to_regclass($1) IS NOT NULL AS there", [table])).rows[0].there;

  const content = async (table: string) =>
    (
      await client.query(
        `SELECT count(*)::int AS n, md5(string_agg(e::text, ',' ORDER BY e::text)) AS hash FROM ${table} AS e`,
      )
    ).rows[0] as { n: number; hash: string };

  for (const [title, kind] of Object.entries(KINDS))
    it(`take ${title}, and give it back`, async () => {
      const { schema = "public", table = "events", gone, left } = kind;
      const archive = { store: `file://${directory}` };
      const program = (tier: string) => ({ ...kind.program(tier), archive });
      await client.query(kind.sql.replaceAll("%DB%", database.connection.database));
      await stack.settle(program("live"));
      await changeRows(database, kind.rows);
      const before = [await content(table), await catalogSnapshot(client, schema)];
      await stack.settle(program("exported"));
      assert.deepEqual(await content(table), before[0]);
      await stack.settle(program("archived"));
      const written = await keysIn(directory);
      for (const name of gone) assert.equal(await exists(name), false, name);
      if (left >= 0) assert.equal((await content(table)).n, left);
      await stack.settle(program("live"));
      assert.deepEqual([await content(table), await catalogSnapshot(client, schema)], before);
      await stack.settle(program("archived"));
      const rows = (keys: string[]) => keys.filter((key) => key.endsWith(".zst"));
      assert.deepEqual(rows(await keysIn(directory)), rows(written), "nothing is written again");
    });
});
