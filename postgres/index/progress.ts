/** How far a build is, as the server tells it. */
import type { Session, Sessions } from "../connection";

export interface BuildProgress {
  /** PostgreSQL's own words, such as `building index: scanning table`. */
  phase: string;
  /** Of the present phase, from 0 to 1; undefined while it only waits. */
  part?: number;
  /** The process that is waited for. */
  waitsFor?: number;
}

/** Time between two looks, in milliseconds. */
const LOOK_MS = 1_000;

const PROGRESS = `
SELECT phase, current_locker_pid::int AS locker, blocks_done::float8 AS blocks, blocks_total::float8 AS all_blocks,
  tuples_done::float8 AS tuples, tuples_total::float8 AS all_tuples
FROM pg_catalog.pg_stat_progress_create_index WHERE pid = $1`;

interface ProgressRow extends Record<string, unknown> {
  phase: string;
  locker: number;
  blocks: number;
  all_blocks: number;
  tuples: number;
  all_tuples: number;
}

/** Reports about the builder's work from another session until the work ends; a look that fails is left out. */
export async function withProgress<T>(
  sessions: Sessions,
  builder: Session,
  report: (progress: BuildProgress) => void,
  work: () => Promise<T>,
): Promise<T> {
  let busy = false;
  const timer = setInterval(() => {
    // Where all sessions are in use a look waits for one; a second one would only wait behind it.
    if (busy) return;
    busy = true;
    look(sessions, builder.pid)
      .then((progress) => progress && report(progress))
      .catch(() => undefined)
      .finally(() => {
        busy = false;
      });
  }, LOOK_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}

async function look(sessions: Sessions, pid: number): Promise<BuildProgress | undefined> {
  const [row] = await sessions.withSession((session) => session.query<ProgressRow>(PROGRESS, [pid]));
  if (row === undefined) return undefined;
  const [done, all] = row.all_tuples > 0 ? [row.tuples, row.all_tuples] : [row.blocks, row.all_blocks];
  return {
    phase: row.phase,
    part: all > 0 ? done / all : undefined,
    waitsFor: row.locker > 0 ? row.locker : undefined,
  };
}
