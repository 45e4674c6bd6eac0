/** Levels of a partition tree: from the entries of a `partitions` map to what each partitioned table consists of. */
import { compareBounds } from "./bounds";
import type {
  ActualLevel,
  ActualParent,
  DesiredPartition,
  DesiredSet,
  KeyColumns,
  NewLevel,
  NewPartition,
  PartitionBound,
  PartitionKey,
  RelationName,
  Strategy,
} from "./model";
import { commentOf, isClosed, storageOf } from "./storage";
import { isAttached } from "./tiers";

/** Most levels of partitioning that a set can declare; a table of more is a mistake in nearly every case. */
export const MAX_LEVELS = 3;

/** A partition key taken apart. */
export interface LevelKey {
  strategy: Strategy;
  keyColumns: string[];
  keyTypes: string[];
}

const STRATEGIES = ["range", "list", "hash"] as const;

/** Reads a key that is known to be one: from checked inputs, or from the state. */
export function levelKey(partitionBy: unknown): LevelKey {
  const by = record(partitionBy);
  const strategy = STRATEGIES.find((word) => Object.hasOwn(by, word)) ?? "range";
  const { column, columns, type, types } = record(by[strategy]);
  return { strategy, keyColumns: texts(columns ?? column), keyTypes: texts(types ?? type) };
}

function texts(value: unknown): string[] {
  return [value].flat().filter((item): item is string => typeof item === "string");
}

/** The properties of a plain object; none for anything else. */
export function record(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? Object.fromEntries(Object.entries(value)) : {};
}

/** A key in the words of `partitionBy`. HASH is said without types: nothing depends on them. */
export function partitionKey({ strategy, keyColumns, keyTypes }: LevelKey): PartitionKey {
  const [column] = keyColumns;
  const [type] = keyTypes;
  if (strategy === "hash") return { hash: { columns: keyColumns } };
  const several = { columns: keyColumns, ...(keyTypes.length > 0 ? { types: keyTypes } : {}) };
  const key: KeyColumns =
    keyColumns.length === 1 && column !== undefined ? { column, ...(type === undefined ? {} : { type }) } : several;
  return strategy === "range" ? { range: key } : { list: key };
}

const SHORT: Record<string, string> = {
  "timestamp without time zone": "timestamp",
  "timestamp with time zone": "timestamptz",
};

/** format_type() spells the time types out and adds their precision; the policy knows them by their short names. */
export function plainType(type = "text"): string {
  const text = type.replace(/\(\d+\)/, "");
  return SHORT[text] ?? text;
}

/** True when both divide rows by the same strategy and columns. */
export function sameKey(a: unknown, b: unknown): boolean {
  const [left, right] = [levelKey(a), levelKey(b)];
  return left.strategy === right.strategy && left.keyColumns.join("\0") === right.keyColumns.join("\0");
}

/** `LIST (region)`, for people. */
export function describeKey({ strategy, keyColumns }: { strategy: Strategy; keyColumns: (string | null)[] }): string {
  return `${strategy.toUpperCase()} (${keyColumns.map((column) => column ?? "an expression").join(", ")})`;
}

/** The bound of an entry, without what else stands there. */
export function boundOf(entry: PartitionBound): PartitionBound {
  if ("from" in entry) return { from: entry.from, to: entry.to };
  if ("values" in entry) return { values: entry.values };
  if ("modulus" in entry) return { modulus: entry.modulus, remainder: entry.remainder };
  return { default: true };
}

/** By what is known where the partitions of a table are to be; `schema` is the table's own. */
export type Placing = Pick<DesiredSet, "schema" | "partitionSchema"> & {
  partitions: Readonly<Record<string, Pick<DesiredPartition, "schema">>>;
};

/** The schema in which a partition of this name is, or is to be. */
export function schemaOf({ schema, partitionSchema, partitions }: Placing, name: string): string {
  const declared = Object.hasOwn(partitions, name) ? partitions[name] : undefined;
  return (declared === undefined ? partitionSchema : declared.schema) ?? schema;
}

/** True when the table stands where a partition of its name is to be. */
export function isInPlace(set: Placing, { schema, name }: RelationName): boolean {
  return schema === schemaOf(set, name);
}

/** True when the table bears the name of a declared partition and stands in its place. */
export function isDeclared(set: Placing, relation: RelationName): boolean {
  return Object.hasOwn(set.partitions, relation.name) && isInPlace(set, relation);
}

/** Where all the declared partitions of a table in `schema` are to be, on every level. */
export function* placesOf(partitions: DesiredSet["partitions"], schema: string): Generator<RelationName> {
  for (const [name, { schema: own = schema, partitions: below }] of Object.entries(partitions)) {
    yield { schema: own, name };
    if (below !== undefined) yield* placesOf(below, own);
  }
}

