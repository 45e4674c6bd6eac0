/** Row security policies, by name. */

/**
 * Expressions are printed as if they were the parent's, which locks the parent only: with the child's own OID
 * `pg_get_expr` would wait for whoever locks the child. That is not possible for a child whose columns stand at other
 * numbers than the parent's; such a one is printed by itself.
 */
export const POLICIES = `
SELECT coalesce(w.child, f.child), 'policies', coalesce(w.name, f.name), NULL, NULL, NULL, w.definition, f.definition
FROM (SELECT p.child, l.name, l.definition FROM pairs p JOIN parent_policies l ON l.parent = p.parent WHERE p.relkind <> 'f') w
FULL JOIN (
  SELECT p.child, l.polname::text AS name,
    CASE WHEN l.polqual::text IS NOT DISTINCT FROM u.polqual AND l.polwithcheck::text IS NOT DISTINCT FROM u.polwithcheck
      THEN ${head("l")} || u.expressions
      ELSE ${head("l")} || ${expressions("l", "CASE WHEN y.aligned THEN p.parent ELSE p.child END")} END AS definition
  FROM pairs p JOIN pg_catalog.pg_policy l ON l.polrelid = p.child
  LEFT JOIN parent_policies u ON u.parent = p.parent AND u.name = l.polname
  CROSS JOIN LATERAL (SELECT NOT EXISTS (
    SELECT FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_attribute b ON b.attrelid = p.parent AND b.attname = a.attname
    WHERE a.attrelid = p.child AND a.attnum > 0 AND NOT a.attisdropped AND a.attnum <> b.attnum) AS aligned OFFSET 0) y
) f ON f.child = w.child AND f.name = w.name
WHERE w.definition IS DISTINCT FROM f.definition`;

/** Printed once for each parent. */
export const PARENT_POLICIES = `
parent_policies AS MATERIALIZED (
  SELECT l.polrelid AS parent, l.polname::text AS name, l.polqual::text AS polqual, l.polwithcheck::text AS polwithcheck,
    ${expressions("l", "l.polrelid")} AS expressions, ${head("l")} || ${expressions("l", "l.polrelid")} AS definition
  FROM pg_catalog.pg_policy l WHERE l.polrelid = ANY ($5::oid[])
)`;

function head(policy: string): string {
  return (
    `CASE WHEN ${policy}.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END || ' FOR ' || CASE ${policy}.polcmd` +
    " WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END || ' TO ' ||" +
    " (SELECT string_agg(CASE WHEN r = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(r)) END, ', '" +
    ` ORDER BY pg_catalog.pg_get_userbyid(r)) FROM pg_catalog.unnest(${policy}.polroles) r)`
  );
}

function expressions(policy: string, relation: string): string {
  const clause = (word: string, column: string) =>
    `coalesce(' ${word} (' || pg_catalog.pg_get_expr(${policy}.${column}, ${relation}) || ')', '')`;
  return `${clause("USING", "polqual")} || ${clause("WITH CHECK", "polwithcheck")}`;
}
