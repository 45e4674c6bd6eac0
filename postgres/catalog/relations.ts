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
  /** Name of that table when it is none of those that were looked for. */
  parent_elsewhere: RelationName | null;
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
  /** Names of the CHECKs that count as guards: on a DEFAULT, and on other partitions. */
  guards: { fallback: string; others: string };
}

/**
 * Names are joined as `name`: compared with an array of text, each relation would be compared with each of them. What is a
 * root in several ways is found out by the recursion.
 */
const TREE = `
WITH RECURSIVE roots AS (
  SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind = 'p'
  UNION ALL
  SELECT c.oid FROM ROWS FROM (pg_catalog.unnest($3::text[]), pg_catalog.unnest($4::text[])) AS wanted(schema, name)
  JOIN pg_catalog.pg_class c ON c.relname = wanted.name::name
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = wanted.schema::name
  UNION ALL
  SELECT oid FROM pg_catalog.pg_class WHERE oid = ANY ($5::oid[])
), tree AS (
  SELECT oid FROM roots
  UNION
  SELECT i.inhrelid FROM tree JOIN pg_catalog.pg_inherits i ON i.inhparent = tree.oid
)
SELECT coalesce(pg_catalog.array_agg(oid), '{}') AS oids FROM tree`;

/**
 * `pg_get_expr` is given no relation: with one it would wait for whoever locks the partition. The size functions would
 * wait too, so sizes are made from relpages. The relations are given and not found by the same query, so that PostgreSQL
 * knows how many there are: of what a recursive query will find it makes such estimates that it reads the whole catalog
 * for ten partitions, or looks up each of five thousand by itself. They are joined, since of `= ANY` it would estimate each
 * element by itself, which takes as long as the query. A TOAST table has one valid index; a REINDEX CONCURRENTLY
 * that runs, or has broken off, adds an invalid one.
 */
const RELATIONS = `
WITH wanted AS MATERIALIZED (
  SELECT c.oid, c.relname, c.relnamespace, c.relkind, c.relpartbound, c.reltuples, c.reltoastrelid
  FROM pg_catalog.unnest($1::oid[]) AS w(oid) JOIN pg_catalog.pg_class c ON c.oid = w.oid
), heaps AS (
  SELECT oid, oid AS heap FROM wanted
  UNION ALL
  SELECT oid, reltoastrelid FROM wanted WHERE reltoastrelid <> 0
), stored AS (
  SELECT h.oid, sum(c.relpages) AS pages
  FROM (
    SELECT oid, heap AS file FROM heaps
    UNION ALL
    SELECT h.oid, x.indexrelid FROM heaps h JOIN pg_catalog.pg_index x ON x.indrelid = h.heap AND (x.indisvalid OR h.heap = h.oid)
  ) h JOIN pg_catalog.pg_class c ON c.oid = h.file GROUP BY h.oid
), above AS (
  SELECT DISTINCT ON (i.inhrelid) i.inhrelid, i.inhparent, i.inhdetachpending
  FROM pg_catalog.unnest($1::oid[]) AS w(oid) JOIN pg_catalog.pg_inherits i ON i.inhrelid = w.oid
  ORDER BY i.inhrelid, i.inhseqno
)
SELECT c.oid, n.nspname::text AS schema, c.relname::text AS name, c.relkind::text AS relkind,
  i.inhparent AS parent,
  CASE WHEN NOT i.inhparent = ANY ($1::oid[]) THEN (
    SELECT json_build_object('schema', pn.nspname, 'name', pc.relname)
    FROM pg_catalog.pg_class pc JOIN pg_catalog.pg_namespace pn ON pn.oid = pc.relnamespace WHERE pc.oid = i.inhparent) END AS parent_elsewhere,
  coalesce(i.inhdetachpending, false) AS pending,
  pg_catalog.pg_get_expr(c.relpartbound, 0) AS bound,
  (CASE WHEN c.relkind IN ('r', 'f', 'm') THEN c.reltuples ELSE 0 END)::float8 AS rows,
  (s.pages * current_setting('block_size')::bigint)::text AS bytes,
  EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conrelid = c.oid AND k.conislocal
    AND k.conname = CASE WHEN pg_catalog.pg_get_expr(c.relpartbound, 0) = 'DEFAULT' THEN $2 ELSE $3 END::name) AS guarded
FROM wanted c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN stored s ON s.oid = c.oid
LEFT JOIN above i ON i.inhrelid = c.oid
ORDER BY c.oid`;

export async function readRelations(session: Session, request: RelationRequest): Promise<RelationRow[]> {
  const { schema, table, names, oids, guards } = request;
  const [tree] = await session.query<{ oids: number[] }>(TREE, [
    schema,
    table,
    names.map((wanted) => wanted.schema),
    names.map(({ name }) => name),
    oids,
  ]);
  return session.query<RelationRow>(RELATIONS, [tree?.oids ?? [], guards.fallback, guards.others]);
}
