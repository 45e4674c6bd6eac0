/** The whole tree of a partitioned table, known tables and relations of a wanted name, each with its size. */
import type { RelationName } from "../../topology/model";
import type { Session } from "../connection";

/** One relation by itself: what is below it has rows of its own. */
export interface RelationRow extends Record<string, unknown> {
  oid: number;
  schema: string;
  name: string;
  relkind: string;
  /** OID of the table that it is a partition (or an inheritance child) of. */
  parent: number | null;
  parent_schema: string | null;
  parent_name: string | null;
  pending: boolean;
  bound: string | null;
  /** pg_class.reltuples of a table that holds rows itself, -1 when never analysed; 0 for others. */
  rows: number;
  /** Heap, TOAST and indexes, as of the last VACUUM or ANALYZE. */
  bytes: string;
  /** A guard of ours stands on it. */
  guarded: boolean;
}

/** What to look for: a partitioned table by name, relations by name, and relations by OID; each with everything below it. */
export interface RelationRequest {
  schema: string;
  table: string;
  names: RelationName[];
  oids: number[];
  /** Name of the CHECK that counts as a guard. */
  guard: string;
}

/**
 * `pg_get_expr` is given no relation: with one it would wait for whoever locks the partition. The size functions would
 * wait too, so sizes are made from relpages. Names are joined as `name`: compared with an array of text, each relation is
 * compared with each of them.
 */
const RELATIONS = `
WITH RECURSIVE roots AS (
  SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind = 'p'
  UNION
  SELECT c.oid FROM ROWS FROM (pg_catalog.unnest($3::text[]), pg_catalog.unnest($4::text[])) AS wanted(schema, name)
  JOIN pg_catalog.pg_class c ON c.relname = wanted.name::name
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = wanted.schema::name
  UNION
  SELECT oid FROM pg_catalog.pg_class WHERE oid = ANY ($5::oid[])
), tree AS (
  SELECT oid FROM roots
  UNION
  SELECT i.inhrelid FROM tree JOIN pg_catalog.pg_inherits i ON i.inhparent = tree.oid
)
SELECT c.oid, n.nspname::text AS schema, c.relname::text AS name, c.relkind::text AS relkind,
  i.inhparent AS parent, pn.nspname::text AS parent_schema, pc.relname::text AS parent_name,
  coalesce(i.inhdetachpending, false) AS pending,
  pg_catalog.pg_get_expr(c.relpartbound, 0) AS bound,
  (CASE WHEN c.relkind IN ('r', 'f', 'm') THEN c.reltuples ELSE 0 END)::float8 AS rows,
  ((c.relpages + coalesce(t.relpages, 0) + coalesce(x.pages, 0)) * current_setting('block_size')::bigint)::text AS bytes,
  EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conrelid = c.oid AND k.conname = $6) AS guarded
FROM tree
JOIN pg_catalog.pg_class c ON c.oid = tree.oid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_class t ON t.oid = c.reltoastrelid
LEFT JOIN LATERAL (
  SELECT sum(ic.relpages) AS pages FROM pg_catalog.pg_index ix JOIN pg_catalog.pg_class ic ON ic.oid = ix.indexrelid
  WHERE ix.indrelid = c.oid OR (c.reltoastrelid <> 0 AND ix.indrelid = c.reltoastrelid)) x ON true
LEFT JOIN LATERAL (
  SELECT inhparent, inhdetachpending FROM pg_catalog.pg_inherits WHERE inhrelid = c.oid ORDER BY inhseqno LIMIT 1) i ON true
LEFT JOIN pg_catalog.pg_class pc ON pc.oid = i.inhparent
LEFT JOIN pg_catalog.pg_namespace pn ON pn.oid = pc.relnamespace
ORDER BY c.oid`;

export async function readRelations(session: Session, request: RelationRequest): Promise<RelationRow[]> {
  const { schema, table, names, oids, guard } = request;
  return session.query<RelationRow>(RELATIONS, [
    schema,
    table,
    names.map((wanted) => wanted.schema),
    names.map(({ name }) => name),
    oids,
    guard,
  ]);
}
