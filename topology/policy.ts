/** From the policy that a program declares to the partitions it stands for. */
import type { DesiredSet, InputFailure } from "./model";

/** What `expand()` makes of the inputs. */
export interface Expansion {
  /** The expanded set; undefined when an input failed or is not known yet. */
  desired?: DesiredSet;
  /** The inputs with defaults filled in and `partitions` expanded (`UNKNOWN` when something it needs is unknown). */
  checked: Record<string, unknown>;
  /** Everything that is wrong, at once. */
  failures: InputFailure[];
}

/** Validates and expands the inputs of a PartitionSet; `old` are the checked inputs of the last update. Pure. */
export function expand(raw: Record<string, unknown>, old?: Record<string, unknown>): Expansion {
  throw new Error(`not yet: ${Object.keys({ ...raw, ...old })}`);
}

/** The set that checked inputs (without unknowns) stand for: what Create and Update are given. */
export function desiredFromChecked(checked: Record<string, unknown>): DesiredSet {
  throw new Error(`not yet: ${Object.keys(checked)}`);
}
