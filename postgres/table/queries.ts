/**
 * The catalog queries behind `readTable`. Columns that only newer versions have are taken through `to_jsonb`, which
 * gives NULL where they are missing: one text for PostgreSQL 14 to 18.
 */

/** $1 schema (`pg_temp`: this session's), $2 name. */
export const TABLE = `
SELECT c.oid, n.nspname::text AS schema, c.relname::text AS name,
       pg_catalog.pg_get_userbyid(c.relowner)::text AS owner, d.description AS comment,
       (SELECT s.spcname::text FROM pg_catalog.pg_database b JOIN pg_catalog.pg_tablespace s ON s.oid = b.dattablespace
         WHERE b.datname = pg_catalog.current_database()) AS default_tablespace,
       CASE p.partstrat WHEN 'r' THEN 'range' WHEN 'l' THEN 'list' WHEN 'h' THEN 'hash' END AS strategy,
       ARRAY(SELECT a.attname::text
               FROM pg_catalog.generate_series(0, p.partnatts - 1) AS k(i)
               LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = p.partattrs[k.i] AND p.partattrs[k.i] > 0
              ORDER BY k.i) AS key_columns,
       pg_catalog.pg_get_partkeydef(c.oid) AS key_definition
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = c.oid
  LEFT JOIN pg_catalog.pg_description d
    ON d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objoid = c.oid AND d.objsubid = 0
 WHERE c.relname = $2
   AND CASE WHEN $1 = 'pg_temp' THEN n.oid = pg_catalog.pg_my_temp_schema() ELSE n.nspname = $1 END`;

/** $1 oid. `serial`: the default depends on a sequence that the column owns. */
export const COLUMNS = `
SELECT a.attname::text AS name, pg_catalog.format_type(a.atttypid, a.atttypmod) AS type, NOT a.attnotnull AS nullable,
       pg_catalog.pg_get_expr(e.adbin, e.adrelid) AS expression, a.attidentity::text AS identity,
       a.attgenerated::text AS generated, d.description AS comment, COALESCE(a.attstattarget, -1)::int AS statistics,
       CASE WHEN a.attcollation <> t.typcollation
            THEN pg_catalog.quote_ident(cn.nspname) || '.' || pg_catalog.quote_ident(co.collname) END AS collation,
       EXISTS (SELECT FROM pg_catalog.pg_depend owned
                 JOIN pg_catalog.pg_depend used
                   ON used.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND used.objid = e.oid
                  AND used.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND used.refobjid = owned.objid
                 JOIN pg_catalog.pg_class s ON s.oid = owned.objid AND s.relkind = 'S'
                WHERE owned.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND owned.deptype = 'a'
                  AND owned.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
                  AND owned.refobjid = a.attrelid AND owned.refobjsubid = a.attnum) AS owns_sequence
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_catalog.pg_attrdef e ON e.adrelid = a.attrelid AND e.adnum = a.attnum
  LEFT JOIN pg_catalog.pg_collation co ON co.oid = a.attcollation
  LEFT JOIN pg_catalog.pg_namespace cn ON cn.oid = co.collnamespace
  LEFT JOIN pg_catalog.pg_description d
    ON d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objoid = a.attrelid AND d.objsubid = a.attnum
 WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attnum`;

/** The names of columns, by their numbers in an array, in the array's order. */
function names(relation: string, numbers: string): string {
  return `ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(${numbers}) WITH ORDINALITY AS k(num, place)
         JOIN pg_catalog.pg_attribute a ON a.attrelid = ${relation} AND a.attnum = k.num ORDER BY k.place)`;
}

/**
 * A foreign key to a partitioned table has a row for each partition there as well; those have a parent constraint on
 * this very table and are left out.
 */
