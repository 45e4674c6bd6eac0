/** Four ways to do one job: two months more ahead, the four oldest away, of a table with a DEFAULT partition. */
import { writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Client } from "pg";
import { bundled } from "../../test/support/bundled";
import type { Connection, TestDatabase } from "../../test/support/postgres";
import type { Program, UpWithoutEngine } from "../../test/support/without-engine";
import { ensurePartman } from "../../tools/partman";
import { ensurePartsmith } from "./rivalTools";

/** A process to start. */
export interface Command {
  program: string;
  args: string[];
}

export interface Rival {
  name: string;
  /** Makes partitions of the months from -8 to 1, counted from this one, beside the empty parent and its DEFAULT. */
  prepare(database: TestDatabase, client: Client): Promise<void>;
  /** What does the job. */
  command(connection: Connection, scratch: string): Promise<Command>;
}

const PARENT =
  "CREATE TABLE events (id bigint NOT NULL, created_at timestamptz NOT NULL, payload text, PRIMARY KEY (id, created_at)) PARTITION BY RANGE (created_at)";
const FIRST = -8;
const LAST = 1;
const WANTED_LAST = 3;
const OLDEST_KEPT = -4;

/** The first day of a month, `2026-11-01`. */
export function monthStart(offset: number): string {
  const now = new Date();
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + offset, 1)).toISOString().slice(0, 10);
}

function offsets(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

const ownName = (offset: number) => `events_${monthStart(offset).slice(0, 7).replace("-", "_")}`;
const partsmithName = (offset: number) => `events__${monthStart(offset).slice(0, 7).replace("-", "_")}`;

const partitionOf = (name: string, offset: number) =>
  `CREATE TABLE ${name} PARTITION OF events FOR VALUES FROM ('${monthStart(offset)}Z') TO ('${monthStart(offset + 1)}Z')`;

async function prepareByHand(client: Client, name: (offset: number) => string): Promise<void> {
  await client.query(PARENT);
  for (const offset of offsets(FIRST, LAST)) await client.query(partitionOf(name(offset), offset));
  await client.query("CREATE TABLE events_default PARTITION OF events DEFAULT");
}

/** The statements that people write. */
const plain: Rival = {
  name: "PARTITION OF, DETACH, DROP",
  prepare: (_, client) => prepareByHand(client, ownName),
  command: async (connection) => {
    const statements = [
      ...offsets(LAST + 1, WANTED_LAST).map((offset) => partitionOf(ownName(offset), offset)),
      ...offsets(FIRST, OLDEST_KEPT - 1).flatMap((offset) => [
        `ALTER TABLE events DETACH PARTITION ${ownName(offset)}`,
        `DROP TABLE ${ownName(offset)}`,
      ]),
    ];
    return runSql(connection, statements);
  },
};

function runSql(connection: Connection, statements: string[]): Command {
  return {
    program: process.execPath,
    args: [join(__dirname, "run-sql.ts"), JSON.stringify(connection), JSON.stringify(statements)],
  };
}

/** As the engine would call it, without the engine. */
const SUPPORT = resolve(__dirname, "../../test/support/without-engine-child.ts");

function program(later: boolean): Program {
  const partitionBy = { range: { column: "created_at", type: "timestamptz", every: "month" } };
  return {
    table: { name: "events", partitionBy },
    set: {
      table: "events",
      partitionBy,
      defaultPartition: true,
      window: { from: monthStart(FIRST).slice(0, 7), ahead: WANTED_LAST },
      asOf: monthStart(later ? 0 : LAST - WANTED_LAST).slice(0, 7),
      ...(later ? { lifecycle: [{ after: "4 months", tier: "dropped" }] } : {}),
    },
  };
}

function own(): Rival {
  let state: unknown;
  return {
    name: "this module",
    prepare: async (database, client) => {
      const { upWithoutEngine } = require("../../test/support/without-engine") as { upWithoutEngine: UpWithoutEngine };
      await prepareByHand(client, ownName);
      state = await upWithoutEngine(database.connection, program(false), {});
    },
    command: async (connection) => ({
      program: process.execPath,
      args: [bundled(SUPPORT), ...[connection, program(true), state].map((one) => JSON.stringify(one))],
    }),
  };
}

const partman: Rival = {
  name: "pg_partman 5.5 run_maintenance",
  prepare: async (_, client) => {
    const directory = await ensurePartman(18);
    await client.query(`SET extension_control_path = '$system:${directory}'`);
    await client.query("CREATE SCHEMA partman");
    await client.query("CREATE EXTENSION pg_partman SCHEMA partman");
    await client.query(PARENT);
    await client.query(
      `SELECT partman.create_partition(p_parent_table => 'public.events', p_control => 'created_at',
         p_interval => '1 month', p_premake => ${LAST}, p_start_partition => '${monthStart(FIRST)}')`,
    );
    await client.query(
      `UPDATE partman.part_config SET premake = ${WANTED_LAST}, retention = '${-OLDEST_KEPT} months', retention_keep_table = false`,
    );
  },
  command: async (connection) => runSql(connection, ["SELECT partman.run_maintenance('public.events')"]),
};

const partsmith: Rival = {
  name: "pg-partsmith 1.10",
  prepare: (_, client) => prepareByHand(client, partsmithName),
  command: async (connection, scratch) => {
    const { user, password, host, port, database } = connection;
    const table = {
      table_name: "events",
      partition_column: "created_at",
      granularity: "month",
      create_ahead_count: WANTED_LAST + 1,
      retention_count: 1 - OLDEST_KEPT,
    };
    const file = join(scratch, "partsmith.json");
    await writeFile(file, JSON.stringify({ tables: [table] }));
    const dsn = `postgresql+psycopg://${user}:${encodeURIComponent(password)}@${host}:${port}/${database}`;
    const args = ["apply", "--config", file, "--dsn", dsn, "--allow-destructive", "--continue-on-error"];
    return { program: await ensurePartsmith(), args };
  },
};

export function rivals(): Rival[] {
  return [own(), partman, plain, partsmith];
}

/** How much of the job is done: months created (of 2) and removed (of 4). */
export async function progress(client: Client): Promise<number> {
  const { rows } = await client.query<{ bound: string }>(
    `SELECT pg_get_expr(c.relpartbound, 0) AS bound FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
     WHERE i.inhparent = 'events'::regclass AND NOT i.inhdetachpending`,
  );
  const has = (offset: number) => rows.some(({ bound }) => bound.includes(`FROM ('${monthStart(offset)} `));
  const created = offsets(LAST + 1, WANTED_LAST).filter(has).length;
  return created + offsets(FIRST, OLDEST_KEPT - 1).filter((offset) => !has(offset)).length;
}
