/** Attributes of columns, which are matched by name. */

const TARGET = (column: string) => `nullif(${column}.attstattarget, -1)::text`;

const STORAGE = (column: string) =>
  `CASE ${column}.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'x' THEN 'EXTENDED' ELSE 'MAIN' END`;

const COMPRESSION = (column: string) => `CASE ${column}.attcompression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END`;

const IDENTITY = (column: string) => `CASE ${column}.attidentity WHEN 'a' THEN 'ALWAYS' WHEN 'd' THEN 'BY DEFAULT' END`;

/** Since 17 a partition's identity is its parent's; before, one of its own would give numbers that its siblings have. */
const EXPECTED_IDENTITY = `CASE WHEN current_setting('server_version_num')::int >= 170000 THEN ${IDENTITY("u")} END`;

export const COLUMNS = `
SELECT p.child, d.attribute, NULL, a.attname::text, NULL, NULL, d.expected, d.found
FROM pairs p
JOIN pg_catalog.pg_attribute a ON a.attrelid = p.child AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_catalog.pg_attribute u ON u.attrelid = p.parent AND u.attname = a.attname
CROSS JOIN LATERAL (VALUES
  ('statisticsTargets', ${TARGET("u")}, ${TARGET("a")}),
  ('columnStorage', ${STORAGE("u")}, ${STORAGE("a")}),
  ('columnCompression', ${COMPRESSION("u")}, ${COMPRESSION("a")}),
  ('columnIdentity', ${EXPECTED_IDENTITY}, CASE WHEN p.attached THEN ${IDENTITY("a")} ELSE ${EXPECTED_IDENTITY} END)
) AS d(attribute, expected, found)
WHERE ((a.attstattarget, a.attstorage, a.attcompression) IS DISTINCT FROM (u.attstattarget, u.attstorage, u.attcompression)
    OR a.attidentity <> '')
  AND d.expected IS DISTINCT FROM d.found AND (p.relkind <> 'f' OR d.attribute = 'statisticsTargets')`;

/** Options such as n_distinct. */
export const COLUMN_OPTIONS = `
SELECT coalesce(w.child, f.child), 'columnOptions', coalesce(w.option, f.option), coalesce(w.name, f.name), NULL, NULL, w.value, f.value
FROM (
  SELECT p.child, u.attname::text AS name, o.option_name AS option, o.option_value AS value
  FROM pairs p JOIN pg_catalog.pg_attribute u ON u.attrelid = p.parent AND u.attoptions IS NOT NULL AND NOT u.attisdropped,
    pg_catalog.pg_options_to_table(u.attoptions) o) w
FULL JOIN (
  SELECT p.child, a.attname::text AS name, o.option_name AS option, o.option_value AS value
  FROM pairs p JOIN pg_catalog.pg_attribute a ON a.attrelid = p.child AND a.attoptions IS NOT NULL AND NOT a.attisdropped,
    pg_catalog.pg_options_to_table(a.attoptions) o) f
ON f.child = w.child AND f.name = w.name AND f.option = w.option
WHERE w.value IS DISTINCT FROM f.value`;

export const COLUMN_COMMENTS = `
SELECT coalesce(w.child, f.child), 'columnComments', NULL, coalesce(w.name, f.name), NULL, NULL, w.text, f.text
FROM (
  SELECT p.child, u.attname::text AS name, d.description AS text
  FROM pairs p
  JOIN pg_catalog.pg_description d ON d.objoid = p.parent AND d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass
  JOIN pg_catalog.pg_attribute u ON u.attrelid = p.parent AND u.attnum = d.objsubid AND u.attnum > 0 AND NOT u.attisdropped) w
FULL JOIN (
  SELECT p.child, a.attname::text AS name, d.description AS text
  FROM pairs p
  JOIN pg_catalog.pg_description d ON d.objoid = p.child AND d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass
  JOIN pg_catalog.pg_attribute a ON a.attrelid = p.child AND a.attnum = d.objsubid AND a.attnum > 0 AND NOT a.attisdropped) f
ON f.child = w.child AND f.name = w.name
WHERE w.text IS DISTINCT FROM f.text`;

/** Printed once for each parent. */
export const PARENT_DEFAULTS = `
parent_defaults AS MATERIALIZED (
  SELECT u.attrelid AS parent, u.attname AS name, u.attgenerated AS generated, d.adbin::text AS tree,
    pg_catalog.pg_get_expr(d.adbin, u.attrelid) AS text
  FROM pg_catalog.pg_attribute u
  JOIN pg_catalog.pg_attrdef d ON d.adrelid = u.attrelid AND d.adnum = u.attnum
  WHERE u.attrelid IN (SELECT parent FROM pairs) AND NOT u.attisdropped
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