/** The declared set of one partition's own partitions; undefined for a leaf. */
export function setBelow(set: DesiredSet, name: string): DesiredSet | undefined {
  const partition = Object.hasOwn(set.partitions, name) ? set.partitions[name] : undefined;
  if (partition?.partitionBy === undefined) return undefined;
  const { strategy, keyColumns, keyTypes } = levelKey(partition.partitionBy);
  const policy =
    set.below !== undefined && sameKey(set.below.partitionBy, partition.partitionBy) ? set.below : undefined;
  return {
    schema: schemaOf(set, name),
    table: name,
    strategy,
    keyColumns,
    ...(keyTypes.length > 0 ? { keyTypes } : {}),
    partitions: partition.partitions ?? {},
    ...(policy?.retired === undefined ? {} : { retired: policy.retired }),
    ...(policy?.below === undefined ? {} : { below: policy.below }),
    unmanaged: set.unmanaged,
    adopt: set.adopt,
    tierReasons: set.tierReasons,
    ...(set.children && { children: set.children }),
    ...(set.storage && { storage: set.storage }),
    ...(set.comment === undefined ? {} : { comment: set.comment }),
    ...((set.generated || partition.generated) && { generated: { ...set.generated, ...partition.generated } }),
    ...(set.server && { server: set.server }),
    ...(set.archive && { archive: set.archive }),
    ...(policy?.closedAt && { closedAt: policy.closedAt }),
    ...(isClosed(set, boundOf(partition)) ? { closed: true } : {}),
  };
}

/** A partition's level as if it were a set of its own. */
export function parentOf(table: RelationName & { oid: number }, level: ActualLevel): ActualParent {
  const { children: _, detached: __, archived: ___, ...key } = level;
  return { schema: table.schema, name: table.name, oid: table.oid, ...key };
}

/**
 * What has to be made below a new partition; undefined for a leaf. Only live partitions: nothing else can be in it. Those
 * of which `isArchived` knows rows are left out.
 */
export function newLevel(
  { partitionBy, partitions }: DesiredPartition,
  inside: DesiredSet | undefined,
  isArchived: (under: string, bound: PartitionBound, keyTypes: string[]) => boolean = () => false,
): NewLevel | undefined {
  if (partitionBy === undefined || inside === undefined) return undefined;
  const { strategy, keyColumns, keyTypes } = levelKey(partitionBy);
  const live = Object.entries(partitions ?? {}).filter(
    ([, partition]) => isAttached(partition.tier) && !isArchived(inside.table, boundOf(partition), keyTypes),
  );
  live.sort(([, a], [, b]) => compareBounds(a, b, keyTypes));
  return {
    strategy,
    keyColumns,
    partitions: live.map(([name, partition]) => {
      const level = newLevel(partition, setBelow(inside, name), isArchived);
      const schema = schemaOf(inside, name);
      const place = schema === inside.schema ? {} : { schema };
      const beside = besideBound(inside, name, partition);
      return { name, ...place, bound: boundOf(partition), ...beside, ...(level === undefined ? {} : { level }) };
    }),
  };
}

/** What is declared for a new partition besides its bound; storage is that of leaves. */
export function besideBound(
  set: DesiredSet,
  name: string,
  partition: DesiredPartition,
): Pick<NewPartition, "storage" | "comment" | "generated"> {
  const { generated } = partition;
  const bound = boundOf(partition);
  const storage = partition.partitionBy === undefined ? storageOf(set, bound) : undefined;
  const comment = commentOf(set, name, bound);
  return {
    ...(storage && { storage }),
    ...(comment === undefined ? {} : { comment }),
    ...(generated && { generated }),
  };
}

/** All partitions inside a new one that is in `schema`, from the top. */
export function relationsBelow(level: NewLevel | undefined, schema: string): RelationName[] {
  return (level?.partitions ?? []).flatMap(({ name, schema: own = schema, level: below }) => [
    { schema: own, name },
    ...relationsBelow(below, own),
  ]);
}

/** An entry of a map of partitions, whatever else it says. */
export interface Nested<T> {
  partitions?: Record<string, T>;
}

/** An entry with its name and its place. */
export interface PlacedEntry<T> {
  name: string;
  /** The table that it is a partition of. */
  under: string;
  /** Property path from the set: `partitions`, `events_eu`, `partitions`, `events_eu_2026`. */
  path: string[];
  entry: T;
}

/** Every entry of a nested map; a table before its partitions. */
export function* entriesOf<T extends Nested<T>>(
  partitions: Readonly<Record<string, T>>,
  table: string,
  above: readonly string[] = [],
): Generator<PlacedEntry<T>> {
  for (const [name, entry] of Object.entries(partitions)) {
    const path = [...above, "partitions", name];
    yield { name, under: table, path, entry };
    if (entry.partitions !== undefined) yield* entriesOf(entry.partitions, name, path);
  }
}
