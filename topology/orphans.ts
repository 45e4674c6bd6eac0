/**
 * Tables that were detached from a partition which is gone. They are kept and shown with the set's own, but their bound is
 * one of another key: no rule of the set's own level may be applied to it.
 */
import { type KeyTypes, sameBound } from "./bounds";
import type { ActualPartition, ActualSet, DesiredPartition } from "./model";
import { keptDefault } from "./reorganization";
import type { Plan, Step } from "./steps";

/** True unless the set's own level declares the table with this very bound, as where a level was taken out. */
export function isOrphan(
  { bound, wasPartitionOf }: ActualPartition,
  declared: DesiredPartition | undefined,
  types: KeyTypes,
): boolean {
  return wasPartitionOf !== undefined && (declared === undefined || !sameBound(bound, declared, types));
}

/** What a partition leaves when it is gone with all that is attached to it; half detached tables are finished before. */
export function orphansOf({ name, level }: ActualPartition): ActualPartition[] {
  if (level === undefined) return [];
  const attached = level.children.filter(({ state }) => state === "live");
  const pending = level.children.filter(({ state }) => state !== "live");
  const own = [...level.detached, ...pending].map(
    (one): ActualPartition => ({ ...one, state: "detached", wasPartitionOf: name }),
  );
  return [...own, ...attached.flatMap(orphansOf)];
}

/** The set with those tables that the plan makes orphans. */
export function withOrphans(actual: ActualSet, { steps }: Plan): ActualSet {
  const gone = new Set(steps.flatMap(tablesGoing));
  const found = [...actual.children, ...actual.detached].flatMap(orphansIn).filter(({ oid }) => !gone.has(oid));
  return found.length === 0 ? actual : { ...actual, detached: [...actual.detached, ...found] };

  function orphansIn(table: ActualPartition): ActualPartition[] {
    if (gone.has(table.oid)) return orphansOf(table);
    return [...(table.level?.children ?? []), ...(table.level?.detached ?? [])].flatMap(orphansIn);
  }
}

/** Partitions that a step takes away. */
export function tablesGoing({
  kind,
  method,
  oid,
  reorganization,
}: Pick<Step, "kind" | "method" | "oid" | "reorganization">): number[] {
  if (kind === "drop" && oid !== undefined) return [oid];
  if (kind !== "reorganize" || reorganization === undefined) return [];
  const kept = method === "moveInOneTransaction" ? keptDefault(reorganization) : undefined;
  return reorganization.sources.filter((source) => source !== kept).map((source) => source.oid);
}