const constraints = (expression: string, where: string) => `
SELECT c.conrelid AS relation, c.conname::text AS name, c.contype::text AS type, ${names("c.conrelid", "c.conkey")} AS columns,
       ${expression} AS expression,
       c.condeferrable AS deferrable, c.condeferred AS deferred, COALESCE(i.indisvalid, c.convalidated) AS valid,
       COALESCE((pg_catalog.to_jsonb(c) ->> 'conenforced')::boolean, true) AS enforced, c.conparentid <> 0 AS inherited,
       rn.nspname::text AS ref_schema, r.relname::text AS ref_table, ${names("c.confrelid", "c.confkey")} AS ref_columns,
       c.confdeltype::text AS on_delete, c.confupdtype::text AS on_update, c.confmatchtype::text AS match,
       ARRAY(SELECT a.attname::text
               FROM pg_catalog.jsonb_array_elements_text(
                      COALESCE(NULLIF(pg_catalog.to_jsonb(c) -> 'confdelsetcols', 'null'), '[]')) AS k(num)
               JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.num::int
              ORDER BY a.attnum) AS on_delete_columns,
       COALESCE((pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false) AS nulls_not_distinct,
       (SELECT s.spcname::text FROM pg_catalog.pg_class x JOIN pg_catalog.pg_tablespace s ON s.oid = x.reltablespace
         WHERE x.oid = i.indexrelid) AS tablespace,
       ARRAY(SELECT a.attname::text
               FROM pg_catalog.generate_series(i.indnkeyatts::int, i.indnatts - 1) AS k(place)
               JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k.place]
              ORDER BY k.place) AS include
  FROM pg_catalog.pg_constraint c
  LEFT JOIN pg_catalog.pg_constraint above ON above.oid = c.conparentid
  LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.conindid AND c.contype IN ('p', 'u')
  LEFT JOIN pg_catalog.pg_class r ON r.oid = c.confrelid
  LEFT JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace
 WHERE ${where} AND c.contype IN ('p', 'u', 'c', 'f') AND above.conrelid IS DISTINCT FROM c.conrelid
 ORDER BY c.conrelid, c.conname`;

/** $1 oid. */
export const CONSTRAINTS = constraints("pg_catalog.pg_get_expr(c.conbin, c.conrelid)", "c.conrelid = $1");

/**
 * $1 oids of partitions: the constraints that are their own, those that are not validated, and all foreign keys.
 * Expressions are not printed, as that would wait for whoever has locked a partition.
 */
export const PARTITION_CONSTRAINTS = constraints(
  "NULL::text",
  "c.conrelid = ANY ($1) AND (NOT c.convalidated OR c.contype = 'f' OR (c.coninhcount = 0 AND c.conparentid = 0))",
);

/** $1 schema, $2 name of any table. */
export const PRIMARY_KEY_COLUMNS = `
SELECT ${names("c.conrelid", "c.conkey")} AS columns
  FROM pg_catalog.pg_constraint c
  JOIN pg_catalog.pg_class r ON r.oid = c.conrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
 WHERE n.nspname = $1 AND r.relname = $2 AND c.contype = 'p'`;

/** $1 oid. Indexes that carry a constraint are left out. */
export const INDEXES = `
SELECT x.relname::text AS name, i.indisunique AS "unique", i.indisvalid AS valid, m.amname::text AS method,
       (SELECT s.spcname::text FROM pg_catalog.pg_tablespace s WHERE s.oid = x.reltablespace) AS tablespace,
       COALESCE((pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false) AS nulls_not_distinct,
       pg_catalog.pg_get_expr(i.indpred, i.indrelid) AS predicate,
       ARRAY(SELECT pg_catalog.pg_get_indexdef(i.indexrelid, k.place + 1, false)
                    || COALESCE(CASE WHEN i.indcollation[k.place] <> COALESCE(a.attcollation, 0)
                                     THEN ' COLLATE ' || pg_catalog.quote_ident(co.collname) END, '')
                    || CASE WHEN o.opcdefault THEN '' ELSE ' ' || pg_catalog.quote_ident(o.opcname) END
                    || CASE i.indoption[k.place] & 3
                       WHEN 1 THEN ' DESC NULLS LAST' WHEN 2 THEN ' NULLS FIRST' WHEN 3 THEN ' DESC' ELSE '' END
               FROM pg_catalog.generate_series(0, i.indnkeyatts - 1) AS k(place)
               JOIN pg_catalog.pg_opclass o ON o.oid = i.indclass[k.place]
               LEFT JOIN pg_catalog.pg_attribute a
                 ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k.place] AND i.indkey[k.place] > 0
               LEFT JOIN pg_catalog.pg_collation co ON co.oid = i.indcollation[k.place]
              ORDER BY k.place) AS keys,
       ARRAY(SELECT a.attname::text
               FROM pg_catalog.generate_series(i.indnkeyatts::int, i.indnatts - 1) AS k(place)
               JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k.place]
              ORDER BY k.place) AS include
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
  JOIN pg_catalog.pg_am m ON m.oid = x.relam
 WHERE i.indrelid = $1
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint c
                    WHERE c.conindid = i.indexrelid AND c.conrelid = i.indrelid AND c.contype IN ('p', 'u', 'x'))
 ORDER BY x.relname`;

