/** What Diff finds, before it is put on the wire. */

export type DifferenceKind = "add" | "delete" | "update" | "addReplace" | "updateReplace";

export interface PropertyDifference {
  /** Path in the engine's syntax: `partitions.events_2027_01.tier`, `partitions["a b"]`. */
  path: string;
  kind: DifferenceKind;
  /** True: the old value is to be shown from the old inputs; false (default): from the old outputs. */
  inputDiff?: boolean;
}

export interface Difference {
  differences: PropertyDifference[];
  /** Lines for Diagnostics: what a reviewer has to know although nothing is done about it. */
  warnings?: string[];
}
