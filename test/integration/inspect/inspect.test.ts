/** `pgpartition inspect` of tables made by hand and by other tools: what it prints changes nothing when it is applied. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import { describeOnEachPostgres, type TestDatabase } from "../../support/postgres";
import { expectNothingToDo, inspect, type Printed, printed, type Raw, stepsFor } from "./support";

/** One table. The statements are run as they are; `has` are parts of what is printed for the set. */
interface Case {
  title: string;
  table: string;
  sql: string;
  has: Raw;
  /** What a note says. */
  notes?: RegExp;
}

const months = (table: string, names: string[], borders: string[]) =>
  names
    .map(
      (name, at) =>
        `CREATE TABLE ${name} PARTITION OF ${table} FOR VALUES FROM ('${borders[at]}') TO ('${borders[at + 1]}');`,
    )
    .join("\n");

const MONTHS = ["2020-01-01", "2020-02-01", "2020-03-01", "2020-04-01"];

const CASES: Case[] = [
  {
    title: "months made by hand, with keys, constraints, indexes, comments and a DEFAULT",
    table: "events",
    sql: `CREATE TYPE mood AS ENUM ('fine', 'so-so');
      CREATE TABLE users (id bigint PRIMARY KEY);
      CREATE TABLE events (id bigint GENERATED ALWAYS AS IDENTITY, user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
        at timestamptz(3) NOT NULL DEFAULT now(), mood mood DEFAULT 'fine', name varchar(20) COLLATE "C", price numeric(10,2)
        CHECK (price > 0), twice numeric GENERATED ALWAYS AS (price * 2) STORED, number serial, UNIQUE (at, user_id),
        PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
      CREATE INDEX events_name ON events (lower(name), at DESC) WHERE name IS NOT NULL;
      CREATE INDEX events_hash ON events USING hash (user_id);
      COMMENT ON TABLE events IS 'what happened';
      COMMENT ON COLUMN events.at IS 'when';
      ALTER TABLE events ALTER at SET STATISTICS 500;
      ${months("events", ["events_2020_01", "events_2020_02", "events_2020_03"], MONTHS)}
      CREATE TABLE events_default PARTITION OF events DEFAULT;`,
    has: {
      partitionBy: { range: { column: "at", type: "timestamptz", every: "month" } },
      window: { from: "2020-01", ahead: 0 },
      asOf: "2020-03",
      defaultPartition: true,
    },
    notes: /ends before the present/,
  },
  {
    title: "years, then months, then a hole",
    table: "mixed",
    sql: `CREATE TABLE mixed (at date NOT NULL) PARTITION BY RANGE (at);
      CREATE TABLE mixed_old PARTITION OF mixed FOR VALUES FROM (MINVALUE) TO ('2015-01-01');
      ${months("mixed", ["mixed_2017", "mixed_2018"], ["2017-01-01", "2018-01-01", "2019-01-01"])}
      ${months("mixed", ["mixed_2019_01", "mixed_2019_02"], ["2019-01-01", "2019-02-01", "2019-03-01"])}
      ${months("mixed", ["mixed_2020_01", "mixed_2020_02", "mixed_2020_03"], MONTHS)}
      CREATE TABLE mixed_rest PARTITION OF mixed FOR VALUES FROM ('2030-01-01') TO (MAXVALUE);`,
    has: { window: { from: "2020-01", ahead: 0 } },
  },
  {
    title: "children in a schema of their own (GitLab's way), one of them in the parent's",
    table: "audit",
    sql: `CREATE SCHEMA gitlab_partitions_dynamic;
      CREATE TABLE audit (id bigint, created_at timestamp NOT NULL) PARTITION BY RANGE (created_at);
      CREATE TABLE gitlab_partitions_dynamic.audit_000000 PARTITION OF audit FOR VALUES FROM (MINVALUE) TO ('2020-01-01');
      CREATE TABLE gitlab_partitions_dynamic.audit_202001 PARTITION OF audit FOR VALUES FROM ('2020-01-01') TO ('2020-02-01');
      CREATE TABLE audit_202002 PARTITION OF audit FOR VALUES FROM ('2020-02-01') TO ('2020-03-01');`,
    has: {
      naming: "{table}_{yyyy}{mm}",
      partitionSchema: "gitlab_partitions_dynamic",
      partitions: {
        audit_000000: { from: "MINVALUE", to: "2020-01-01 00:00:00" },
        audit_202002: { from: "2020-02-01 00:00:00", to: "2020-03-01 00:00:00", schema: "public" },
      },
    },
  },
  {
    title: "tenants with months each, one of them with a partition of its own",
    table: "tenants",
    sql: `CREATE TABLE tenants (tenant text NOT NULL, at date NOT NULL) PARTITION BY LIST (tenant);
      ${["a", "b", "c"]
        .map(
          (
            name,
          ) => `CREATE TABLE tenants_${name} PARTITION OF tenants FOR VALUES IN ('${name}') PARTITION BY RANGE (at);
          ${months(`tenants_${name}`, [`tenants_${name}_2020_01`, `tenants_${name}_2020_02`], MONTHS)}`,
        )
        .join("\n")}
      CREATE TABLE tenants_c_before PARTITION OF tenants_c FOR VALUES FROM (MINVALUE) TO ('2020-01-01');`,
    has: {
      partitionBy: { list: { column: "tenant", type: "text", values: { a: ["a"], b: ["b"], c: ["c"] } } },
      partitions: {
        tenants_c: { values: ["c"], partitions: { tenants_c_before: { from: "MINVALUE", to: "2020-01-01" } } },
      },
    },
  },
  {
    title: "uuid v7",
    table: "messages",
    sql: `CREATE TABLE messages (id uuid PRIMARY KEY) PARTITION BY RANGE (id);
      CREATE TABLE messages_2026_02 PARTITION OF messages
        FOR VALUES FROM ('019c167f-cc00-0000-0000-000000000000') TO ('019ca6b1-dc00-0000-0000-000000000000');`,
    has: { partitionBy: { range: { column: "id", type: "uuid", every: "month" } }, asOf: "2026-02" },
  },
  {
    title: "counted milliseconds, and days of a zone that is not the database's",
    table: "ticks",
    sql: `CREATE TABLE ticks (ms bigint NOT NULL) PARTITION BY RANGE (ms);
      ${[15, 16, 17]
        .map((day) => {
          const [from, to] = [day, day + 1].map((one) => Date.parse(`2020-07-${one}T04:00:00Z`));
          return `CREATE TABLE ticks_p202007${day} PARTITION OF ticks FOR VALUES FROM (${from}) TO (${to});`;
        })
        .join("\n")}`,
    has: {
      partitionBy: {
        range: { column: "ms", type: "bigint", every: "day", epoch: "milliseconds", timezone: "America/New_York" },
      },
      naming: "pg_partman5",
    },
    notes: /midnights of America\/New_York, and of/,
  },
  {
    title: "ranges over several columns, with names and a schema that need quotes",
    table: '"Odd.schema"."Two Columns"',
    sql: `CREATE SCHEMA "Odd.schema";
      CREATE TABLE "Odd.schema"."Two Columns" ("A" int, "b""c" text) PARTITION BY RANGE ("A", "b""c");
      CREATE TABLE "Odd.schema"."Two $\{x}" PARTITION OF "Odd.schema"."Two Columns"
        FOR VALUES FROM (1, MINVALUE) TO (5, 'it''s');`,
    has: {
      schema: "Odd.schema",
      partitions: { "Two ${x}": { from: [1, "MINVALUE"], to: [5, "it's"] } },
    },
  },
  {
    title: "partitions that differ from their parent",
    table: "owned",
    sql: `CREATE ROLE somebody_else;
      CREATE TABLE owned (n int NOT NULL) PARTITION BY RANGE (n);
      CREATE TABLE owned_0 PARTITION OF owned FOR VALUES FROM (0) TO (10) WITH (fillfactor = 70);
      CREATE TABLE owned_10 PARTITION OF owned FOR VALUES FROM (10) TO (20);
      ALTER TABLE owned_0 OWNER TO somebody_else;
      GRANT SELECT ON owned_10 TO somebody_else;`,
    has: { children: { grants: "report", owner: "report" } },
    notes: /differ from their parent in grants, owner/,
  },
  {
    title: "months of lists of buckets, in a schema of their own but for one list and what is in it",
    table: "deep",
    sql: `CREATE SCHEMA parts; CREATE SCHEMA archive;
      CREATE TABLE deep (at date NOT NULL, region text, id int NOT NULL) PARTITION BY RANGE (at);
      ${["2020_01", "2020_02", "2020_03"]
        .map((month, at) => {
          const list = (region: string, values: string, schema = "parts") => {
            const name = `${schema}.deep_${month}_${region}`;
            const bucket = (n: number) =>
              `CREATE TABLE ${name}_p${n} PARTITION OF ${name} FOR VALUES WITH (MODULUS 2, REMAINDER ${n});`;
            return `CREATE TABLE ${name} PARTITION OF parts.deep_${month} FOR VALUES IN (${values}) PARTITION BY HASH (id);
              ${bucket(0)} ${bucket(1)}`;
          };
          return `CREATE TABLE parts.deep_${month} PARTITION OF deep FOR VALUES FROM ('${MONTHS[at]}') TO ('${MONTHS[at + 1]}')
              PARTITION BY LIST (region);
            ${list("eu", "'de', 'fr'")}
            ${list("rest", "'us', NULL", at === 0 ? "archive" : "parts")}`;
        })
        .join("\n")}`,
    has: {
      partitionSchema: "parts",
      partitionBy: { range: { column: "at", type: "date", every: "month" } },
      subPartitionBy: {
        partitionBy: { list: { column: "region", type: "text", values: { eu: ["de", "fr"], rest: ["us", null] } } },
        subPartitionBy: { partitionBy: { hash: { columns: ["id"], partitions: 2 } } },
      },
      partitions: {
        deep_2020_01: {
          from: "2020-01-01",
          to: "2020-02-01",
          partitions: { deep_2020_01_rest: { values: ["us", null], schema: "archive" } },
        },
      },
    },
  },
  {
    title: "sub-partition sets laid out as by pg_partman 4, numbers below years",
    table: "partman",
    sql: `CREATE TABLE partman (id bigint NOT NULL, at timestamptz NOT NULL) PARTITION BY RANGE (at);
      CREATE TABLE partman_default PARTITION OF partman DEFAULT;
      ${[2019, 2020, 2021]
        .map((year) => {
          const name = `partman_p${year}`;
          const inside = [0, 1000].map(
            (id) => `CREATE TABLE ${name}_p${id} PARTITION OF ${name} FOR VALUES FROM (${id}) TO (${id + 1000});`,
          );
          return `CREATE TABLE ${name} PARTITION OF partman FOR VALUES FROM ('${year}-01-01Z') TO ('${year + 1}-01-01Z')
              PARTITION BY RANGE (id);
            CREATE TABLE ${name}_default PARTITION OF ${name} DEFAULT; ${inside.join(" ")}`;
        })
        .join("\n")}`,
    has: {
      partitionBy: { range: { column: "at", type: "timestamptz", every: "year" } },
      naming: "pg_partman4",
      defaultPartition: true,
      partitions: undefined,
    },
  },
  {
    title: "sub-partition sets laid out as by pg_partman 4, days below months of the same column",
    table: "daily",
    sql: `CREATE TABLE daily (at timestamptz NOT NULL) PARTITION BY RANGE (at);
      CREATE TABLE daily_default PARTITION OF daily DEFAULT;
      ${["2020_01", "2020_02"]
        .map((month, at) => {
          const [name, first] = [`daily_p${month}`, MONTHS[at]?.slice(0, 8)];
          const inside = ["01", "02"].map(
            (day, n) =>
              `CREATE TABLE ${name}_p${month}_${day} PARTITION OF ${name} FOR VALUES FROM ('${first}${day}Z') TO ('${first}0${n + 2}Z');`,
          );
          return `CREATE TABLE ${name} PARTITION OF daily FOR VALUES FROM ('${MONTHS[at]}Z') TO ('${MONTHS[at + 1]}Z')
              PARTITION BY RANGE (at);
            CREATE TABLE ${name}_default PARTITION OF ${name} DEFAULT; ${inside.join(" ")}`;
        })
        .join("\n")}`,
    has: { partitionBy: { range: { column: "at", type: "timestamptz", every: "month" } }, naming: "pg_partman4" },
  },
  {
    title: "buckets",
    table: "buckets",
    sql: `CREATE TABLE buckets (id bigint) PARTITION BY HASH (id);
      ${[0, 1, 2].map((n) => `CREATE TABLE buckets_${n} PARTITION OF buckets FOR VALUES WITH (MODULUS 3, REMAINDER ${n});`).join("\n")}`,
    has: { partitionBy: { hash: { columns: ["id"], partitions: 3 } }, naming: "{table}_{n}" },
  },
  {
    title: "what is beside the declaration: a constraint that no declaration says, a table that was detached",
    table: "beside",
    sql: `CREATE TABLE beside (at date NOT NULL, n int) PARTITION BY RANGE (at);
      ALTER TABLE beside ADD UNIQUE (at) DEFERRABLE;
      ${months("beside", ["beside_2020_01", "beside_2020_02"], MONTHS)}
      CREATE TABLE beside_2019_12 PARTITION OF beside FOR VALUES FROM ('2019-12-01') TO ('2020-01-01');
      ALTER TABLE beside DETACH PARTITION beside_2019_12;`,
    has: { asOf: "2020-02" },
    notes: /public.beside_2019_12 \(rows unknown\)[\s\S]*beside_at_key is left undeclared/,
  },
];

