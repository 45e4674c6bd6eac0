/**
 * The catalog queries behind `readIndexTree`. None of them waits for a lock but `EXPRESSIONS`, which is asked about as few
 * indexes as possible. Columns that only newer versions have are taken through `to_jsonb`.
 */

/** $1 OID of the table: it and everything below it, each relation after the one that it is a partition of. */
export const RELATIONS = `
WITH RECURSIVE tree AS (
  SELECT $1::oid AS oid, NULL::oid AS parent, 0 AS depth, false AS pending
  UNION ALL
  SELECT i.inhrelid, i.inhparent, t.depth + 1, i.inhdetachpending
  FROM pg_catalog.pg_inherits i JOIN tree t ON i.inhparent = t.oid WHERE NOT t.pending
)
SELECT c.oid, n.nspname::text AS schema, c.relname::text AS name, c.relkind::text AS relkind, t.parent, t.pending,
  ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(p.partattrs::int2[]) WITH ORDINALITY AS k(num, place)
    LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.num AND k.num > 0 ORDER BY k.place) AS key,
  c.reltuples::float8 AS rows, c.relpages::float8 * pg_catalog.current_setting('block_size')::int AS bytes
FROM tree t JOIN pg_catalog.pg_class c ON c.oid = t.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = c.oid
ORDER BY t.depth, n.nspname, c.relname`;

const COLUMNS = `ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY AS k(num, place)
    LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.num AND k.num > 0 ORDER BY k.place)`;

/** $1 OIDs of relations. */
export const INDEXES = `
SELECT i.indexrelid AS oid, n.nspname::text AS schema, x.relname::text AS name, i.indrelid AS "table", h.inhparent AS attached_to,
  i.indisvalid AS valid, m.amname::text AS method, i.indisunique AS "unique",
  coalesce((pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false) AS nulls_not_distinct,
  i.indnkeyatts::int AS keys, ${COLUMNS} AS columns,
  i.indclass::text AS opclasses, i.indcollation::text AS collations, i.indoption::text AS options,
  i.indexprs IS NOT NULL AS has_expressions, i.indpred IS NOT NULL AS has_predicate,
  k.contype::text AS constraint, k.condeferrable AS deferrable,
  ARRAY(SELECT o FROM pg_catalog.unnest(x.reloptions) AS o ORDER BY o COLLATE "C") AS storage, coalesce(s.spcname, (
    SELECT t.spcname FROM pg_catalog.pg_database b JOIN pg_catalog.pg_tablespace t ON t.oid = b.dattablespace
    WHERE b.datname = pg_catalog.current_database()))::text AS tablespace,
  d.description AS comment, b.pid AS builder
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
JOIN pg_catalog.pg_namespace n ON n.oid = x.relnamespace
JOIN pg_catalog.pg_am m ON m.oid = x.relam
LEFT JOIN pg_catalog.pg_inherits h ON h.inhrelid = i.indexrelid
LEFT JOIN pg_catalog.pg_tablespace s ON s.oid = x.reltablespace
LEFT JOIN pg_catalog.pg_constraint k ON k.conindid = i.indexrelid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u', 'x')
LEFT JOIN pg_catalog.pg_description d
  ON d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objoid = i.indexrelid AND d.objsubid = 0
LEFT JOIN pg_catalog.pg_stat_progress_create_index b
  ON b.index_relid = i.indexrelid AND b.datname = pg_catalog.current_database() AND NOT i.indisvalid
WHERE i.indrelid = ANY ($1::oid[])
ORDER BY i.indrelid, x.relname`;

/** $1 OIDs of indexes. Waits for whoever holds ACCESS EXCLUSIVE on a relation of theirs. */
export const EXPRESSIONS = `
SELECT i.indexrelid AS oid, pg_catalog.pg_get_expr(i.indexprs, i.indrelid) AS expressions,
  pg_catalog.pg_get_expr(i.indpred, i.indrelid) AS predicate
FROM pg_catalog.pg_index i WHERE i.indexrelid = ANY ($1::oid[])`;

/** $1 schemas, $2 names of the same length: those that are in use. */
export const TAKEN = `
SELECT n.nspname::text AS schema, c.relname::text AS name
FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) AS w(schema, name)
JOIN pg_catalog.pg_namespace n ON n.nspname = w.schema
JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.name`;
