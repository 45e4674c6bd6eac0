/** Everything of a schema that a partition set is made of, as text that two schemas can be compared by. */
import type { Client } from "pg";

/** Relations with place, bound, owner, rights and comments; their columns, indexes and constraints. */
const OBJECTS = `
WITH relations AS (
  SELECT c.* FROM pg_class c WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'p')
)
SELECT 'relation ' || c.relname || ' ' || c.relkind::text || ' below ' || coalesce(i.inhparent::regclass::text, 'none')
  || CASE WHEN i.inhdetachpending THEN ' pending' ELSE '' END || ' ' || coalesce(pg_get_expr(c.relpartbound, c.oid), '')
  || ' owner ' || pg_get_userbyid(c.relowner) || ' rights ' || coalesce(c.relacl::text, '')
  || ' options ' || coalesce(c.reloptions::text, '') || ' comment ' || coalesce(obj_description(c.oid, 'pg_class'), '') AS text
FROM relations c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
UNION ALL
SELECT 'column ' || c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
  || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END || ' identity ' || a.attidentity::text
  || ' default ' || coalesce(pg_get_expr(d.adbin, d.adrelid), '') || ' comment ' || coalesce(col_description(c.oid, a.attnum), '')
FROM relations c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
UNION ALL
SELECT 'index ' || pg_get_indexdef(x.indexrelid) || ' below ' || coalesce(i.inhparent::regclass::text, 'none')
  || CASE WHEN x.indisvalid THEN '' ELSE ' invalid' END
FROM relations c JOIN pg_index x ON x.indrelid = c.oid LEFT JOIN pg_inherits i ON i.inhrelid = x.indexrelid
UNION ALL
SELECT 'constraint ' || c.relname || ' ' || k.conname || ' ' || pg_get_constraintdef(k.oid)
  || ' below ' || coalesce(p.conname, 'none') || CASE WHEN k.convalidated THEN '' ELSE ' not valid' END
FROM relations c JOIN pg_constraint k ON k.conrelid = c.oid LEFT JOIN pg_constraint p ON p.oid = k.conparentid
ORDER BY 1`;

/** The objects and the number of rows of each table, with the schema's name taken out. */
export async function catalogSnapshot(client: Client, schema: string): Promise<string[]> {
  const objects = await client.query<{ text: string }>(OBJECTS, [schema]);
  const tables = await client.query<{ counting: string }>(
    `SELECT format('SELECT %L || count(*) AS text FROM %s', 'rows of ' || oid::regclass || ': ', oid::regclass) AS counting
     FROM pg_class WHERE relnamespace = $1::regnamespace AND relkind = 'r' ORDER BY oid::regclass::text`,
    [schema],
  );
  const counts = tables.rows.map(({ counting }) => counting);
  const rows = counts.length === 0 ? [] : (await client.query<{ text: string }>(counts.join(" UNION ALL "))).rows;
  return [...objects.rows, ...rows].map(({ text }) => text.replace(new RegExp(`\\b${schema}\\.`, "g"), "")).sort();
}