describeOnEachPostgres("pgpartition inspect", (server) => {
  let database: TestDatabase;
  let client: Client;
  before(async () => {
    database = await server().createDatabase();
    client = await database.client();
  });
  after(async () => {
    await database.drop();
    const other = await server().createDatabase();
    await (await other.client()).query("DROP ROLE IF EXISTS somebody_else");
    await other.drop();
  });

  for (const { title, table, sql, has, notes } of CASES)
    it(`describes ${title}`, async () => {
      await client.query(sql);
      const found: Printed = await printed(database.connection, table);
      assert.deepEqual(Object.fromEntries(Object.keys(has).map((key) => [key, found.set[key]])), has);
      assert.match(found.notes, notes ?? /^/);
      assert.ok(found.table, found.notes);
      await expectNothingToDo(database.connection, found);
    });

  it("finishes a pending detach, and says so before", async () => {
    await client.query(`CREATE TABLE halves (at date NOT NULL) PARTITION BY RANGE (at);
      ${months("halves", ["halves_2020_01", "halves_2020_02", "halves_2020_03"], MONTHS)}`);
    const reader = await database.client();
    await reader.query("BEGIN");
    await reader.query("SELECT FROM halves");
    await client.query("SET lock_timeout = 50");
    await assert.rejects(client.query("ALTER TABLE halves DETACH PARTITION halves_2020_01 CONCURRENTLY"), {
      code: "55P03",
    });
    await client.query("SET lock_timeout = 0");
    await reader.query("COMMIT");
    const found = await printed(database.connection, "halves");
    assert.match(found.notes, /public.halves_2020_01 is half detached/);
    assert.deepEqual(found.set.window, { from: "2020-02", ahead: 0 });
    assert.deepEqual(await stepsFor(database.connection, found), ["finalizeDetach:halves_2020_01"]);
    await client.query("ALTER TABLE halves DETACH PARTITION halves_2020_01 FINALIZE");
    await expectNothingToDo(database.connection, found);
  });

  it("says why a key that is an expression cannot be declared", async () => {
    await client.query("CREATE TABLE computed (at timestamp) PARTITION BY RANGE (date(at))");
    const { status, out, err } = await inspect(database.connection, "computed");
    assert.deepEqual([status, out], [1, ""]);
    assert.match(err, /The partition key of computed has an expression/);
  });

  it("leaves the table out when it is asked to", async () => {
    const found = await printed(database.connection, "events", "--no-table");
    assert.equal(found.table, undefined);
    assert.ok((await printed(database.connection, "events", "--table")).table);
  });

  it("says that there is no server", async () => {
    const { status, out, err } = await inspect({ ...database.connection, port: 1 }, "events");
    assert.deepEqual([status, out], [1, ""]);
    assert.match(err, /127\.0\.0\.1|localhost|ECONNREFUSED/);
  });

  it("says what is not there, and what is wrong with the arguments", async () => {
    const missing = await inspect(database.connection, "app.nothing");
    assert.equal(missing.status, 1);
    assert.match(missing.err, /app\.nothing is not a partitioned table/);
    assert.equal((await inspect(database.connection, "a.b.c")).status, 2);
    assert.equal((await inspect(database.connection, "events", "--format", "xml")).status, 2);
  });
});
