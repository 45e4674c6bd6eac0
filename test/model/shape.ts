/** Everything that can be said of a partition tree, as text by which two schemas can be compared. */
import type { Client } from "pg";

/** A line about one relation of a tree. */
export interface Line {
  relation: string;
  text: string;
}

/**
 * Names of indexes and of their constraints are left out where they are a partition's: PostgreSQL chooses them, and a
 * rename does not change them. So is the CHECK of its bound that DETACH CONCURRENTLY leaves on a partition.
 */
const LINES = `
WITH tree AS (SELECT c.* FROM pg_class c WHERE c.oid = ANY ($1))
SELECT c.relname AS relation, concat_ws(' ', 'relation', c.relkind::text, 'below ' || p.relname,
  pg_get_expr(c.relpartbound, c.oid), pg_get_partkeydef(c.oid), 'owner ' || pg_get_userbyid(c.relowner),
  'rights ' || (SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest(c.relacl) a), 'options ' || c.reloptions::text,
  'comment ' || obj_description(c.oid, 'pg_class'), c.relpersistence::text, c.reltablespace::text, c.relam::text,
  c.relrowsecurity::text, c.relforcerowsecurity::text, c.relreplident::text) AS text
FROM tree c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid LEFT JOIN pg_class p ON p.oid = i.inhparent
UNION ALL
SELECT c.relname, concat_ws(' ', 'column', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull::text,
  'identity ' || a.attidentity::text, 'generated ' || a.attgenerated::text, 'default ' || pg_get_expr(d.adbin, d.adrelid),
  'comment ' || col_description(c.oid, a.attnum), 'statistics ' || a.attstattarget, a.attstorage::text,
  a.attcompression::text, 'rights ' || a.attacl::text, 'options ' || a.attoptions::text)
FROM tree c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
UNION ALL
SELECT c.relname, concat_ws(' ', 'index', coalesce(root.relname, x.indexrelid::regclass::text),
  regexp_replace(pg_get_indexdef(x.indexrelid), '^CREATE (UNIQUE )?INDEX \\S+ ON (ONLY )?\\S+', '\\1'), x.indisvalid::text,
  x.indisreplident::text, x.indisclustered::text, x.indisprimary::text)
FROM tree c JOIN pg_index x ON x.indrelid = c.oid
LEFT JOIN pg_inherits i ON i.inhrelid = x.indexrelid
LEFT JOIN pg_class root ON root.oid = pg_partition_root(x.indexrelid)
UNION ALL
SELECT c.relname, concat_ws(' ', 'constraint', CASE WHEN k.contype IN ('c', 'f') THEN k.conname END,
  pg_get_constraintdef(k.oid), 'below ' || p.contype::text, k.convalidated::text, k.conislocal::text, k.coninhcount)
FROM tree c JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype <> 'n' LEFT JOIN pg_constraint p ON p.oid = k.conparentid
WHERE NOT (k.contype = 'c' AND c.relispartition AND k.conname ~ '_check[0-9]*$')
UNION ALL
SELECT c.relname, concat_ws(' ', 'trigger', g.tgname, g.tgenabled::text,
  regexp_replace(pg_get_triggerdef(g.oid), ' ON \\S+ ', ' '), (g.tgparentid <> 0)::text)
FROM tree c JOIN pg_trigger g ON g.tgrelid = c.oid AND NOT g.tgisinternal
UNION ALL
SELECT c.relname, concat_ws(' ', 'policy', o.polname, o.polcmd::text, o.polpermissive::text, o.polroles::regrole[]::text,
  pg_get_expr(o.polqual, o.polrelid), pg_get_expr(o.polwithcheck, o.polrelid))
FROM tree c JOIN pg_policy o ON o.polrelid = c.oid
UNION ALL
SELECT c.relname, concat_ws(' ', 'statistics', e.stxkind::text, e.stxkeys::text)
FROM tree c JOIN pg_statistic_ext e ON e.stxrelid = c.oid
ORDER BY 1, 2`;

/** The table and everything attached to it, with the schema's name taken out. */
export async function shapeOf(client: Client, schema: string): Promise<Line[]> {
  const { rows: tree } = await client.query<{ oid: number }>(
    "SELECT relid::oid AS oid FROM pg_partition_tree($1::regclass)",
    [`${schema}.t`],
  );
  const { rows } = await client.query<Line>(LINES, [tree.map(({ oid }) => oid)]);
  const named = new RegExp(`\\b${schema}\\.`, "g");
  return rows.map(({ relation, text }) => ({ relation, text: text.replace(named, "") }));
}

/** What would be left by something that did not clean up: anything of ours that is no declared partition. */
const LEFTOVERS = `
SELECT 'relation ' || relname AS text FROM pg_class WHERE relnamespace = $1::regnamespace AND relname ~ 'pgpartition'
UNION ALL SELECT 'constraint ' || conname FROM pg_constraint WHERE connamespace = $1::regnamespace AND conname ~ 'pgpartition'
UNION ALL SELECT 'function ' || proname FROM pg_proc WHERE pronamespace = $1::regnamespace
UNION ALL SELECT 'trigger ' || tgname FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid
  WHERE c.relnamespace = $1::regnamespace AND tgname ~ 'pgpartition'
UNION ALL SELECT 'type ' || typname FROM pg_type WHERE typnamespace = $1::regnamespace AND typname ~ 'pgpartition'
UNION ALL SELECT 'pending detach ' || inhrelid::regclass FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhparent
  WHERE c.relnamespace = $1::regnamespace AND i.inhdetachpending`;

export async function leftovers(client: Client, schema: string): Promise<string[]> {
  const { rows } = await client.query<{ text: string }>(LEFTOVERS, [schema]);
  return rows.map(({ text }) => text).sort();
}
