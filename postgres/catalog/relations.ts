/** Children, known tables and relations of a wanted name, each with its size and what is below it. */
import type { RelationName } from "../../topology/model";
import type { Session } from "../connection";

/** One relation at the first level. */
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
  /** Sum over all leaves; -1 when one of them was never analysed. */
  rows: number;
  /** Sum over all leaves of heap, TOAST and indexes, as of the last VACUUM or ANALYZE. */
  bytes: string;
  descendants: RelationName[];
  /** A guard of ours stands on it. */
  guarded: boolean;
}

/** What to look for; 0 stands for no parent. */
export interface RelationRequest {
  parent: number;
  schema: string;
  names: string[];
  oids: number[];
  /** Name of the CHECK that counts as a guard. */
  guard: string;
}

/**
 * `pg_get_expr` is given no relation: with one it would wait for whoever locks the partition. The size functions would
 * wait too, so sizes are made from relpages.
 */
const RELATIONS = `
WITH RECURSIVE roots AS (
  SELECT inhrelid AS oid FROM pg_catalog.pg_inherits WHERE inhparent = $1
  UNION
  SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $2 AND c.relname = ANY ($3::text[])
  UNION
  SELECT oid FROM pg_catalog.pg_class WHERE oid = ANY ($4::oid[])
), tree AS (
  SELECT oid AS root, oid FROM roots
  UNION ALL
  SELECT tree.root, i.inhrelid FROM tree JOIN pg_catalog.pg_inherits i ON i.inhparent = tree.oid
), sizes AS (
  SELECT tree.root,
    sum(c.relpages + coalesce(t.relpages, 0) + coalesce(x.pages, 0)) AS pages,
    CASE WHEN bool_or(c.reltuples < 0 AND c.relkind IN ('r', 'f')) THEN -1
         ELSE coalesce(sum(c.reltuples) FILTER (WHERE c.relkind IN ('r', 'f', 'm')), 0) END AS rows,
    json_agg(json_build_object('schema', n.nspname, 'name', c.relname) ORDER BY n.nspname, c.relname)
      FILTER (WHERE tree.oid <> tree.root) AS descendants
  FROM tree
  JOIN pg_catalog.pg_class c ON c.oid = tree.oid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_class t ON t.oid = c.reltoastrelid
  LEFT JOIN LATERAL (
    SELECT sum(ic.relpages) AS pages FROM pg_catalog.pg_index ix JOIN pg_catalog.pg_class ic ON ic.oid = ix.indexrelid
    WHERE ix.indrelid = c.oid OR (c.reltoastrelid <> 0 AND ix.indrelid = c.reltoastrelid)) x ON true
  GROUP BY tree.root
)
SELECT c.oid, n.nspname::text AS schema, c.relname::text AS name, c.relkind::text AS relkind,
  i.inhparent AS parent, pn.nspname::text AS parent_schema, pc.relname::text AS parent_name,
  coalesce(i.inhdetachpending, false) AS pending,
  pg_catalog.pg_get_expr(c.relpartbound, 0) AS bound,
  sizes.rows::float8 AS rows, (sizes.pages * current_setting('block_size')::bigint)::text AS bytes,
  coalesce(sizes.descendants, '[]') AS descendants,
  EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conrelid = c.oid AND k.conname = $5) AS guarded
FROM sizes
JOIN pg_catalog.pg_class c ON c.oid = sizes.root
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN LATERAL (
  SELECT inhparent, inhdetachpending FROM pg_catalog.pg_inherits WHERE inhrelid = c.oid ORDER BY inhseqno LIMIT 1) i ON true
LEFT JOIN pg_catalog.pg_class pc ON pc.oid = i.inhparent
LEFT JOIN pg_catalog.pg_namespace pn ON pn.oid = pc.relnamespace
ORDER BY c.oid`;

export async function readRelations(session: Session, request: RelationRequest): Promise<RelationRow[]> {
  const { parent, schema, names, oids, guard } = request;
  return session.query<RelationRow>(RELATIONS, [parent, schema, names, oids, guard]);
}
