/** Looks who stays in the way of a transaction, and has PostgreSQL end an autovacuum that does. */
import { whoStays } from "./blockers";
import type { Session } from "./connection";
import { type Blocker, hasSqlstate, SQLSTATE } from "./errors";
import type { Clock } from "./ladder";

/** Beyond `deadlock_timeout`, in milliseconds: what an autovacuum takes to notice that it is to end. */
const GRACE_MS = 1_000;

/** Nothing was won: the next look tells who is there. */
const NOT_HAD = [
  SQLSTATE.lockNotAvailable,
  SQLSTATE.deadlockDetected,
  SQLSTATE.undefinedTable,
  SQLSTATE.insufficientPrivilege,
  SQLSTATE.wrongObjectType,
];

/**
 * An autovacuum may hold its lock for hours. PostgreSQL ends it for whoever has waited for `deadlock_timeout`, unless it
 * prevents wraparound; our tries never wait for so long. So when nobody else is in the way, a lock that neither readers nor
 * writers mind is queued for, once for each who holds one.
 */
export function lookout(
  session: Session,
  clock: Clock,
  find: () => Promise<Blocker[]>,
): (ms: number) => Promise<Blocker[]> {
  const asked = new Set<string | undefined>();
  return async (ms) => {
    const staying = await whoStays(find, ms, clock);
    const fresh = staying.filter(({ transaction }) => !asked.has(transaction));
    if (fresh.length === 0 || !staying.every(mayBeAutovacuum)) return staying;
    for (const { transaction } of fresh) asked.add(transaction);
    for (const relation of new Set(fresh.map((blocker) => blocker.relation))) await queueFor(session, relation);
    return whoStays(find, ms, clock);
  };
}

function mayBeAutovacuum({ mode, granted, gid }: Blocker): boolean {
  return mode === "SHARE UPDATE EXCLUSIVE" && granted && gid === undefined;
}

async function queueFor(session: Session, relation: string | undefined): Promise<void> {
  const [setting] = await session.query<{ ms: number }>(
    "SELECT setting::int AS ms FROM pg_catalog.pg_settings WHERE name = 'deadlock_timeout'",
  );
  try {
    await session.transaction(async () => {
      await session.query(`SET LOCAL lock_timeout = ${(setting?.ms ?? 0) + GRACE_MS}`);
      await session.query(`LOCK TABLE ONLY ${relation} IN SHARE UPDATE EXCLUSIVE MODE`);
    });
  } catch (error) {
    if (!hasSqlstate(error, ...NOT_HAD)) throw error;
  }
}
