/** `pgpartition inspect` of tables that pg_partman has made: 4.7.2 on PostgreSQL 15, 5.5 on 18. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Client } from "pg";
import { ensurePartman } from "../../../tools/partman";
import { type TestDatabase, testMajors, testServer } from "../../support/postgres";
import { expectNothingToDo, printed, type Raw } from "./support";

/** One table by pg_partman, and what is printed for its key. */
interface Case {
  key: string;
  /** Arguments of create_parent. */
  make: string;
  range: Raw;
  naming: string;
  /** Weeks and quarters begin on the day of the run. */
  anchored?: boolean;
}

const AT = { column: "at", type: "timestamptz" };

/** Without `p_premake` four partitions before and after the present. */
const OLD: Record<string, Case> = {
  daily: { key: "at", make: "'native', 'daily'", range: { ...AT, every: "day" }, naming: "pg_partman4" },
  hourly: { key: "at", make: "'native', 'hourly'", range: { ...AT, every: "hour" }, naming: "pg_partman4" },
  weekly: { key: "at", make: "'native', 'weekly'", range: { ...AT, every: "week" }, naming: "pg_partman4" },
  monthly: { key: "at", make: "'native', 'monthly'", range: { ...AT, every: "month" }, naming: "pg_partman4" },
  quarterly: { key: "at", make: "'native', 'quarterly'", range: { ...AT, every: "quarter" }, naming: "pg_partman4" },
  yearly: { key: "at", make: "'native', 'yearly'", range: { ...AT, every: "year" }, naming: "pg_partman4" },
  numbered: {
    key: "id",
    make: "'native', '1000'",
    range: { column: "id", type: "bigint", every: 1000 },
    naming: "{table}_p{from}",
  },
};

const NEW: Record<string, Case> = {
  daily: { key: "at", make: "'1 day'", range: { ...AT, every: "day" }, naming: "pg_partman5" },
  hourly: { key: "at", make: "'1 hour'", range: { ...AT, every: "hour" }, naming: "pg_partman5" },
  weekly: { key: "at", make: "'1 week'", range: { ...AT, every: "week" }, naming: "pg_partman5", anchored: true },
  mondays: {
    key: "at",
    make: "'1 week', p_date_trunc_interval => 'week'",
    range: { ...AT, every: "week" },
    naming: "pg_partman5",
  },
  monthly: { key: "at", make: "'1 month'", range: { ...AT, every: "month" }, naming: "pg_partman5" },
  yearly: { key: "at", make: "'1 year'", range: { ...AT, every: "year" }, naming: "pg_partman5" },
  numbered: {
    key: "id",
    make: "'1000'",
    range: { column: "id", type: "bigint", every: 1000 },
    naming: "{table}_p{from}",
  },
};

/** The files are SQL: outside CREATE EXTENSION their psql lines and the marking of tables to be dumped have no place. */
async function install472(client: Client): Promise<void> {
  const file = join(await ensurePartman(15), "extension", "pg_partman--4.7.2.sql");
  const sql = (await readFile(file, "utf8"))
    .replace(/^\\.*$/gm, "")
    .replace(/^SELECT pg_catalog\.pg_extension_config_dump\(.*$/gm, "")
    .replaceAll("@extschema@", "partman");
  await client.query(sql);
}

async function installNew(client: Client): Promise<void> {
  await client.query(`SET extension_control_path = '$system:${await ensurePartman(18)}'`);
  await client.query("CREATE EXTENSION pg_partman SCHEMA partman");
}

const VERSIONS = [
  { major: 15 as const, title: "4.7.2", install: install472, cases: OLD },
  { major: 18 as const, title: "5", install: installNew, cases: NEW },
].filter(({ major }) => testMajors().includes(major));

for (const { major, title, install, cases } of VERSIONS)
  describe(`pgpartition inspect beside pg_partman ${title} (PostgreSQL ${major})`, () => {
    let database: TestDatabase;
    let client: Client;
    before(async function () {
      this.timeout(0);
      const fetched = await ensurePartman(major).then(
        () => true,
        () => false,
      );
      if (!fetched) {
        process.stderr.write(`pg_partman's package for PostgreSQL ${major} cannot be fetched here\n`);
        this.skip();
      }
      database = await (await testServer(major)).createDatabase();
      client = await database.client();
      await client.query("SET TimeZone = 'UTC'; CREATE SCHEMA partman");
      await install(client);
    });
    after(() => database?.drop());

    for (const [table, { key, make, range, naming, anchored }] of Object.entries(cases))
      it(`describes ${table} partitions`, async () => {
        await client.query(
          `CREATE TABLE public.${table} (id bigint NOT NULL, at timestamptz NOT NULL) PARTITION BY RANGE (${key})`,
        );
        await client.query(`SELECT partman.create_parent('public.${table}', '${key}', ${make})`);
        const found = await printed(database.connection, table);
        const by = (found.set.partitionBy as { range: Raw }).range;
        if (anchored) assert.match(String(by.anchor), /^\d{4}-\d\d-\d\d$/);
        assert.deepEqual(
          { ...by, ...(anchored && { anchor: undefined }) },
          { ...range, ...(anchored && { anchor: undefined }) },
        );
        assert.equal(found.set.naming, naming);
        assert.deepEqual([found.set.defaultPartition, found.set.partitions], [true, undefined]);
        await expectNothingToDo(database.connection, found);
      });

    it("describes sub-partition sets", async function () {
      if (major === 15) this.skip();
      await client.query(
        "CREATE TABLE public.nested (id bigint NOT NULL, at timestamptz NOT NULL) PARTITION BY RANGE (at)",
      );
      await client.query("SELECT partman.create_parent('public.nested', 'at', '1 year', p_premake => 1)");
      await client.query(
        "SELECT partman.create_sub_parent('public.nested', 'id', '1000', p_premake => 1, p_declarative_check => 'yes')",
      );
      const found = await printed(database.connection, "nested");
      assert.deepEqual(found.set.partitionBy, { range: { ...AT, every: "year" } });
      const { partitionBy, naming } = found.set.subPartitionBy as Raw;
      assert.deepEqual(
        [partitionBy, naming],
        [{ range: { column: "id", type: "bigint", every: 1000 } }, "{table}_p{from}"],
      );
      await expectNothingToDo(database.connection, found);
    });
  });
