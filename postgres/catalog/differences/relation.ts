/** Attributes of the relation itself: owner, row security, replica identity, persistence; and its publications. */

/** A replica identity by index is the same when the child's index is the partner of the parent's. */
const REPLICA_IDENTITY = (relation: string) =>
  `CASE ${relation}.relreplident WHEN 'd' THEN 'default' WHEN 'n' THEN 'nothing' WHEN 'f' THEN 'full' ELSE 'index' END`;

const REPLICA_INDEX_PARTNER = `
  SELECT i.inhparent FROM pg_catalog.pg_index x LEFT JOIN pg_catalog.pg_inherits i ON i.inhrelid = x.indexrelid
  WHERE x.indrelid = p.child AND x.indisreplident`;

export const RELATION = `
SELECT p.child, d.attribute, NULL::text AS name, NULL::text AS "column", NULL::text AS role, NULL::text AS grantor, d.expected, d.found
FROM pairs p JOIN parents u ON u.oid = p.parent
LEFT JOIN pg_catalog.pg_index xu ON p.relreplident = 'i' AND u.relreplident = 'i' AND xu.indrelid = u.oid AND xu.indisreplident
CROSS JOIN LATERAL (VALUES
  ('owner', pg_catalog.pg_get_userbyid(u.relowner)::text, pg_catalog.pg_get_userbyid(p.relowner)::text),
  ('rowSecurity', CASE WHEN u.relrowsecurity THEN 'enabled' ELSE 'disabled' END, CASE WHEN p.relrowsecurity THEN 'enabled' ELSE 'disabled' END),
  ('forceRowSecurity', CASE WHEN u.relforcerowsecurity THEN 'forced' ELSE 'not forced' END,
    CASE WHEN p.relforcerowsecurity THEN 'forced' ELSE 'not forced' END),
  ('replicaIdentity', ${REPLICA_IDENTITY("u")},
    CASE WHEN xu.indexrelid IS NOT NULL AND (${REPLICA_INDEX_PARTNER}) IS DISTINCT FROM xu.indexrelid THEN 'another index'
         ELSE ${REPLICA_IDENTITY("p")} END),
  ('persistence', 'logged', CASE WHEN p.relkind = 'r' AND p.relpersistence = 'u' AND u.relpersistence = 'p' THEN 'unlogged' ELSE 'logged' END)
) AS d(attribute, expected, found)
WHERE d.expected <> d.found AND (p.relkind <> 'f' OR d.attribute = 'owner')
  AND ((p.relowner, p.relrowsecurity, p.relforcerowsecurity, p.relreplident, p.relpersistence)
    IS DISTINCT FROM (u.relowner, u.relrowsecurity, u.relforcerowsecurity, u.relreplident, u.relpersistence)
    OR xu.indexrelid IS NOT NULL)`;

/** Publications of all tables or of a schema name nobody; a child in one of those needs nothing. */
export const PUBLICATIONS = `
SELECT p.child, 'publications', b.pubname::text, NULL, NULL, NULL, NULL, 'named by itself'
FROM pairs p JOIN pg_catalog.pg_publication_rel r ON r.prrelid = p.child JOIN pg_catalog.pg_publication b ON b.oid = r.prpubid`;

const STATE = (trigger: string) =>
  `CASE ${trigger}.tgenabled WHEN 'O' THEN 'enabled' WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'replica' ELSE 'always' END`;

/** A clone is PostgreSQL's own as long as the partition is attached; only its state can be changed on the partition. */
export const TRIGGERS = `
SELECT p.child, 'triggers', t.tgname::text, NULL, NULL, NULL, ${STATE("u")}, ${STATE("t")}
FROM pairs p JOIN pg_catalog.pg_trigger t ON t.tgrelid = p.child JOIN pg_catalog.pg_trigger u ON u.oid = t.tgparentid
WHERE u.tgrelid = p.parent AND t.tgenabled <> u.tgenabled
UNION ALL
SELECT p.child, 'ownTriggers', t.tgname::text, NULL, NULL, NULL, NULL, ${STATE("t")}
FROM pairs p JOIN pg_catalog.pg_trigger t ON t.tgrelid = p.child
WHERE p.attached AND t.tgparentid = 0 AND NOT t.tgisinternal`;
