/** Attributes of columns, which are matched by name. */

/**
 * Columns of children in which something may differ: few of a hundred thousand, so that the rules below look at no others.
 * One of a name that the parent has not has no `expected_…`.
 */
export const REMARKABLE_COLUMNS = `
parent_columns AS MATERIALIZED (
  SELECT a.attrelid, a.attnum, a.attname, a.attstattarget, a.attstorage, a.attcompression, a.attidentity, a.attoptions, a.attacl
  FROM pg_catalog.pg_attribute a WHERE a.attrelid = ANY ($5::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
), remarkable_columns AS MATERIALIZED (
  SELECT p.child, p.parent, p.attached, p.relkind, p.relowner, a.attname, a.attstattarget, a.attstorage, a.attcompression,
    a.attidentity, a.attoptions, a.attacl, u.attname AS expected_name, u.attstattarget AS expected_stattarget,
    u.attstorage AS expected_storage, u.attcompression AS expected_compression, u.attidentity AS expected_identity
  FROM pairs p
  JOIN pg_catalog.pg_attribute a ON a.attrelid = p.child AND a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN parent_columns u ON u.attrelid = p.parent AND u.attname = a.attname
  WHERE (a.attstattarget, a.attstorage, a.attcompression) IS DISTINCT FROM (u.attstattarget, u.attstorage, u.attcompression)
    OR a.attidentity <> '' OR a.attoptions IS NOT NULL OR a.attacl IS NOT NULL
)`;

const TARGET = (target: string) => `nullif(${target}, -1)::text`;

const STORAGE = (storage: string) =>
  `CASE ${storage} WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'x' THEN 'EXTENDED' ELSE 'MAIN' END`;

const COMPRESSION = (method: string) => `CASE ${method} WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END`;

const IDENTITY = (identity: string) => `CASE ${identity} WHEN 'a' THEN 'ALWAYS' WHEN 'd' THEN 'BY DEFAULT' END`;

/** Since 17 a partition's identity is its parent's; before, one of its own would give numbers that its siblings have. */
const EXPECTED_IDENTITY = `CASE WHEN current_setting('server_version_num')::int >= 170000 THEN ${IDENTITY("a.expected_identity")} END`;

export const COLUMNS = `
SELECT a.child, d.attribute, NULL, a.attname::text, NULL, NULL, d.expected, d.found
FROM remarkable_columns a
CROSS JOIN LATERAL (VALUES
  ('statisticsTargets', ${TARGET("a.expected_stattarget")}, ${TARGET("a.attstattarget")}),
  ('columnStorage', ${STORAGE("a.expected_storage")}, ${STORAGE("a.attstorage")}),
  ('columnCompression', ${COMPRESSION("a.expected_compression")}, ${COMPRESSION("a.attcompression")}),
  ('columnIdentity', ${EXPECTED_IDENTITY}, CASE WHEN a.attached THEN ${IDENTITY("a.attidentity")} ELSE ${EXPECTED_IDENTITY} END)
) AS d(attribute, expected, found)
WHERE a.expected_name IS NOT NULL AND d.expected IS DISTINCT FROM d.found AND (a.relkind <> 'f' OR d.attribute = 'statisticsTargets')`;

/** Options such as n_distinct. */
export const COLUMN_OPTIONS = `
SELECT coalesce(w.child, f.child), 'columnOptions', coalesce(w.option, f.option), coalesce(w.name, f.name), NULL, NULL, w.value, f.value
FROM (
  SELECT p.child, u.attname::text AS name, o.option_name AS option, o.option_value AS value
  FROM pairs p JOIN parent_columns u ON u.attrelid = p.parent AND u.attoptions IS NOT NULL,
    pg_catalog.pg_options_to_table(u.attoptions) o) w
FULL JOIN (
  SELECT a.child, a.attname::text AS name, o.option_name AS option, o.option_value AS value
  FROM remarkable_columns a, pg_catalog.pg_options_to_table(a.attoptions) o) f
ON f.child = w.child AND f.name = w.name AND f.option = w.option
WHERE w.value IS DISTINCT FROM f.value`;

