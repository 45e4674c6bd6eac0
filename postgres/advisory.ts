/** One run at a time on each parent: a session-level advisory lock that a killed run loses with its session. */
import type { Session } from "./connection";
import { type Blocker, describeBlockers } from "./errors";
import type { Clock } from "./ladder";

/** First key of every advisory lock of this product: "pgpt" in ASCII. */
export const ADVISORY_CLASS = 0x70677074;

/** First key for builds of indexes ("pgpx"), which may take hours and must not keep partitions from being made. */
export const INDEX_ADVISORY_CLASS = 0x70677078;

/** Another run works on the same table. */
export class ParentBusyError extends Error {
  override name = "ParentBusyError";
}

/** All times in milliseconds. */
export interface AdvisoryWait {
  budget: number;
  poll: number;
}

export const DEFAULT_ADVISORY_WAIT: AdvisoryWait = { budget: 60_000, poll: 250 };

/**
 * Runs the action while no other run works on the parent.
 * @throws ParentBusyError that names the other session when it does not end in time.
 */
export async function withParentLock<T>(
  session: Session,
  parent: { oid: number; label: string },
  wait: AdvisoryWait,
  clock: Clock,
  signal: AbortSignal | undefined,
  action: () => Promise<T>,
  lockClass = ADVISORY_CLASS,
): Promise<T> {
  // An OID is unsigned, the key is not.
  const keys = [lockClass, parent.oid | 0];
  const started = clock.now();
  for (;;) {
    signal?.throwIfAborted();
    const [row] = await session.query<{ taken: boolean }>(
      "SELECT pg_catalog.pg_try_advisory_lock($1::int, $2::int) AS taken",
      keys,
    );
    if (row?.taken) break;
    if (clock.now() - started >= wait.budget) throw await busy(session, parent, lockClass);
    await clock.sleep(wait.poll, signal);
  }
  try {
    return await action();
  } finally {
    await session.query("SELECT pg_catalog.pg_advisory_unlock($1::int, $2::int)", keys).catch(() => undefined);
  }
}

const HOLDER = `
SELECT l.pid, a.usename::text AS user, nullif(a.application_name, '') AS application,
  coalesce(pg_catalog.host(a.client_addr), 'local') AS client, a.state,
  (extract(epoch FROM pg_catalog.clock_timestamp() - a.backend_start) * 1000)::float8 AS age
FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.classid = $1 AND l.objid = $2 AND l.objsubid = 2
  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())`;

async function busy(
  session: Session,
  parent: { oid: number; label: string },
  lockClass: number,
): Promise<ParentBusyError> {
  const rows = await session.query<{
    pid: number;
    user: string | null;
    application: string | null;
    client: string | null;
    state: string | null;
    age: number | null;
  }>(HOLDER, [lockClass, parent.oid]);
  const holders = rows.map(
    (row): Blocker => ({
      pid: row.pid,
      user: row.user ?? undefined,
      application: row.application ?? undefined,
      client: row.client ?? undefined,
      state: row.state ?? undefined,
      ageMs: row.age ?? undefined,
      relation: parent.label,
      mode: "EXCLUSIVE",
      granted: true,
    }),
  );
  return new ParentBusyError(`Another run works on ${parent.label}. ${describeBlockers(holders)}`);
}
