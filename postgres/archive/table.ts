/** A partition as an archive sees it: the tables below it that hold rows, and the columns by which rows are told. */
import type { RelationName } from "../../topology/model";
import type { TypedColumn } from "../../topology/parquet";
import type { Session } from "../connection";
import { hasSqlstate, SQLSTATE } from "../errors";
import { qualified, quoteIdent } from "../identifiers";
import { CHANGE_COLUMNS, type ChangeRow, type ChangeState, changeState, readEpoch } from "./changes";

/** A table that holds rows. */
export interface LeafTable extends RelationName {
  oid: number;
  relkind: string;
  /** Of its main fork. */
  blocks: number;
  /** Of its main fork and that of its TOAST. */
  bytes: number;
  /** pg_total_relation_size(): with indexes. */
  totalBytes: number;
  changes: ChangeState;
}

export interface ArchivedColumn {
  name: string;
  /** As format_type() writes it. */
  type: string;
}

/** One row's place in the order of the partition key. */
export interface KeyExtent {
  column: string;
  least: string;
  greatest: string;
}

interface LeafRow extends ChangeRow {
  oid: number;
  schema: string;
  name: string;
  relkind: string;
  blocks: string;
  bytes: string;
  total: string;
}

const LEAVES = `
WITH RECURSIVE tree AS (
  SELECT $1::oid AS oid UNION ALL
  SELECT i.inhrelid FROM tree JOIN pg_catalog.pg_inherits i ON i.inhparent = tree.oid
)
SELECT c.oid, n.nspname::text AS schema, c.relname::text AS name, c.relkind::text AS relkind,
  (pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::bigint)::text AS blocks,
  (pg_catalog.pg_relation_size(c.oid) + COALESCE(pg_catalog.pg_relation_size(c.reltoastrelid), 0))::text AS bytes,
  pg_catalog.pg_total_relation_size(c.oid)::text AS total, ${CHANGE_COLUMNS}
FROM tree JOIN pg_catalog.pg_class c ON c.oid = tree.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind <> 'p' ORDER BY c.oid`;

/** The tables below a relation that hold rows, or the relation itself. Waits for whoever locks one of them ACCESS EXCLUSIVE. */
export async function readLeaves(session: Session, oid: number): Promise<LeafTable[]> {
  const since = await readEpoch(session);
  const rows = await session.query<LeafRow>(LEAVES, [oid]);
  return rows.map(({ schema, name, relkind, blocks, bytes, total, ...row }) => ({
    oid: row.oid,
    schema,
    name,
    relkind,
    blocks: Number(blocks),
    bytes: Number(bytes),
    totalBytes: Number(total),
    changes: changeState(row, since),
  }));
}

const WRITABLE = `
SELECT wanted.oid FROM pg_catalog.unnest($1::oid[]) AS wanted(oid) WHERE NOT EXISTS (
  SELECT FROM pg_catalog.pg_locks l WHERE l.pid = pg_catalog.pg_backend_pid() AND l.locktype = 'relation'
    AND l.relation = wanted.oid AND l.granted
    AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'))`;

/** Those of some tables that this transaction does not keep others from writing to. */
export async function findWritable(session: Session, oids: readonly number[]): Promise<Set<number>> {
  const rows = await session.query<{ oid: number }>(WRITABLE, [oids]);
  return new Set(rows.map(({ oid }) => oid));
}

/** Generated columns are left out: whoever loads the rows computes them again, and may not write them. */
const COLUMNS = `SELECT a.attname::text AS name, pg_catalog.format_type(a.atttypid, a.atttypmod) AS type
  FROM pg_catalog.pg_attribute a
  WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attnum`;

/** Columns that hold what was written into them, in the order in which a row is told. */
export function readColumns(session: Session, oid: number): Promise<ArchivedColumn[]> {
  return session.query<{ name: string; type: string }>(COLUMNS, [oid]);
}

/** A domain is the type below all its domains, with the modifier of the one that has it. */
const TYPED_COLUMNS = `
WITH RECURSIVE base AS (
  SELECT a.attnum, a.attname, a.atttypid AS type, a.atttypmod AS modifier FROM pg_catalog.pg_attribute a
  WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
  UNION ALL
  SELECT base.attnum, base.attname, t.typbasetype, CASE WHEN t.typtypmod = -1 THEN base.modifier ELSE t.typtypmod END
  FROM base JOIN pg_catalog.pg_type t ON t.oid = base.type WHERE t.typtype = 'd'
)
SELECT base.attname::text AS name, pg_catalog.format_type(base.type, base.modifier) AS type, t.typtype = 'e' AS enum
FROM base JOIN pg_catalog.pg_type t ON t.oid = base.type WHERE t.typtype <> 'd' ORDER BY base.attnum`;

/** The columns of {@link readColumns} with what their values are, whatever a domain calls it. */
export function readTypedColumns(session: Session, oid: number): Promise<TypedColumn[]> {
  return session.query<{ name: string; type: string; enum: boolean }>(TYPED_COLUMNS, [oid]);
}

/**
 * The least and the greatest value of each key column; undefined when there is no row, or a type without an order (HASH).
 * Reads the table unless an index begins with the column.
 */
export async function readKeyExtent(
  session: Session,
  table: RelationName,
  columns: readonly string[],
): Promise<KeyExtent[] | undefined> {
  const extents: KeyExtent[] = [];
  for (const column of columns) {
    const found = await extentOf(session, table, column);
    if (found === undefined) return undefined;
    extents.push(found);
  }
  return extents;
}

async function extentOf(session: Session, table: RelationName, column: string): Promise<KeyExtent | undefined> {
  const name = quoteIdent(column);
  const at = (order: string) =>
    `(SELECT ${name}::text FROM ${qualified(table)} WHERE ${name} IS NOT NULL ORDER BY ${name} ${order} LIMIT 1)`;
  try {
    const [row] = await session.query<{ least: string | null; greatest: string | null }>(
      `SELECT ${at("ASC")} AS least, ${at("DESC")} AS greatest`,
    );
    if (row === undefined || row.least === null || row.greatest === null) return undefined;
    return { column, least: row.least, greatest: row.greatest };
  } catch (error) {
    if (hasSqlstate(error, SQLSTATE.undefinedFunction)) return undefined;
    throw error;
  }
}
