/** What Diff finds, before it is put on the wire. */
import { UNKNOWN } from "../topology/unknown";
import { type Properties, sameValue } from "./values";

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

/**
 * Declared properties that changed. One of `replacing` means another resource, unless its new value is not known yet;
 * `compared` leaves properties out before they are looked at. Names that begin with `__` are the engine's.
 */
export function declaredDifferences(
  before: Properties,
  after: Properties,
  replacing: ReadonlySet<string>,
  compared: (name: string) => boolean = () => true,
): PropertyDifference[] {
  const kindOf = (name: string): DifferenceKind => {
    if (replacing.has(name) && before[name] !== undefined && after[name] !== UNKNOWN) return "updateReplace";
    if (before[name] === undefined) return "add";
    return after[name] === undefined ? "delete" : "update";
  };
  return [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .filter((name) => !name.startsWith("__") && compared(name) && !sameValue(before[name], after[name]))
    .map((name) => ({ path: name, kind: kindOf(name), inputDiff: true }));
}

/** What the last refresh found to be otherwise, as far as it is not shown as declared otherwise already. */
export function driftDifferences(paths: unknown, declared: readonly PropertyDifference[]): PropertyDifference[] {
  const shown = new Set(declared.map(({ path }) => path));
  return (Array.isArray(paths) ? paths : [])
    .map((path): PropertyDifference => ({ path: String(path), kind: "update" }))
    .filter(({ path }) => !shown.has(path));
}
