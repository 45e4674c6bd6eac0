/** Divides the statements of some steps into transactions, and says what each of them locks. */
import type { Step } from "../topology/steps";
import { qualified } from "./identifiers";
import { blocks, strongest } from "./locks";
import type { Lock, Statement } from "./statement";
import { relationsMade } from "./subtree";

/** A step with its statements. */
export interface RenderedStep {
  step: Step;
  statements: Statement[];
}

/** One transaction; or one statement that cannot be in any. */
export interface Segment {
  items: { step: Step; statement: Statement }[];
  transactional: boolean;
}

/** Statements share a transaction until one of them has to be committed by itself. */
export function segmentsOf(rendered: RenderedStep[]): Segment[] {
  const segments: Segment[] = [];
  let open: Segment | undefined;
  for (const { step, statements } of rendered) {
    for (const statement of statements) {
      if (statement.alone || open === undefined) {
        open = { items: [], transactional: statement.transactional };
        segments.push(open);
      }
      open.items.push({ step, statement });
      if (statement.alone) open = undefined;
    }
  }
  return segments;
}

/** Locks on relations that are there before the segment begins: the only ones that anybody else can hold. */
export function contestedLocks(segment: Segment): Lock[] {
  const created = new Set(segment.items.flatMap(({ step }) => relationsMade(step).map(qualified)));
  const locks = segment.items.flatMap(({ statement }) => statement.locks);
  return strongest(locks).filter(({ relation }) => !created.has(relation));
}

/** PostgreSQL refuses 0, which would mean for ever; less than this is not a try. */
const LEAST_TIMEOUT_MS = 10;

/**
 * lock_timeout for each lock of a segment. It counts for every wait anew, and whoever queues behind the first lock waits
 * for all of them: so that nobody waits longer than one step of the ladder, those that block reads or writes share it.
 */
export function lockTimeout(stepMs: number, locks: Lock[]): number {
  const blocking = locks.filter(({ mode }) => blocks(mode).writes);
  return Math.max(LEAST_TIMEOUT_MS, Math.floor(stepMs / Math.max(1, blocking.length)));
}
