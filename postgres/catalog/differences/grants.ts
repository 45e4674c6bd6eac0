/** Rights on the table and on its columns. */

/**
 * Rights by grantee and privilege; who gave them does not matter, but only the giver can take them back. The owners of
 * child and parent count as one: a change of owner moves the old owner's rights to the new one. An absent list stands for
 * the owner's default rights. `$3`: every right but the owner's is to be revoked.
 */
export const GRANTS = `
SELECT child, 'grants', privilege, NULL, pg_catalog.pg_get_userbyid(grantee)::text, pg_catalog.pg_get_userbyid(grantor)::text,
  expected, found
FROM (
  SELECT coalesce(w.child, f.child) AS child, coalesce(w.privilege, f.privilege) AS privilege,
    nullif(coalesce(w.grantee, f.grantee), 0) AS grantee, f.grantor,
    ${granted("w")} AS expected, ${granted("f")} AS found
  FROM (
    SELECT p.child, g.privilege_type AS privilege, g.grantee, bool_or(g.is_grantable AND g.grantee <> p.new_owner) AS grantable
    FROM unequal p, pg_catalog.aclexplode(coalesce(p.new_acl, pg_catalog.acldefault('r', p.new_owner))) g
    WHERE NOT $3 OR g.grantee = p.new_owner GROUP BY 1, 2, 3) w
  FULL JOIN (
    SELECT p.child, g.privilege_type AS privilege, CASE WHEN g.grantee = p.old_owner THEN p.new_owner ELSE g.grantee END AS grantee,
      bool_or(g.is_grantable AND g.grantee NOT IN (p.old_owner, p.new_owner)) AS grantable,
      max(CASE WHEN g.grantor <> p.old_owner THEN g.grantor END) AS grantor
    FROM unequal p, pg_catalog.aclexplode(coalesce(p.old_acl, pg_catalog.acldefault('r', p.old_owner))) g GROUP BY 1, 2, 3) f
  ON f.child = w.child AND f.privilege = w.privilege AND f.grantee = w.grantee
) g WHERE expected IS DISTINCT FROM found`;

/** Pairs whose lists of rights are not the same text; most are. */
export const UNEQUAL = `
unequal AS MATERIALIZED (
  SELECT p.child, u.relacl AS new_acl, u.relowner AS new_owner, p.relacl AS old_acl, p.relowner AS old_owner
  FROM pairs p JOIN parents u ON u.oid = p.parent
  WHERE $3 OR p.relowner <> u.relowner OR p.relacl IS DISTINCT FROM u.relacl
)`;

export const COLUMN_GRANTS = `
SELECT child, 'columnGrants', privilege, "column", pg_catalog.pg_get_userbyid(grantee)::text, pg_catalog.pg_get_userbyid(grantor)::text,
  expected, found
FROM (
  SELECT coalesce(w.child, f.child) AS child, coalesce(w.privilege, f.privilege) AS privilege, coalesce(w.name, f.name) AS "column",
    nullif(coalesce(w.grantee, f.grantee), 0) AS grantee, f.grantor,
    ${granted("w")} AS expected, ${granted("f")} AS found
  FROM (
    SELECT p.child, u.attname::text AS name, g.privilege_type AS privilege, g.grantee, bool_or(g.is_grantable) AS grantable
    FROM pairs p JOIN parent_columns u ON u.attrelid = p.parent AND u.attacl IS NOT NULL,
      pg_catalog.aclexplode(u.attacl) g
    WHERE NOT $3 GROUP BY 1, 2, 3, 4) w
  FULL JOIN (
    SELECT a.child, a.attname::text AS name, g.privilege_type AS privilege,
      CASE WHEN g.grantee = a.relowner THEN u.relowner ELSE g.grantee END AS grantee, bool_or(g.is_grantable) AS grantable,
      max(CASE WHEN g.grantor <> a.relowner THEN g.grantor END) AS grantor
    FROM remarkable_columns a JOIN parents u ON u.oid = a.parent, pg_catalog.aclexplode(a.attacl) g
    GROUP BY 1, 2, 3, 4) f
  ON f.child = w.child AND f.name = w.name AND f.privilege = w.privilege AND f.grantee = w.grantee
) g WHERE expected IS DISTINCT FROM found`;

function granted(side: string): string {
  return `CASE WHEN ${side}.child IS NOT NULL THEN CASE WHEN ${side}.grantable THEN 'granted with grant option' ELSE 'granted' END END`;
}
