/** Waits until every snapshot that is older than the copy has gone: its owner would not see the copied rows. */
import { type LockRow, SESSION_COLUMNS, toBlocker } from "../blockers";
import type { Session } from "../connection";
import { type Blocker, LockTimeoutError } from "../errors";
import type { Clock, LockLadder } from "../ladder";

interface SnapshotRow extends LockRow {
  snapshot: string;
}

/**
 * A snapshot is known again by its session, transaction and xmin. Other roles' transactions hide their start from an
 * ordinary role, which then waits for any transaction with that xmin. Whoever only cleans up or sends WAL reads no rows.
 */
const SNAPSHOTS = `
SELECT a.pid, NULL AS gid, NULL AS relation, NULL AS mode, true AS granted, ${SESSION_COLUMNS},
  pg_catalog.concat_ws(' ', a.pid, a.xact_start, a.backend_xmin) AS snapshot
FROM pg_catalog.pg_stat_activity a LEFT JOIN pg_catalog.pg_prepared_xacts x ON false
WHERE a.datname = pg_catalog.current_database() AND a.backend_xmin IS NOT NULL AND a.pid <> pg_catalog.pg_backend_pid()
  AND a.backend_type NOT IN ('autovacuum worker', 'walsender') ORDER BY a.pid`;

export interface SnapshotWait {
  session: Session;
  clock: Clock;
  ladder: LockLadder;
  signal?: AbortSignal;
  onWait(blockers: Blocker[]): void;
}

/** @throws LockTimeoutError that names those who are left when the budget is used up. */
export async function waitForOlderSnapshots({ session, clock, ladder, signal, onWait }: SnapshotWait): Promise<void> {
  const started = clock.now();
  let older: Set<string> | undefined;
  for (let pause = ladder.look.first; ; pause = Math.min(pause * 1.5, ladder.look.most)) {
    signal?.throwIfAborted();
    const rows = await session.query<SnapshotRow>(SNAPSHOTS);
    const left = rows.filter(({ snapshot }) => older === undefined || older.has(snapshot));
    if (left.length === 0) return;
    older = new Set(left.map(({ snapshot }) => snapshot));
    const blockers = left.map(toBlocker);
    if (clock.now() - started >= ladder.budget) throw new LockTimeoutError(blockers, clock.now() - started, 0);
    onWait(blockers);
    await clock.sleep(pause, signal);
  }
}
