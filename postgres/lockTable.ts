/**
 * Room in the server's shared lock table. It is one for all sessions: a transaction of ours that filled it would make
 * statements of the application fail (53200), so that ours take half of what is free, in as many transactions as needed.
 */
import type { Step } from "../topology/steps";
import type { Session } from "./connection";
import { strongest } from "./locks";
import type { ParentFacts } from "./parent";
import { renderStep } from "./statements";
import { relationsMade } from "./subtree";

/** Beside those on the indexes, for each table that is made: table, TOAST table with index, transaction and catalog. */
const LOCKS_PER_TABLE = 5;

/** Locks that may be taken besides those which all sessions hold now, and how many the server has room for in all. */
export interface LockRoom {
  free: number;
  capacity: number;
}

export async function readLockRoom(session: Session): Promise<LockRoom> {
  const [row] = await session.query<{ capacity: number; held: number }>(
    `SELECT (pg_catalog.current_setting('max_locks_per_transaction')::int8 *
       (pg_catalog.current_setting('max_connections')::int8 + pg_catalog.current_setting('max_prepared_transactions')::int8))::float8
       AS capacity,
       (SELECT count(*)::int FROM pg_catalog.pg_locks WHERE NOT fastpath) AS held`,
  );
  const { capacity, held } = row ?? { capacity: 0, held: 0 };
  return { capacity, free: Math.max(0, Math.floor((capacity - held) / 2)) };
}

/** An estimate from above of the locks that a step holds at once; each table is locked with its indexes. */
export function locksNeeded(step: Step, parent: ParentFacts): number {
  const made = relationsMade(step).length;
  const locked = strongest(renderStep(step, parent).flatMap(({ locks }) => locks)).length;
  const indexes = 1 + parent.attributes.indexes;
  return made * LOCKS_PER_TABLE + locked * indexes;
}

/** Divides steps of one transaction into as few as the lock table has room for; a step that is too large stands alone. */
export function inRoom(steps: Step[], parent: ParentFacts, { free }: LockRoom): Step[][] {
  const parts: Step[][] = [];
  let room = 0;
  for (const step of steps) {
    const needed = locksNeeded(step, parent);
    if (needed > room || parts.length === 0) {
      parts.push([]);
      room = free;
    }
    parts.at(-1)?.push(step);
    room -= needed;
  }
  return parts;
}