const TREE = `
WITH RECURSIVE tree AS (
  SELECT inhrelid, inhparent, inhdetachpending FROM pg_catalog.pg_inherits WHERE inhparent = $1
  UNION ALL
  SELECT i.inhrelid, i.inhparent, i.inhdetachpending FROM pg_catalog.pg_inherits i JOIN tree ON i.inhparent = tree.inhrelid
)`;

/** $1 oid. */
export const DESCENDANTS = `${TREE}
SELECT c.oid, n.nspname::text AS schema, c.relname::text AS name, c.relkind::text AS relkind,
       tree.inhparent AS parent, tree.inhdetachpending AS pending, pg_catalog.pg_get_userbyid(c.relowner)::text AS owner,
       CASE WHEN c.reltuples >= 0 THEN c.reltuples::float8 END AS rows,
       (c.relpages::bigint * pg_catalog.current_setting('block_size')::bigint)::float8 AS bytes
  FROM tree
  JOIN pg_catalog.pg_class c ON c.oid = tree.inhrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 ORDER BY n.nspname, c.relname`;

/** $1 oids, $2 names of columns: those that are NOT NULL. */
export const NOT_NULL_COLUMNS = `
SELECT a.attrelid AS relation, a.attname::text AS name
  FROM pg_catalog.pg_attribute a
 WHERE a.attrelid = ANY ($1) AND a.attname = ANY ($2) AND a.attnotnull AND NOT a.attisdropped`;

/** $1 schemas and $2 names of tables, pairwise: what is below each of them. */
export const BELOW = `
WITH RECURSIVE root AS (
  SELECT n.nspname::text AS root_schema, c.relname::text AS root_name, c.oid
    FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) AS w(schema, name)
    JOIN pg_catalog.pg_namespace n ON n.nspname = w.schema
    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.name
), tree AS (
  SELECT root_schema, root_name, inhrelid FROM root JOIN pg_catalog.pg_inherits ON inhparent = root.oid
  UNION ALL
  SELECT root_schema, root_name, i.inhrelid
    FROM tree JOIN pg_catalog.pg_inherits i ON i.inhparent = tree.inhrelid
)
SELECT tree.root_schema, tree.root_name, n.nspname::text AS schema, c.relname::text AS name, c.relkind::text AS relkind
  FROM tree
  JOIN pg_catalog.pg_class c ON c.oid = tree.inhrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 ORDER BY n.nspname, c.relname`;

/** $1 oids of a table and its partitions, $2 name of a column: what stands on it, except its own default and NOT NULL. */
export const DEPENDENTS = `
SELECT DISTINCT pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid) AS dependent
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_depend d
    ON d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum
  LEFT JOIN pg_catalog.pg_attrdef e
    ON d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND e.oid = d.objid
   AND e.adrelid = a.attrelid AND e.adnum = a.attnum
  LEFT JOIN pg_catalog.pg_constraint c
    ON d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND c.oid = d.objid AND c.contype = 'n'
 WHERE a.attrelid = ANY ($1) AND a.attname = $2 AND e.oid IS NULL AND c.oid IS NULL
 ORDER BY 1`;

/** $1 oid: its unique constraints with what stands on their indexes, or on parts of these. */
export const STANDING_ON = `
WITH RECURSIVE part AS (
  SELECT c.oid AS constraint, c.conindid AS index FROM pg_catalog.pg_constraint c
   WHERE c.conrelid = $1 AND c.contype = 'u'
  UNION ALL
  SELECT part.constraint, i.inhrelid FROM part JOIN pg_catalog.pg_inherits i ON i.inhparent = part.index
)
SELECT c.conname::text AS name,
       EXISTS (SELECT FROM part JOIN pg_catalog.pg_index x ON x.indexrelid = part.index
                WHERE part.constraint = c.oid AND x.indisreplident) AS identity,
       ARRAY(SELECT DISTINCT pg_catalog.format('%I.%I', n.nspname, r.relname)
               FROM pg_catalog.pg_constraint f
               JOIN pg_catalog.pg_class r ON r.oid = f.conrelid
               JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
              WHERE f.contype = 'f' AND f.conindid = c.conindid AND f.conparentid = 0 ORDER BY 1) AS referencing
  FROM pg_catalog.pg_constraint c
 WHERE c.conrelid = $1 AND c.contype = 'u'`;
