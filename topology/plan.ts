/** The one decision: the ordered steps between what is declared and what is there. */
import type { ActualSet, DesiredSet, KnownOids, Plan } from "./model";

/** A DEFAULT partition above this size (bytes) is guarded by a CHECK before partitions are attached beside it. */
export const GUARD_DEFAULT_BYTES = 10 * 1024 * 1024;

/** Makes the plan. Pure and deterministic; equal arguments give equal plans. */
export function plan(desired: DesiredSet, actual: ActualSet, known: KnownOids): Plan {
  throw new Error(`not yet: ${desired.table}, ${actual.source}, ${Object.keys(known)}`);
}
