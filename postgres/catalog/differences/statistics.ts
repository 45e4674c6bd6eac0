/** Extended statistics, statistics targets of index expressions, and indexes that a child lacks. */

const KINDS =
  "(SELECT string_agg(CASE k WHEN 'd' THEN 'ndistinct' WHEN 'f' THEN 'dependencies' ELSE 'mcv' END, ', ' ORDER BY k)" +
  " FROM pg_catalog.unnest(s.stxkind) k WHERE k <> 'e')";

const COLUMN_NAMES =
  "(SELECT string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY a.attname) FROM pg_catalog.unnest(s.stxkeys::int2[]) k" +
  " JOIN pg_catalog.pg_attribute a ON a.attrelid = s.stxrelid AND a.attnum = k)";

/** Kinds, columns by name, expressions: what makes two statistics objects the same. */
function signature(relation: string): string {
  return `concat_ws(' | ', ${KINDS}, ${COLUMN_NAMES}, pg_catalog.pg_get_expr(s.stxexprs, ${relation}))`;
}

/** Printed once for each parent; `definition` is what CREATE STATISTICS takes. */
export const PARENT_STATISTICS = `
parent_statistics AS MATERIALIZED (
  SELECT s.stxrelid AS parent, ${signature("s.stxrelid")} AS signature,
    concat_ws(' ', '(' || ${KINDS} || ')', 'ON', pg_catalog.pg_get_statisticsobjdef_columns(s.oid)) AS definition,
    nullif(s.stxstattarget, -1)::text AS target
  FROM pg_catalog.pg_statistic_ext s WHERE s.stxrelid = ANY ($5::oid[])
)`;

export const CHILD_STATISTICS = `
child_statistics AS MATERIALIZED (
  SELECT p.child, p.parent, s.stxname::text AS name, ${signature("CASE WHEN y.aligned THEN p.parent ELSE p.child END")} AS signature,
    nullif(s.stxstattarget, -1)::text AS target
  FROM pairs p JOIN pg_catalog.pg_statistic_ext s ON s.stxrelid = p.child
  CROSS JOIN LATERAL (SELECT s.stxexprs IS NULL OR NOT EXISTS (
    SELECT FROM pg_catalog.pg_attribute x JOIN pg_catalog.pg_attribute b ON b.attrelid = p.parent AND b.attname = x.attname
    WHERE x.attrelid = p.child AND x.attnum > 0 AND NOT x.attisdropped AND x.attnum <> b.attnum) AS aligned OFFSET 0) y
)`;

/** Statistics that only a child has do no harm, and somebody made them for its rows: they are left alone. */
export const EXTENDED_STATISTICS = `
SELECT p.child, 'extendedStatistics', NULL, NULL, NULL, NULL, u.definition, NULL
FROM pairs p JOIN parent_statistics u ON u.parent = p.parent
WHERE NOT EXISTS (SELECT FROM child_statistics c WHERE c.child = p.child AND c.signature = u.signature)
UNION ALL
SELECT c.child, 'extendedStatisticsTargets', c.name, NULL, NULL, NULL, u.target, c.target
FROM child_statistics c JOIN parent_statistics u ON u.parent = c.parent AND u.signature = c.signature
WHERE u.target IS DISTINCT FROM c.target`;

/** Which index of a child is the partner of the parent's. */
export const PARTNERS = `
partners AS MATERIALIZED (
  SELECT p.child, x.indexrelid AS parent_index, c.indexrelid AS child_index, coalesce(c.indisvalid, false) AS valid,
    x.indexprs IS NOT NULL AND p.relkind = 'r' AS has_expressions
  FROM pairs p
  JOIN pg_catalog.pg_index x ON x.indrelid = p.parent
  LEFT JOIN (pg_catalog.pg_inherits i JOIN pg_catalog.pg_index c ON c.indexrelid = i.inhrelid)
    ON i.inhparent = x.indexrelid AND c.indrelid = p.child
  WHERE p.attached AND p.relkind <> 'f'
)`;

export const INDEX_TARGETS = `
SELECT p.child, 'indexStatisticsTargets', k.relname::text, a.attnum::text, NULL, NULL,
  nullif(u.attstattarget, -1)::text, nullif(a.attstattarget, -1)::text
FROM partners p
JOIN pg_catalog.pg_attribute u ON u.attrelid = p.parent_index
JOIN pg_catalog.pg_attribute a ON a.attrelid = p.child_index AND a.attnum = u.attnum
JOIN pg_catalog.pg_class k ON k.oid = p.child_index
WHERE p.has_expressions AND a.attstattarget IS DISTINCT FROM u.attstattarget`;

/** Tables with a foreign table below them; there are three levels at most. */
export const ABOVE_FOREIGN = `
above_foreign AS MATERIALIZED (
  SELECT f.parent AS relation FROM pairs f WHERE f.relkind = 'f'
  UNION SELECT m.parent FROM pairs f JOIN pairs m ON m.child = f.parent WHERE f.relkind = 'f'
)`;

/**
 * Indexes with a tablespace of their own, where that of the set's own table is in the same one: it is what says where all
 * parts belong.
 */
export const PLACED_INDEXES = `
placed_indexes AS MATERIALIZED (
  SELECT c.oid, c.relname, c.reltablespace, s.spcname FROM pg_catalog.pg_index x
  JOIN pg_catalog.pg_class c ON c.oid = x.indexrelid AND c.reltablespace <> 0
  JOIN pg_catalog.pg_tablespace s ON s.oid = c.reltablespace
  WHERE x.indrelid = ANY ($5::oid[]) AND EXISTS (
    SELECT FROM pg_catalog.pg_partition_ancestors(c.oid) above(relid)
    JOIN pg_catalog.pg_index i ON i.indexrelid = above.relid AND i.indrelid = $6::oid
    JOIN pg_catalog.pg_class t ON t.oid = above.relid AND t.reltablespace = c.reltablespace)
)`;

/**
 * The column stands for the reason for which a part is not built: a foreign table has no index, and exclusion constraints
 * and deferrable ones cannot be built CONCURRENTLY.
 */
export const INDEXES = `
SELECT p.child, 'indexes', k.relname::text,
  CASE WHEN p.child IN (SELECT relation FROM above_foreign) THEN 'A foreign table below it has no index.'
    WHEN EXISTS (SELECT FROM pg_catalog.pg_constraint o WHERE o.conindid = p.parent_index AND o.contype IN ('p', 'u', 'x')
      AND (o.contype = 'x' OR o.condeferrable))
      THEN 'PostgreSQL builds exclusion constraints and deferrable ones only under a lock that writers wait for: add it to the partition by hand.'
  END, NULL, NULL, 'valid', CASE WHEN p.child_index IS NOT NULL THEN 'invalid' END
FROM partners p JOIN pg_catalog.pg_class k ON k.oid = p.parent_index
WHERE NOT p.valid
UNION ALL
SELECT p.child, 'indexes', k.relname::text, NULL, NULL, NULL, 'in ' || k.spcname, 'in ' || coalesce(s.spcname, 'the default tablespace')
FROM placed_indexes k JOIN partners p ON p.parent_index = k.oid
JOIN pg_catalog.pg_class c ON c.oid = p.child_index AND c.reltablespace <> k.reltablespace
LEFT JOIN pg_catalog.pg_tablespace s ON s.oid = c.reltablespace
WHERE p.valid`;
