/** What Diff shows: declared partitions against those that Read or the last update recorded. */
import { momentOfKey, orderOf } from "./axis";
import { boundKey, type KeyTypes } from "./bounds";
import { boundOf, levelKey, sameKey } from "./level";
import type { ActualPartition, DesiredPartition, DesiredSet, PartitionBound, PartitionKey } from "./model";
import { OverlapIndex } from "./overlap";
import { axisOf, spanOf } from "./stretches";
import { isAttached } from "./tiers";

/** A partition as outputs record it. Tiers beyond the declarable ones (such as `detaching`) differ from all of those. */
export type ActualEntry = PartitionBound &
  NonNullable<ActualPartition["recorded"]> & {
    tier: string;
    /** Not there when it is in the schema of the table that it is a partition of. */
    schema?: string;
    generated?: Record<string, string>;
    wasPartitionOf?: string;
    partitionBy?: PartitionKey;
    partitions?: Record<string, ActualEntry>;
  };

/** By what partitions of one level, and those below, are compared. */
export interface Comparison extends Pick<DesiredSet, "retired" | "keyTypes" | "below"> {
  /** Schema of their table as declared. */
  schema?: string;
  /** Schema of their table as recorded, when that is another one. */
  recordedSchema?: string;
}

/** One difference; `path` is in terms of the `partitions` property. */
export interface PartitionDifference {
  path: string[];
  kind: "add" | "delete" | "update";
}

/**
 * Differences partition by partition, in declared order. Given up and absent are equal, as are detached and absent;
 * partitions that nobody declares are no difference unless the policy has retired their period.
 */
export function difference(
  desired: Readonly<Record<string, DesiredPartition>>,
  actual: Readonly<Record<string, ActualEntry>>,
  comparison: Comparison = {},
): PartitionDifference[] {
  const { retired, keyTypes } = comparison;
  const declared = Object.entries(desired).flatMap(([name, partition]): PartitionDifference[] => {
    const there = Object.hasOwn(actual, name) ? actual[name] : undefined;
    if (there !== undefined) return compare(["partitions", name], partition, there, comparison);
    return isAttached(partition.tier) ? [{ path: ["partitions", name], kind: "add" }] : [];
  });
  return [...declared, ...(retired === undefined ? [] : gone(desired, actual, retired, keyTypes))];
}

function compare(
  path: string[],
  desired: DesiredPartition,
  actual: ActualEntry,
  comparison: Comparison,
): PartitionDifference[] {
  const { keyTypes } = comparison;
  const before: Record<string, unknown> = { ...boundOf(actual), tier: actual.tier };
  const after: Record<string, unknown> = { ...boundOf(desired), tier: desired.tier };
  const schemas = schemasOf(desired, actual, comparison);
  const inside = [
    ...compareSchema(path, desired, actual, schemas),
    ...compareGenerated(path, desired, actual),
    ...compareInside(path, desired, actual, { below: comparison.below, ...schemas }),
  ];
  if (boundKey(desired, keyTypes) === boundKey(actual, keyTypes))
    return desired.tier === actual.tier ? [...differing(path, actual), ...inside] : [update(path, "tier"), ...inside];
  const own = [...new Set([...Object.keys(after), ...Object.keys(before)])].flatMap((key): PartitionDifference[] => {
    if (JSON.stringify(after[key]) === JSON.stringify(before[key])) return [];
    if (!Object.hasOwn(before, key)) return [{ path: [...path, key], kind: "add" }];
    return Object.hasOwn(after, key) ? [update(path, key)] : [{ path: [...path, key], kind: "delete" }];
  });
  return [...own, ...inside];
}

function schemasOf(
  desired: DesiredPartition,
  actual: ActualEntry,
  { schema = "", recordedSchema = schema }: Comparison,
): { schema: string; recordedSchema: string } {
  return { schema: desired.schema ?? schema, recordedSchema: actual.schema ?? recordedSchema };
}

/** Of attached partitions only: a detached one stays where it is. */
function compareSchema(
  path: string[],
  desired: DesiredPartition,
  actual: ActualEntry,
  { schema, recordedSchema }: ReturnType<typeof schemasOf>,
): PartitionDifference[] {
  if (schema === recordedSchema || !isAttached(desired.tier) || !isAttached(actual.tier)) return [];
  if (actual.schema === undefined) return [{ path: [...path, "schema"], kind: "add" }];
  return desired.schema === undefined ? [{ path: [...path, "schema"], kind: "delete" }] : [update(path, "schema")];
}

