/** A populated tree of partitions for tests of changes: two levels, and tables to reference. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import type { Session } from "../../../postgres/connection";
import { DEFAULT_LADDER } from "../../../postgres/ladder";
import type { Lock } from "../../../postgres/statement";
import { type AlterationFailure, alter } from "../../../postgres/table/alter";
import { applyStatements, type UnderLocks } from "../../../postgres/table/apply";
import type { TableChange } from "../../../postgres/table/change";
import type { Queryable } from "../../../postgres/table/client";
import { planTable } from "../../../postgres/table/plan";
import { readTable } from "../../../postgres/table/read";
import type { Context } from "../../../provider/handler";
import type { ActualTable, DeclaredTable } from "../../../topology/table/model";
import type { TestDatabase } from "../../support/postgres";
import { sessionsOn } from "../postgres/support";
import { declared } from "./tables";

const COLUMNS = [
  { name: "id", type: "bigint", nullable: false },
  { name: "k", type: "int", nullable: false },
  { name: "note", type: "varchar(20)" },
  { name: "amount", type: "int" },
  { name: "account", type: "int" },
];

type Column = (typeof COLUMNS)[number] & Record<string, unknown>;

/** The table `tree`, with other properties for some of its columns, and other properties of its own. */
export function tree(more: Record<string, unknown> = {}, columns: Record<string, Partial<Column>> = {}): DeclaredTable {
  return declared({
    name: "tree",
    partitionBy: { range: { column: "k" } },
    columns: COLUMNS.map((column) => ({ ...column, ...columns[column.name] })),
    ...more,
  });
}

/** `tree` with the leaves t1, t3 and, one level below t2, t2a and t2b; 100 rows; DEFAULT is td. */
export async function createTree(client: Client): Promise<void> {
  await client.query(`
    CREATE TABLE account (id int PRIMARY KEY);
    INSERT INTO account SELECT generate_series(1, 10);
    CREATE TABLE parted (id int PRIMARY KEY) PARTITION BY RANGE (id);
    CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (6);
    CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (6) TO (20);
    INSERT INTO parted SELECT generate_series(1, 10);
    CREATE TABLE tree (id bigint NOT NULL, k int NOT NULL, note varchar(20), amount int, account int) PARTITION BY RANGE (k);
    CREATE TABLE t1 PARTITION OF tree FOR VALUES FROM (0) TO (10);
    CREATE TABLE t2 PARTITION OF tree FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (k);
    CREATE TABLE t2a PARTITION OF t2 FOR VALUES FROM (10) TO (15);
    CREATE TABLE t2b PARTITION OF t2 FOR VALUES FROM (15) TO (20);
    CREATE TABLE t3 PARTITION OF tree FOR VALUES FROM (20) TO (30);
    CREATE TABLE td PARTITION OF tree DEFAULT;
    INSERT INTO tree SELECT g, g % 40, 'n' || g, 1 + g, 1 + g % 10 FROM generate_series(1, 100) g;
    ANALYZE`);
}

export async function read(client: Queryable, table: DeclaredTable): Promise<ActualTable> {
  const actual = await readTable(client, table);
  assert.ok(actual);
  return actual;
}

export async function planFor(client: Queryable, table: DeclaredTable): Promise<TableChange> {
  return (await planTable(client, table, await read(client, table))).change;
}

export const atOnce: UnderLocks = (_: Lock[], transaction) => transaction();

/** Plans and carries out; gives what was not done. */
export async function converge(
  client: Queryable,
  table: DeclaredTable,
  underLocks: UnderLocks = atOnce,
): Promise<AlterationFailure[]> {
  const actual = await read(client, table);
  const { change } = await planTable(client, table, actual);
  await applyStatements(client, change.statements, underLocks);
  return alter(client, actual, change.alterations, { underLocks });
}

/** The provider's way to the database: its lock ladder, and sessions of its own. */
export async function withContext<T>(
  database: Pick<TestDatabase, "connection">,
  work: (context: Context, session: Session) => Promise<T>,
): Promise<T> {
  const sessions = sessionsOn(database.connection);
  const log = { status: async () => undefined, diagnostic: async () => undefined };
  const context = { database: { sessions, ladder: DEFAULT_LADDER }, signal: new AbortController().signal, log };
  try {
    return await sessions.withSession((session) => work(context as unknown as Context, session));
  } finally {
    await sessions.close();
  }
}

/** Tables of which PostgreSQL reads or rewrites all rows while the work runs, from what it says at DEBUG1. */
export async function scans(client: Client, work: () => Promise<unknown>): Promise<string[]> {
  const said: string[] = [];
  const listen = ({ message = "" }: { message?: string }) => {
    const found =
      /^(?:verifying|rewriting) table "(.*)"|^validating (foreign key) constraint|^building index .* on table "(t.*)"/.exec(
        message,
      );
    if (found) said.push(found[1] ?? found[2] ?? `index on ${found[3]}`);
  };
  client.on("notice", listen);
  await client.query("SET client_min_messages = debug1");
  await work();
  await client.query("SET client_min_messages = warning");
  client.off("notice", listen);
  return said;
}

/** Every constraint of the tree with its state, by table. */
export async function constraintsOf(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ text: string }>(`
    SELECT format('%s %s%s%s', c.conrelid::regclass, c.conname, CASE WHEN c.convalidated THEN '' ELSE ' not valid' END,
                  CASE WHEN c.coninhcount > 0 OR c.conparentid <> 0 THEN '' ELSE ' own' END) AS text
      FROM pg_constraint c LEFT JOIN pg_constraint a ON a.oid = c.conparentid
     WHERE c.conrelid::regclass::text ~ '^(tree|t.[ab]?)$' AND c.contype <> 'n' AND a.conrelid IS DISTINCT FROM c.conrelid
     ORDER BY 1`);
  return rows.map(({ text }) => text);
}
