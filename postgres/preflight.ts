/** Looks, before anything is done, for what would make a plan fail or wait: reads only, and quickly. */

import { join } from "../topology/policy/reader";
import type { Finding, Plan, Step } from "../topology/steps";
import { findBlockers, findSnapshots, findUsers, olderThan, onePerSession, whoStays } from "./blockers";
import type { Session } from "./connection";
import { type Blocker, describeBlockers } from "./errors";
import { qualified } from "./identifiers";
import { systemClock } from "./ladder";
import { locksNeeded, readLockRoom } from "./lockTable";
import type { CatalogParent, CatalogSet } from "./parent";
import { missingPrivileges } from "./privileges";
import { preflightReorganizations } from "./reorganize/obstacles";
import type { ServerFacts } from "./server";
import { renderStep } from "./statements";

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
    ...unwritable(server, parent),
    ...(await missingPrivileges(session, plan, parent)),
    ...(await holders(session, plan, parent)),
    ...(await lockTable(session, plan, parent)),
    ...publications(plan, set, parent),
    ...(await unrepairable(session, plan, parent)),
    ...(await preflightReorganizations(session, plan.steps, parent)),
  ];
}

function finding(severity: Finding["severity"], path: string, relation: string, reason: string): Finding {
  return { severity, path, relation, reason };
}

/** Why the server takes no changes at all. */
function unwritable({ inRecovery, readOnly, database, role }: ServerFacts, parent: CatalogParent): Finding[] {
  const refused = (reason: string) => [finding("error", "", qualified(parent), reason)];
  if (inRecovery) return refused(`Database ${database} is on a standby; connect to the primary.`);
  if (!readOnly) return [];
  return refused(
    `default_transaction_read_only is on for ${role} in database ${database}: nothing can be changed (25006). Connect as` +
      " another role, or have whoever has set it (ALTER ROLE, ALTER DATABASE, postgresql.conf) take it back.",
  );
}

/**
 * Prepared transactions and sessions idle in a transaction hold their locks until somebody ends them; the end of an
 * interrupted detach also waits for every older snapshot in the database.
 */
async function holders(session: Session, plan: Plan, parent: CatalogParent): Promise<Finding[]> {
  const statements = plan.steps.flatMap((step) => renderStep(step, parent));
  const used = [...new Set(statements.flatMap(({ waitsFor = [] }) => waitsFor))];
  const locks = statements.flatMap((statement) => statement.locks);
  const find = async () =>
    onePerSession([...(await findUsers(session, used)), ...(await findBlockers(session, locks))]);
  const staying = (await whoStays(find, IDLE_LIMIT_MS, systemClock)).filter(mayStay);
  const finalizes = plan.steps.some(({ method }) => method === "finalize");
  const known = new Set(staying.map(({ pid }) => pid));
  const snapshots = finalizes ? olderThan(await findSnapshots(session), IDLE_LIMIT_MS) : [];
  return [...staying, ...snapshots.filter(({ pid }) => !known.has(pid))].map((blocker) => {
    const advice =
      "The update waits for it as long as the lock ladder allows, and then fails without having done anything.";
    return finding("warning", "", blocker.relation ?? qualified(parent), `${describeBlockers([blocker])} ${advice}`);
  });
}

/** One whose state is hidden from this role may be idle as well. */
function mayStay({ gid, state, ageMs }: Blocker): boolean {
  return gid !== undefined || ageMs === undefined || state?.startsWith("idle in transaction") === true;
}

/** What fits in no transaction at all; several steps that are too many for one are carried out in several. */
async function lockTable(session: Session, plan: Plan, parent: CatalogParent): Promise<Finding[]> {
  const { free, capacity } = await readLockRoom(session);
  return plan.steps.flatMap((step) => {
    const needed = locksNeeded(step, parent);
    if (needed <= free) return [];
    const reason =
      `${step.id} takes about ${needed} locks at once; the server has room for ${capacity} in all sessions together, and` +
      ` ${free} of them may be taken now without making others fail (53200). Raise max_locks_per_transaction (needs a restart).`;
    return [
      { ...finding("error", join("partitions", step.partition), qualified(parent), reason), partition: step.partition },
    ];
  });
}

/** Who puts a foreign key back needs the right to make one, as its first owner did. */
async function unrepairable(session: Session, plan: Plan, parent: CatalogParent): Promise<Finding[]> {
  const keeping = plan.steps.filter(({ keepsForeignKeys }) => keepsForeignKeys);
  const tables = keeping.flatMap(({ oid = 0 }) =>
    (parent.childFacts[oid]?.lostForeignKeys ?? []).flatMap(({ references: [target] }) =>
      target ? [qualified(target)] : [],
    ),
  );
  const rows = await session.query<{ name: string; role: string }>(
    `SELECT name, current_user::text AS role FROM pg_catalog.unnest($1::text[]) AS wanted(name)
     WHERE NOT pg_catalog.has_table_privilege(name, 'REFERENCES')`,
    [[...new Set(tables)]],
  );
  return rows.map(({ name, role }) => {
    const reason =
      `PostgreSQL ${parent.major} drops foreign keys of a partition that is detached, and ${role} may not put those to ${name}` +
      ` back: GRANT REFERENCES ON ${name} TO ${role}.`;
    return finding("error", "", name, reason);
  });
}

const ATTACHING = new Set<Step["kind"]>(["create", "attach", "rebound", "reorganize"]);

function publications(plan: Plan, set: CatalogSet, parent: CatalogParent): Finding[] {
  if (!plan.steps.some(({ kind }) => ATTACHING.has(kind))) return [];
  return set.publicationsByName.map((name) => {
    const reason = `Publication ${name} names partitions of ${qualified(parent)} one by one: it will not publish new ones. Add them to it, or the parent instead.`;
    return finding("warning", "", qualified(parent), reason);
  });
}
