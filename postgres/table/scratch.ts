/**
 * What PostgreSQL makes of a declaration: the declared table is created as a temporary one, read back and rolled back.
 * So types, defaults, checks and predicates are compared in PostgreSQL's own spelling, and nothing real is touched:
 * the only locks are on relations that nobody else can see.
 *
 * Foreign keys are left out, because a temporary table cannot reference a permanent one.
 */
import type { ActualTable, DeclaredColumn, DeclaredTable } from "../../topology/table/model";
import { quoteIdent } from "../identifiers";
import { pinSettings, type Queryable } from "./client";
import { columnClause, createIndex, createTable, lookupPath } from "./create";
import { readRelation } from "./read";

/** Names that unnamed constraints get in the scratch table, by which they are found again. */
export const SCRATCH_NAMES = {
  primaryKey: "pgpartition scratch key",
  check: (index: number) => `pgpartition scratch check ${index}`,
  unique: (index: number) => `pgpartition scratch unique ${index}`,
};

/** The declaration as the catalog would show it, and which columns could be added without rewriting the table. */
export interface Expected {
  table: ActualTable;
  /** Names of the columns for which `ADD COLUMN` changes the catalog only. */
  instant: Set<string>;
}

/** Reads the declaration back from a scratch table; `missing` are the columns to try `ADD COLUMN` with. */
export async function readExpected(
  client: Queryable,
  declared: DeclaredTable,
  missing: DeclaredColumn[],
): Promise<Expected> {
  await client.query("BEGIN");
  try {
    await pinSettings(client);
    await client.query(lookupPath(declared.schema).sql);
    const relation = `pg_temp.${quoteIdent(declared.name)}`;
    await client.query(createTable(withNames(declared), relation, []));
    for (const { tablespace: _, ...index } of declared.indexes) {
      await client.query(createIndex(index, relation).sql);
    }
    const instant = await instantColumns(client, missing);
    await pinSettings(client);
    const table = await readRelation(client, { schema: "pg_temp", name: declared.name });
    if (table === undefined) {
      throw new Error(`the scratch table for ${declared.schema}.${declared.name} cannot be read back`);
    }
    return { table, instant };
  } finally {
    await client.query("ROLLBACK").catch(() => undefined);
  }
}

/** Where indexes are is not tried: that takes a right on the tablespace, and room there. */
function withNames(declared: DeclaredTable): DeclaredTable {
  const { primaryKey, unique, checks } = declared;
  return {
    ...declared,
    primaryKey: primaryKey && { name: SCRATCH_NAMES.primaryKey, ...primaryKey, tablespace: undefined },
    checks: checks.map((check, index) => ({ name: SCRATCH_NAMES.check(index), ...check })),
    unique: unique.map((constraint, index) => ({
      name: SCRATCH_NAMES.unique(index),
      ...constraint,
      tablespace: undefined,
    })),
  };
}

/**
 * A rewrite gives a table a new file; an empty table shows that without evaluating a volatile default. Columns that fill
 * themselves (identity, generated) always rewrite, and are not tried.
 */
async function instantColumns(client: Queryable, columns: DeclaredColumn[]): Promise<Set<string>> {
  const instant = new Set<string>();
  for (const column of columns.filter(({ identity, generated }) => !identity && !generated)) {
    const relation = 'pg_temp."pgpartition scratch column"';
    await client.query(`CREATE TABLE ${relation} ()`);
    const before = await fileOf(client, relation);
    await client.query(`ALTER TABLE ${relation} ADD COLUMN ${columnClause(column)}`);
    if ((await fileOf(client, relation)) === before) {
      instant.add(column.name);
    }
    await client.query(`DROP TABLE ${relation}`);
  }
  return instant;
}

/** The number of the file that holds a relation. */
export async function fileOf(client: Queryable, relation: string): Promise<number | undefined> {
  const { rows } = await client.query<{ relfilenode: number }>(
    "SELECT relfilenode FROM pg_catalog.pg_class WHERE oid = $1::pg_catalog.regclass",
    [relation],
  );
  return rows[0]?.relfilenode;
}
