/** What the role lacks for a plan: found before anything is done, with the GRANT that helps. */
import type { Finding, Plan, Step } from "../topology/steps";
import type { Session } from "./connection";
import { qualified } from "./identifiers";
import type { CatalogParent } from "./parent";
import { relationsMade } from "./subtree";

interface NeedRow extends Record<string, unknown> {
  relation: string | null;
  reason: string;
}

/**
 * ATTACH, DETACH and DROP are for owners; a new table needs CREATE on its schema and its tablespace, by the role that makes
 * it and, unless a superuser gives it away, by the one that is to own it, and USAGE there to be attached. Without a right to lock a referencing table nothing fails, but its lock comes last.
 */
const NEEDS = `
WITH touched AS (
  SELECT c.*, pg_catalog.format('%I.%I', n.nspname, c.relname) AS relation
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = ANY ($1::oid[])
), makers AS (
  SELECT current_user::text AS role
  UNION SELECT $4::text FROM pg_catalog.pg_roles WHERE $4 IS NOT NULL AND rolname = current_user AND NOT rolsuper
)
SELECT relation, pg_catalog.format('%s belongs to %s; %s is not a member of that role.',
    relation, pg_catalog.pg_get_userbyid(relowner), current_user) AS reason
FROM touched WHERE NOT pg_catalog.pg_has_role(relowner, 'USAGE')
UNION ALL
SELECT NULL, pg_catalog.format('%1$s may not create tables in schema %2$I: GRANT CREATE ON SCHEMA %2$I TO %1$I.', role, n.nspname)
FROM makers, pg_catalog.pg_namespace n
WHERE n.nspname = ANY ($2::text[]) AND NOT pg_catalog.has_schema_privilege(role::name, n.oid, 'CREATE')
UNION ALL
SELECT NULL, pg_catalog.format('%1$s may not create tables in tablespace %2$I: GRANT CREATE ON TABLESPACE %2$I TO %1$I.', role, t.spcname)
FROM makers, pg_catalog.pg_tablespace t
WHERE t.spcname = $3 AND NOT pg_catalog.has_tablespace_privilege(role::name, t.oid, 'CREATE')
UNION ALL
SELECT NULL, pg_catalog.format('Schema %I does not exist. Make it first: CREATE SCHEMA %1$I AUTHORIZATION %I.', name, current_user)
FROM pg_catalog.unnest($2::text[]) AS wanted(name)
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = wanted.name::name)
UNION ALL
SELECT NULL, pg_catalog.format('%1$s may not look up tables in schema %2$I: GRANT USAGE ON SCHEMA %2$I TO %1$I.', current_user, nspname)
FROM pg_catalog.pg_namespace WHERE nspname = ANY ($2::text[]) AND NOT pg_catalog.has_schema_privilege(oid, 'USAGE')`;

/** Steps that make tables. */
const MAKING = new Set<Step["kind"]>(["create", "reorganize"]);

export async function missingPrivileges(session: Session, plan: Plan, parent: CatalogParent): Promise<Finding[]> {
  const oids = plan.steps.flatMap(({ oid, reorganization }) => [
    ...(oid === undefined ? [] : [oid]),
    ...(reorganization?.sources.flatMap(({ oid: source, below = [] }) => [source, ...below.map((one) => one.oid)]) ??
      []),
  ]);
  const making = plan.steps.filter(
    ({ kind, current, schema }) => MAKING.has(kind) || (current !== undefined && current.schema !== schema),
  );
  const creates = plan.steps.some(({ kind }) => MAKING.has(kind));
  const { owner, tablespace } = parent.attributes;
  const rows = await session.query<NeedRow>(NEEDS, [
    [parent.oid, ...oids],
    [...new Set(making.flatMap((step) => [step, ...relationsMade(step)]).map(({ schema }) => schema))],
    creates ? (tablespace ?? null) : null,
    creates ? (owner ?? null) : null,
  ]);
  const errors = rows.map(
    ({ relation, reason }): Finding => ({
      severity: "error",
      path: "",
      relation: relation ?? qualified(parent),
      reason,
    }),
  );
  return [...errors, ...unlockable(plan, parent)];
}

/** Locked before the parent, a referencing table makes a detach a matter of one try; behind it, of many. */
function unlockable(plan: Plan, parent: CatalogParent): Finding[] {
  if (!plan.steps.some(({ method }) => method === "detachPlain" || method === "detachAttach")) return [];
  const lockable = new Set(parent.lockFirst.map(qualified));
  return parent.referencedBy.map(qualified).flatMap((table): Finding[] => {
    if (lockable.has(table)) return [];
    const reason =
      `This role may not lock ${table}, which references ${qualified(parent)}, before the parent is locked; beside many` +
      ` writers of it a detach may need many tries. GRANT TRUNCATE ON ${table} to it spares them.`;
    return [{ severity: "warning", path: "", relation: table, reason }];
  });
}
