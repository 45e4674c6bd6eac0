/** Whether somebody may have changed a table since it was looked at. */
import type { Session } from "../connection";

/**
 * What PostgreSQL knows of changes of a table's rows: equal states mean that nobody has changed it, different ones that
 * somebody may have (statistics can be reset, and a crash forgets them; a writer reports up to a minute late). It saves
 * reading; nothing is ever deleted because of it.
 */
export interface ChangeState {
  /** pg_relation_filenode(): another one after TRUNCATE, VACUUM FULL and everything else that rewrites. */
  filenode: string;
  inserted: string;
  updated: string;
  deleted: string;
  /** What the numbers are counted from, see {@link readEpoch}; absent: nobody counts. */
  since?: string;
}

/** Columns of {@link ChangeState} for the relation `c`. */
export const CHANGE_COLUMNS = `
  coalesce(pg_catalog.pg_relation_filenode(c.oid), 0)::text AS filenode,
  pg_catalog.pg_stat_get_tuples_inserted(c.oid)::text AS inserted,
  pg_catalog.pg_stat_get_tuples_updated(c.oid)::text AS updated,
  pg_catalog.pg_stat_get_tuples_deleted(c.oid)::text AS deleted`;

export interface ChangeRow extends Record<string, unknown> {
  filenode: string;
  inserted: string;
  updated: string;
  deleted: string;
}

interface EpochRow extends Record<string, unknown> {
  counted: boolean;
  reset: string;
  started: string;
  permitted: boolean;
}

/**
 * A crash forgets all counters without touching the database's `stats_reset` (which stays NULL since 15), but begins those
 * of the archiver anew, whose time a clean restart keeps.
 */
const EPOCH = `
SELECT pg_catalog.current_setting('track_counts')::boolean AS counted,
  pg_catalog.concat_ws(' ', coalesce(d.stats_reset::text, 'never'), a.stats_reset::text) AS reset,
  pg_catalog.pg_postmaster_start_time()::text AS started,
  pg_catalog.has_function_privilege('pg_catalog.pg_control_checkpoint()', 'EXECUTE') AS permitted
FROM pg_catalog.pg_stat_archiver a, pg_catalog.pg_stat_database d WHERE d.datname = pg_catalog.current_database()`;

/** A server that was a standby for a while keeps its counters, and has not counted what came from the primary. */
const TIMELINE = "SELECT timeline_id::text AS timeline FROM pg_catalog.pg_control_checkpoint()";

/** Another one whenever counters may have missed changes; undefined: this server does not count (`track_counts`). */
export async function readEpoch(session: Session): Promise<string | undefined> {
  const [row] = await session.query<EpochRow>(EPOCH);
  if (!row?.counted) return undefined;
  if (!row.permitted) return `${row.reset} ${row.started}`;
  const [found] = await session.query<{ timeline: string }>(TIMELINE);
  return `${row.reset} ${found?.timeline}`;
}

const FLUSHES = "SELECT pg_catalog.to_regproc('pg_catalog.pg_stat_force_next_flush') IS NOT NULL AS there";

/**
 * Has the counters say now what this session has done, of which they are told up to a minute late: an export of a table that was
 * just filled would look like one that has changed since. Before 15 there is no way; the next update finds it unchanged.
 */
export async function flushCounters(session: Session): Promise<void> {
  const [row] = await session.query<{ there: boolean }>(FLUSHES);
  if (row?.there) await session.query("SELECT pg_catalog.pg_stat_force_next_flush()");
}

export function changeState(row: ChangeRow, since: string | undefined): ChangeState {
  const { filenode, inserted, updated, deleted } = row;
  return { filenode, inserted, updated, deleted, ...(since !== undefined && { since }) };
}

/** True when nobody has changed the table between the two. */
export function isUnchanged(before: ChangeState, after: ChangeState): boolean {
  if (after.since === undefined) return false;
  return (["filenode", "inserted", "updated", "deleted", "since"] as const).every((key) => before[key] === after[key]);
}

interface RootChangeRow extends ChangeRow {
  root: number;
  oid: number;
}

const OF_ROOTS = `
WITH RECURSIVE tree AS (
  SELECT oid AS root, oid FROM pg_catalog.unnest($1::oid[]) AS wanted(oid) UNION ALL
  SELECT tree.root, i.inhrelid FROM tree JOIN pg_catalog.pg_inherits i ON i.inhparent = tree.oid
)
SELECT tree.root, c.oid, ${CHANGE_COLUMNS}
FROM tree JOIN pg_catalog.pg_class c ON c.oid = tree.oid WHERE c.relkind <> 'p' ORDER BY tree.root, c.oid`;

/** States of the tables below some relations (or of these themselves) that hold rows: by OID of the relation, then of the table. */
export async function readChanges(
  session: Session,
  oids: readonly number[],
): Promise<Map<number, Map<number, ChangeState>>> {
  const found = new Map<number, Map<number, ChangeState>>();
  if (oids.length === 0) return found;
  const since = await readEpoch(session);
  for (const { root, oid, ...row } of await session.query<RootChangeRow>(OF_ROOTS, [oids])) {
    const leaves = found.get(root) ?? new Map<number, ChangeState>();
    found.set(root, leaves.set(oid, changeState(row, since)));
  }
  return found;
}
