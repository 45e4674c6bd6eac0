/** Who holds, or waits for, locks that are in the way of ours. */
import type { Session } from "./connection";
import type { Blocker } from "./errors";
import type { Clock } from "./ladder";
import { conflicts } from "./locks";
import { LOCK_MODES, type Lock, type LockMode } from "./statement";

interface LockRow extends Record<string, unknown> {
  pid: number | null;
  gid: string | null;
  user: string | null;
  application: string | null;
  client: string | null;
  state: string | null;
  age: number | null;
  query: string | null;
  relation: string | null;
  mode: string | null;
  granted: boolean;
  transaction: string | null;
}

/** What is shown of a session `a`, or of a prepared transaction `x`; its query is somebody else's text and is cut. */
const SESSION_COLUMNS = `
  coalesce(a.usename::text, x.owner::text) AS user, nullif(a.application_name, '') AS application,
  CASE WHEN a.pid IS NOT NULL THEN coalesce(pg_catalog.host(a.client_addr), 'local') END AS client, a.state,
  (extract(epoch FROM pg_catalog.clock_timestamp() - coalesce(a.xact_start, a.query_start, x.prepared)) * 1000)::float8 AS age,
  nullif(pg_catalog."left"(pg_catalog.regexp_replace(a.query, '\\s+', ' ', 'g'), 200), '') AS query`;

/**
 * Relations are found by name without locking them; names that do not exist yet have no locks. A prepared transaction has
 * no process: which one a lock belongs to is told by the lock on its own transaction id beside it.
 */
const HOLDERS = `
WITH wanted AS (
  SELECT name, pg_catalog.to_regclass(name)::oid AS oid FROM pg_catalog.unnest($1::text[]) AS w(name)
), locks AS MATERIALIZED (
  SELECT * FROM pg_catalog.pg_locks
)
SELECT l.pid, x.gid, w.name AS relation, l.mode, l.granted, l.virtualtransaction AS transaction, ${SESSION_COLUMNS}
FROM locks l
JOIN wanted w ON w.oid = l.relation
LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
LEFT JOIN (
  SELECT own.virtualtransaction, p.* FROM pg_catalog.pg_prepared_xacts p
  JOIN locks own ON own.locktype = 'transactionid' AND own.transactionid = p.transaction AND own.pid IS NULL
) x ON l.pid IS NULL AND x.virtualtransaction = l.virtualtransaction
WHERE l.locktype = 'relation' AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
ORDER BY l.pid, l.granted DESC`;

/**
 * Sessions here with a snapshot: FINALIZE waits for those that are older, and so does whoever puts rows into another table.
 * VACUUM and autovacuum, which may take hours, read no rows by theirs, and PostgreSQL waits for neither. Known by what they
 * report, since the kind of a process is hidden from an ordinary role. A snapshot is known again by its session,
 * transaction and xmin.
 */
const SNAPSHOTS = `
SELECT a.pid, NULL AS gid, NULL AS relation, NULL AS mode, true AS granted, ${SESSION_COLUMNS},
  pg_catalog.concat_ws(' ', a.pid, a.xact_start, a.backend_xmin) AS transaction
FROM pg_catalog.pg_stat_activity a LEFT JOIN pg_catalog.pg_prepared_xacts x ON false
WHERE a.datname = pg_catalog.current_database() AND a.backend_xmin IS NOT NULL AND a.pid <> pg_catalog.pg_backend_pid()
  AND a.backend_type IS DISTINCT FROM 'autovacuum worker'
  AND a.pid NOT IN (SELECT pid FROM pg_catalog.pg_stat_progress_vacuum)
ORDER BY a.xact_start`;

const NOBODY = new Set<LockMode>();

/** Everybody who holds or waits for a lock that conflicts with one of the wanted ones; one entry for each session. */
export async function findBlockers(session: Session, wanted: Lock[]): Promise<Blocker[]> {
  const modes = new Map<string, Set<LockMode>>();
  for (const { relation, mode } of wanted) modes.set(relation, (modes.get(relation) ?? new Set()).add(mode));
  const rows = await session.query<LockRow>(HOLDERS, [[...modes.keys()]]);
  const inTheWay = rows.filter((row) => {
    const held = modeOf(row.mode);
    return held !== undefined && [...(modes.get(row.relation ?? "") ?? NOBODY)].some((mode) => conflicts(mode, held));
  });
  return onePerSession(inTheWay.map(toBlocker));
}

/** Every lock that others hold on the relations, whatever its mode. */
export async function findUsers(session: Session, relations: string[]): Promise<Blocker[]> {
  return onePerSession((await session.query<LockRow>(HOLDERS, [relations])).map(toBlocker));
}

/** Transactions of this database that have a snapshot. */
export async function findSnapshots(session: Session): Promise<Blocker[]> {
  return (await session.query<LockRow>(SNAPSHOTS)).map(toBlocker);
}

function modeOf(pgMode: string | null): LockMode | undefined {
  return LOCK_MODES.find((mode) => pgMode === `${mode.toLowerCase().replace(/\b./g, upper).replaceAll(" ", "")}Lock`);
}

function upper(letter: string): string {
  return letter.toUpperCase();
}

function toBlocker(row: LockRow): Blocker {
  return {
    pid: row.pid ?? undefined,
    gid: row.gid ?? undefined,
    user: row.user ?? undefined,
    application: row.application ?? undefined,
    client: row.client ?? undefined,
    state: row.state ?? undefined,
    ageMs: row.age ?? undefined,
    transaction: row.transaction ?? undefined,
    query: row.query ?? undefined,
    relation: row.relation ?? undefined,
    mode: modeOf(row.mode),
    granted: row.granted,
  };
}

export function onePerSession(blockers: Blocker[]): Blocker[] {
  const first = new Map<string, Blocker>();
  for (const found of blockers) {
    const key = found.gid ?? String(found.pid);
    if (!first.has(key)) first.set(key, found);
  }
  return [...first.values()];
}

/** Those who are known to be so old; a prepared transaction never goes. */
export function olderThan(blockers: Blocker[], ms: number): Blocker[] {
  return blockers.filter(({ ageMs, gid }) => gid !== undefined || (ageMs !== undefined && ageMs >= ms));
}

/**
 * Those who will not have gone before a try of so many milliseconds is over: who has been there for as long. From a role
 * without the rights of `pg_read_all_stats` PostgreSQL hides how long others' transactions have been going on; such a one
 * is looked at again after that time.
 */
export async function whoStays(find: () => Promise<Blocker[]>, ms: number, clock: Clock): Promise<Blocker[]> {
  const found = await find();
  const hidden = new Set(
    found.flatMap(({ ageMs, gid, transaction }) => ((ageMs ?? gid) === undefined ? [transaction] : [])),
  );
  const staying = olderThan(found, ms);
  if (hidden.size === 0 || staying.length > 0) return staying;
  await clock.sleep(ms);
  const again = await find();
  return again.filter(
    (one) => olderThan([one], ms).length > 0 || (one.ageMs === undefined && hidden.has(one.transaction)),
  );
}