/** As the program spells them: whether they mean what the partition has, the server says (`differs`). */
function compareGenerated(path: string[], desired: DesiredPartition, actual: ActualEntry): PartitionDifference[] {
  if (!isAttached(desired.tier) || !isAttached(actual.tier)) return [];
  const [before = {}, after = {}] = [actual.generated, desired.generated];
  return [...new Set([...Object.keys(after), ...Object.keys(before)])].flatMap((column): PartitionDifference[] => {
    const place = [...path, "generated", column];
    if (!Object.hasOwn(before, column)) return [{ path: place, kind: "add" }];
    if (!Object.hasOwn(after, column)) return [{ path: place, kind: "delete" }];
    return before[column] === after[column] ? [] : [{ path: place, kind: "update" }];
  });
}

/** What the next update puts right is no longer there after it. */
function differing(path: string[], { differs = {} }: ActualEntry): PartitionDifference[] {
  return Object.keys(differs).map((attribute) => ({ path: [...path, "differs", attribute], kind: "delete" }));
}

/** What is below a table of which nothing is said is like others that nobody declares: no difference. */
function compareInside(
  path: string[],
  { partitionBy, partitions = {}, leaf }: DesiredPartition,
  actual: ActualEntry,
  { below, ...schemas }: Pick<Comparison, "below" | "schema" | "recordedSchema">,
): PartitionDifference[] {
  if (partitionBy === undefined)
    return leaf && actual.partitionBy !== undefined ? [{ path: [...path, "partitionBy"], kind: "delete" }] : [];
  if (actual.partitionBy === undefined) return [{ path: [...path, "partitionBy"], kind: "add" }];
  if (!sameKey(partitionBy, actual.partitionBy)) return [update(path, "partitionBy")];
  const policy = below !== undefined && sameKey(below.partitionBy, partitionBy) ? below : {};
  const { keyTypes } = levelKey(partitionBy);
  return difference(partitions, actual.partitions ?? {}, { ...policy, ...schemas, keyTypes }).map((one) => ({
    ...one,
    path: [...path, ...one.path],
  }));
}

function update(path: string[], key: string): PartitionDifference {
  return { path: [...path, key], kind: "update" };
}

function gone(
  desired: Readonly<Record<string, DesiredPartition>>,
  actual: Readonly<Record<string, ActualEntry>>,
  retired: NonNullable<DesiredSet["retired"]>,
  types: KeyTypes,
): PartitionDifference[] {
  const kept = new Set(Object.values(desired).map((partition) => boundKey(partition, types)));
  return Object.entries(actual)
    .filter(([name, partition]) => !Object.hasOwn(desired, name) && !kept.has(boundKey(partition, types)))
    .filter(([, { tier, wasPartitionOf }]) => tier !== "dropped" && wasPartitionOf === undefined)
    .filter(([, partition]) => isRetired(partition, retired))
    .map(([name]) => ({ path: ["partitions", name], kind: "delete" }));
}

/** True when the bound is one of the periods that the policy has given up, or several in a row. */
export function isRetired(
  bound: PartitionBound,
  { from, before, periods }: NonNullable<DesiredSet["retired"]>,
): boolean {
  const span = spanOf(periods, bound);
  const order = orderOf(axisOf(periods));
  return span !== undefined && order(span.from, from) >= 0 && order(span.to, before) <= 0;
}

/** True when the bound lies wholly in what the policy has given up, whatever its periods were then. */
export function liesInRetired(
  bound: PartitionBound,
  { from, before, periods }: NonNullable<DesiredSet["retired"]>,
): boolean {
  if (!("from" in bound) || typeof bound.from !== "string" || typeof bound.to !== "string") return false;
  const axis = axisOf(periods);
  const order = orderOf(axis);
  const [begin, end] = [momentOfKey(axis, bound.from), momentOfKey(axis, bound.to)];
  return begin !== undefined && end !== undefined && order(begin, from) >= 0 && order(end, before) <= 0;
}

/** Those of the attached partitions `names` that hold rows of live ones which are not there with their bound. */
export function replacedBy(
  desired: Readonly<Record<string, DesiredPartition>>,
  actual: Readonly<Record<string, ActualEntry>>,
  names: readonly string[],
  types: KeyTypes,
): string[] {
  const there = new Set(Object.values(actual).flatMap((one) => (isAttached(one.tier) ? [boundKey(one, types)] : [])));
  const missing = Object.values(desired).filter((one) => isAttached(one.tier) && !there.has(boundKey(one, types)));
  const index = new OverlapIndex(
    missing.map((bound) => ({ bound })),
    types,
  );
  return names.filter((name) => {
    const entry = actual[name];
    return entry !== undefined && !("default" in entry) && index.find(entry).length > 0;
  });
}
