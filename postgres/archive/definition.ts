/** SQL that makes a partition again by itself: for who restores an archive without this product. */
import type { RowFormat } from "../../topology/archive";
import type { RelationName } from "../../topology/model";
import type { Session } from "../connection";
import type { TextEncoding } from "../encoding";
import { qualified, quoteIdent } from "../identifiers";
import { copyFromAnywhere } from "./rows";
import type { ArchivedColumn } from "./table";

/** Statements in the order in which they are run; each part of a leaf is the input of its `copy`. */
export interface RestoreText {
  /** Tables, without constraints that would slow down loading. */
  create: string[];
  /** One for each leaf. */
  copy: string[];
  /** Constraints and indexes. */
  finish: string[];
}

interface TableRow extends RelationName, Record<string, unknown> {
  oid: number;
  above: RelationName | null;
  bound: string | null;
  key: string | null;
}

interface ColumnRow extends Record<string, unknown> {
  name: string;
  type: string;
  collation: string | null;
  required: boolean;
  expression: string | null;
  virtual: boolean;
}

const TABLES = `
WITH RECURSIVE tree AS (
  SELECT $1::oid AS oid, NULL::oid AS above, 0 AS depth UNION ALL
  SELECT i.inhrelid, tree.oid, depth + 1 FROM tree JOIN pg_catalog.pg_inherits i ON i.inhparent = tree.oid
)
SELECT c.oid, n.nspname::text AS schema, c.relname::text AS name,
  CASE WHEN tree.above IS NOT NULL THEN (SELECT json_build_object('schema', pn.nspname, 'name', p.relname)
    FROM pg_catalog.pg_class p JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace WHERE p.oid = tree.above) END AS above,
  CASE WHEN tree.above IS NOT NULL THEN pg_catalog.pg_get_expr(c.relpartbound, 0) END AS bound,
  CASE WHEN c.relkind = 'p' THEN pg_catalog.pg_get_partkeydef(c.oid) END AS key
FROM tree JOIN pg_catalog.pg_class c ON c.oid = tree.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
ORDER BY tree.depth, c.oid`;

const COLUMNS = `
SELECT a.attname::text AS name, pg_catalog.format_type(a.atttypid, a.atttypmod) AS type,
  (SELECT pg_catalog.quote_ident(cn.nspname) || '.' || pg_catalog.quote_ident(co.collname)
     FROM pg_catalog.pg_collation co JOIN pg_catalog.pg_namespace cn ON cn.oid = co.collnamespace
     WHERE co.oid = a.attcollation AND a.attcollation <> t.typcollation) AS collation,
  a.attnotnull AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conrelid = a.attrelid AND k.contype = 'n'
    AND k.conkey = ARRAY[a.attnum] AND NOT k.convalidated) AS required, a.attgenerated = 'v' AS virtual,
  CASE WHEN a.attgenerated <> '' THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END AS expression
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`;

/**
 * NOT NULL stands with its column, unless rows may violate it (from 18 on). Of a table below the partition: only what it has by
 * itself. Foreign keys belong to the database, not to the archive.
 */
const CONSTRAINTS = `
SELECT k.conname::text AS name, pg_catalog.pg_get_constraintdef(k.oid) AS definition
FROM pg_catalog.pg_constraint k
WHERE k.conrelid = $1 AND (k.contype IN ('c', 'p', 'u', 'x') OR (k.contype = 'n' AND NOT k.convalidated))
  AND ($2 OR (k.conislocal AND k.coninhcount = 0 AND k.conparentid = 0))
ORDER BY k.contype, k.conname`;

/** `ON ONLY` would leave out the tables below. */
const INDEXES = `
SELECT pg_catalog.replace(pg_catalog.pg_get_indexdef(x.indexrelid),
  ' INDEX ' || pg_catalog.quote_ident(c.relname) || ' ON ONLY ', ' INDEX ' || pg_catalog.quote_ident(c.relname) || ' ON ') AS definition
FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class c ON c.oid = x.indexrelid
WHERE x.indrelid = $1 AND x.indisvalid AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = x.indexrelid AND k.contype <> 'f')
  AND ($2 OR NOT EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhrelid = x.indexrelid))
ORDER BY c.relname`;

/** What makes and fills the table again, and the tables below it. */
export async function readDefinition(
  session: Session,
  oid: number,
  leaves: readonly RelationName[],
  { columns, ...text }: { columns: readonly ArchivedColumn[]; format: RowFormat; encoding: TextEncoding },
): Promise<RestoreText> {
  const tables = await session.query<TableRow>(TABLES, [oid]);
  const create: string[] = [];
  const finish: string[] = [];
  for (const table of tables) {
    const root = table.above === null;
    create.push(await createText(session, table));
    const constraints = await session.query<{ name: string; definition: string }>(CONSTRAINTS, [table.oid, root]);
    const alter = `ALTER TABLE ${qualified(table)} ADD CONSTRAINT`;
    finish.push(...constraints.map(({ name, definition }) => `${alter} ${quoteIdent(name)} ${definition}`));
    const indexes = await session.query<{ definition: string }>(INDEXES, [table.oid, root]);
    finish.push(...indexes.map(({ definition }) => definition));
  }
  const names = columns.map(({ name }) => name);
  return { create, copy: leaves.map((leaf) => copyFromAnywhere({ ...leaf, ...text, columns: names })), finish };
}

async function createText(session: Session, table: TableRow): Promise<string> {
  const divided = table.key === null ? "" : ` PARTITION BY ${table.key}`;
  if (table.above !== null)
    return `CREATE TABLE ${qualified(table)} PARTITION OF ${qualified(table.above)} ${table.bound}${divided}`;
  const columns = await session.query<ColumnRow>(COLUMNS, [table.oid]);
  return `CREATE TABLE ${qualified(table)} (${columns.map(columnText).join(", ")})${divided}`;
}

/** Defaults are left out: their sequences may be elsewhere, and nobody inserts into what is restored. */
function columnText({ name, type, collation, required, expression, virtual }: ColumnRow): string {
  const collated = collation === null ? "" : ` COLLATE ${collation}`;
  const generated =
    expression === null ? "" : ` GENERATED ALWAYS AS (${expression})${virtual ? " VIRTUAL" : " STORED"}`;
  return `${quoteIdent(name)} ${type}${collated}${required ? " NOT NULL" : ""}${generated}`;
}
