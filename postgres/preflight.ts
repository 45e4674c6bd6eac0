/** Looks, before anything is done, for what would make a plan fail or wait: reads only, and quickly. */
import type { Finding, Plan, Step } from "../topology/model";
import { findSnapshots, findUsers } from "./blockers";
import type { Session } from "./connection";
import { describeBlockers } from "./errors";
import { qualified } from "./identifiers";
import type { CatalogParent, CatalogSet } from "./parent";
import { preflightReorganizations } from "./reorganize/obstacles";
import type { ServerFacts } from "./server";
import { renderStep } from "./statements";
import { relationsMade } from "./subtree";

/** A session that has been idle in a transaction for so long will probably stay, in milliseconds. */
const IDLE_LIMIT_MS = 1_000;

/**
 * Findings of severity `error` mean that the plan cannot succeed; `warning`, that it may have to wait or to fail. An empty
 * plan is not looked at.
 */
export async function preflight(
  session: Session,
  server: ServerFacts,
  plan: Plan,
  set: CatalogSet,
): Promise<Finding[]> {
  const { parent } = set;
  if (plan.steps.length === 0 || parent === undefined) return [];
  return [
    ...standby(server, parent),
    ...(await privileges(session, plan, parent)),
    ...(await holders(session, plan, parent)),
    ...(await lockTable(session, plan, parent)),
    ...publications(plan, set, parent),
    ...(await preflightReorganizations(session, plan.steps, parent)),
  ];
}

function finding(severity: Finding["severity"], path: string, relation: string, reason: string): Finding {
  return { severity, path, relation, reason };
}

function standby(server: ServerFacts, parent: CatalogParent): Finding[] {
  if (!server.inRecovery) return [];
  return [
    finding("error", "", qualified(parent), `Database ${server.database} is on a standby; connect to the primary.`),
  ];
}

interface PrivilegeRow extends Record<string, unknown> {
  oid: number;
  relation: string;
  owner: string;
  owned: boolean;
  creatable: boolean;
  role: string;
}

/** ATTACH, DETACH and DROP are for owners; a new table needs CREATE on the schema. */
async function privileges(session: Session, plan: Plan, parent: CatalogParent): Promise<Finding[]> {
  const touched = plan.steps.flatMap(({ oid, reorganization }) => [
    ...(oid === undefined ? [] : [oid]),
    ...(reorganization?.sources.map((source) => source.oid) ?? []),
  ]);
  const rows = await session.query<PrivilegeRow>(
    `SELECT c.oid, pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) AS relation,
       pg_catalog.pg_get_userbyid(c.relowner)::text AS owner, current_user::text AS role,
       pg_catalog.pg_has_role(c.relowner, 'USAGE') AS owned,
       pg_catalog.has_schema_privilege(c.relnamespace, 'CREATE') AS creatable
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.oid = ANY ($1::oid[]) ORDER BY c.oid`,
    [[parent.oid, ...touched]],
  );
  const foreign = rows.filter(({ owned }) => !owned);
  const creates = plan.steps.some(({ kind }) => kind === "create" || kind === "reorganize");
  const closed = creates ? rows.filter((row) => row.oid === parent.oid && !row.creatable) : [];
  return [
    ...foreign.map(({ relation, owner, role }) =>
      finding("error", "", relation, `${relation} belongs to ${owner}; ${role} is not a member of that role.`),
    ),
    ...closed.map(({ relation, role }) =>
      finding(
        "error",
        "",
        relation,
        `${role} may not create tables in the schema of ${relation}: GRANT CREATE ON SCHEMA.`,
      ),
    ),
  ];
}

/**
 * Prepared transactions and sessions idle in a transaction hold their locks until somebody ends them; the end of an
 * interrupted detach also waits for every older snapshot in the database.
 */
async function holders(session: Session, plan: Plan, parent: CatalogParent): Promise<Finding[]> {
  const relations = new Set(
    plan.steps.flatMap((step) =>
      renderStep(step, parent).flatMap(({ locks }) => locks.map(({ relation }) => relation)),
    ),
  );
  const users = await findUsers(session, [...relations]);
  const staying = users.filter(
    ({ gid, state, ageMs }) =>
      gid !== undefined || (state?.startsWith("idle in transaction") && ageMs >= IDLE_LIMIT_MS),
  );
  const finalizes = plan.steps.some(({ method }) => method === "finalize");
  const known = new Set(staying.map(({ pid }) => pid));
  const snapshots = finalizes ? await findSnapshots(session, IDLE_LIMIT_MS) : [];
  return [...staying, ...snapshots.filter(({ pid }) => !known.has(pid))].map((blocker) => {
    const advice =
      "The update waits for it as long as the lock ladder allows, and then fails without having done anything.";
    return finding("warning", "", blocker.relation ?? qualified(parent), `${describeBlockers([blocker])} ${advice}`);
  });
}

/** A table, its TOAST table with index, and a row type's worth of catalog locks. */
const LOCKS_PER_TABLE = 4;

async function lockTable(session: Session, plan: Plan, parent: CatalogParent): Promise<Finding[]> {
  const sizes = new Map<number, number>();
  for (const step of plan.steps) {
    const tables = Math.max(1, relationsMade(step).length);
    sizes.set(step.transaction, (sizes.get(step.transaction) ?? 0) + tables);
  }
  const biggest = Math.max(...sizes.values());
  const needed = biggest * (LOCKS_PER_TABLE + parent.attributes.indexes);
  const [row] = await session.query<{ available: number }>(
    `SELECT (pg_catalog.current_setting('max_locks_per_transaction')::int8 *
       (pg_catalog.current_setting('max_connections')::int8 + pg_catalog.current_setting('max_prepared_transactions')::int8))::float8
       AS available`,
  );
  if (row === undefined || needed <= row.available / 2) return [];
  const reason =
    `The largest transaction of this plan takes about ${needed} locks; the server has room for ${row.available} in all` +
    " sessions together. Raise max_locks_per_transaction (needs a restart).";
  return [finding("warning", "", qualified(parent), reason)];
}

const ATTACHING = new Set<Step["kind"]>(["create", "attach", "rebound", "reorganize"]);

function publications(plan: Plan, set: CatalogSet, parent: CatalogParent): Finding[] {
  if (!plan.steps.some(({ kind }) => ATTACHING.has(kind))) return [];
  return set.publicationsByName.map((name) => {
    const reason = `Publication ${name} names partitions of ${qualified(parent)} one by one: it will not publish new ones. Add them to it, or the parent instead.`;
    return finding("warning", "", qualified(parent), reason);
  });
}
