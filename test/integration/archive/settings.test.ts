/** Settings of a database that change what its values look like, or what a session may do, change no archive. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client } from "pg";
import { describeOnOldestAndNewest, type TestDatabase } from "../../support/postgres";
import { openForEachTest } from "../postgres/opened";
import { ArchivedLife } from "./life";
import { matrixOf, TYPES_SQL } from "./values";

/** As SQL, with the first version that has them. */
const SETTINGS: Record<string, [value: string, since?: number]> = {
  bytea_output: ["escape"],
  extra_float_digits: ["-15"],
  DateStyle: ["'SQL, DMY'"],
  IntervalStyle: ["sql_standard"],
  TimeZone: ["'Asia/Kathmandu'"],
  timezone_abbreviations: ["'India'"],
  lc_monetary: ["'C.UTF-8'"],
  lc_numeric: ["'C.UTF-8'"],
  xmloption: ["document"],
  xmlbinary: ["hex"],
  array_nulls: ["off"],
  quote_all_identifiers: ["on"],
  standard_conforming_strings: ["off"],
  backslash_quote: ["on"],
  escape_string_warning: ["on"],
  transform_null_equals: ["on"],
  client_encoding: ["LATIN1"],
  search_path: ["nowhere"],
  row_security: ["off"],
  default_toast_compression: ["pglz"],
  default_transaction_isolation: ["serializable"],
  default_transaction_deferrable: ["on"],
  synchronous_commit: ["off"],
  client_min_messages: ["debug1"],
  statement_timeout: ["'1min'"],
  lock_timeout: ["'1ms'"],
  idle_in_transaction_session_timeout: ["'1ms'"],
  idle_session_timeout: ["'1min'"],
  transaction_timeout: ["'1min'", 17],
  plan_cache_mode: ["force_generic_plan"],
  enable_seqscan: ["off"],
  enable_indexscan: ["off"],
  enable_tidscan: ["off"],
  jit_above_cost: ["0"],
  synchronize_seqscans: ["off"],
  session_replication_role: ["replica"],
  check_function_bodies: ["off"],
};

describeOnOldestAndNewest("the archive of a database with settings of its own", (server) => {
  let database: TestDatabase;
  let client: Client;
  let directory: string;

  openForEachTest(server, (opened) => {
    ({ database, client } = opened);
  });
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "archive-test-"));
  });
  afterEach(() => rm(directory, { recursive: true }));

  const set = async (name: string, value: string) => {
    await client.query(`ALTER DATABASE ${database.connection.database} SET ${name} = ${value}`);
  };
  const lifeOf = (archive: object = {}) =>
    new ArchivedLife(database.connection, client, { store: `file://${directory}`, ...archive });

  async function filled(): Promise<void> {
    for (const sql of TYPES_SQL) await client.query(sql);
    const { columns, rows } = matrixOf(server().major);
    await client.query(
      `CREATE TABLE events (id bigint, at timestamptz NOT NULL, ${columns.join(", ")}) PARTITION BY RANGE (at)`,
    );
    await lifeOf().begin();
    for (const [at, { column, value }] of rows.entries())
      await client.query(`INSERT INTO events (id, at, ${column}) VALUES (${at}, '2026-01-15', ${value})`);
  }

  it("is the same as everywhere", async () => {
    await filled();
    for (const [name, [value, since = 14]] of Object.entries(SETTINGS))
      if (since <= server().major) await set(name, value);
    await lifeOf().roundTrip();
  });

  it("is the same when settings change on the way", async () => {
    await filled();
    const life = lifeOf();
    await life.archived();
    for (const [name, [value, since = 14]] of Object.entries(SETTINGS))
      if (since <= server().major) await set(name, value);
    await life.restored();
    await life.roundTrip();
  });

  it("takes nothing out of a database that is to be left as it is", async () => {
    await filled();
    const life = lifeOf();
    await set("default_transaction_read_only", "on");
    await assert.rejects(life.archived(), /default_transaction_read_only is on/);
  });
});