/** Of children and parents, and of their columns. */
export const COMMENTS = `
comments AS MATERIALIZED (
  SELECT d.objoid AS relation, d.objsubid AS attribute, d.description
  FROM pg_catalog.pg_description d
  WHERE d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass AND (d.objoid = ANY ($1::oid[]) OR d.objoid = ANY ($5::oid[]))
)`;

export const COLUMN_COMMENTS = `
SELECT coalesce(w.child, f.child), 'columnComments', NULL, coalesce(w.name, f.name), NULL, NULL, w.text, f.text
FROM (
  SELECT p.child, u.attname::text AS name, d.description AS text
  FROM pairs p JOIN comments d ON d.relation = p.parent
  JOIN parent_columns u ON u.attrelid = p.parent AND u.attnum = d.attribute) w
FULL JOIN (
  SELECT p.child, a.attname::text AS name, d.description AS text
  FROM pairs p JOIN comments d ON d.relation = p.child
  JOIN pg_catalog.pg_attribute a ON a.attrelid = d.relation AND a.attnum = d.attribute AND NOT a.attisdropped
  WHERE d.attribute > 0) f
ON f.child = w.child AND f.name = w.name
WHERE w.text IS DISTINCT FROM f.text`;

/** Printed once for each parent. */
export const PARENT_DEFAULTS = `
parent_defaults AS MATERIALIZED (
  SELECT u.attrelid AS parent, u.attname AS name, u.attgenerated AS generated, d.adbin::text AS tree,
    pg_catalog.pg_get_expr(d.adbin, u.attrelid) AS text
  FROM pg_catalog.pg_attribute u
  JOIN pg_catalog.pg_attrdef d ON d.adrelid = u.attrelid AND d.adnum = u.attnum
  WHERE u.attrelid = ANY ($5::oid[]) AND NOT u.attisdropped
)`;

/**
 * A default has no columns, and is printed without a relation; a generation expression is printed as if it were the
 * parent's (see policies). Whether a column is generated cannot differ: ATTACH demands it.
 */
export const DEFAULTS = `
SELECT coalesce(w.child, f.child), CASE WHEN coalesce(w.generated, f.generated) = '' THEN 'columnDefaults' ELSE 'generatedColumns' END,
  nullif(coalesce(w.generated, f.generated)::text, ''), coalesce(w.name, f.name)::text, NULL, NULL, w.text, f.text
FROM (SELECT p.child, d.name, d.generated, d.text FROM pairs p JOIN parent_defaults d ON d.parent = p.parent) w
FULL JOIN (
  SELECT p.child, a.attname AS name, a.attgenerated AS generated,
    CASE WHEN d.adbin::text = u.tree THEN u.text
         WHEN a.attgenerated = '' THEN pg_catalog.pg_get_expr(d.adbin, 0)
         ELSE pg_catalog.pg_get_expr(d.adbin, CASE WHEN y.aligned THEN p.parent ELSE p.child END) END AS text
  FROM pairs p
  JOIN pg_catalog.pg_attrdef d ON d.adrelid = p.child
  JOIN pg_catalog.pg_attribute a ON a.attrelid = p.child AND a.attnum = d.adnum
  LEFT JOIN parent_defaults u ON u.parent = p.parent AND u.name = a.attname
  CROSS JOIN LATERAL (SELECT a.attgenerated = '' OR NOT EXISTS (
    SELECT FROM pg_catalog.pg_attribute x JOIN pg_catalog.pg_attribute b ON b.attrelid = p.parent AND b.attname = x.attname
    WHERE x.attrelid = p.child AND x.attnum > 0 AND NOT x.attisdropped AND x.attnum <> b.attnum) AS aligned OFFSET 0) y
) f ON f.child = w.child AND f.name = w.name
WHERE w.text IS DISTINCT FROM f.text AND coalesce(w.generated, f.generated, '') = coalesce(f.generated, w.generated, '')`;
