/** What is declared for the partitions of a tier: storage parameters, tablespace, access method; and their comment. */
import type { AttributeDifference, ChildAttribute } from "./attributes";
import { momentOfKey, orderOf } from "./axis";
import { describeBound } from "./bounds";
import type { ActualPartition, DesiredSet, PartitionBound } from "./model";
import type { StoredAttributes, TierStorage } from "./tierStorage";

/**
 * Moving a partition to another tablespace, access method or persistence rewrites it while nobody can use it (some 50 to
 * 200 ms up to this size in bytes); larger ones are made anew beside the working application.
 */
export const REWRITE_LIMIT_BYTES = 16 * 1024 * 1024;

/** The part of a set that tells. */
export type StorageDeclaration = Pick<DesiredSet, "table" | "storage" | "closedAt" | "closed" | "comment">;

type StoredPartition = Pick<ActualPartition, "relkind" | "bytes" | "stored"> & { bound: PartitionBound };

/** The storage declared for a partition; undefined when nothing is. */
export function storageOf(set: StorageDeclaration, bound: PartitionBound): TierStorage | undefined {
  const { storage } = set;
  return storage?.closed !== undefined && isClosed(set, bound) ? storage.closed : storage?.live;
}

/** True when the partition, or the one that it is a partition of, ends at `asOf` or before. */
export function isClosed({ closed, closedAt }: StorageDeclaration, bound: PartitionBound): boolean {
  if (closed || closedAt === undefined) return closed ?? false;
  const { axis, asOf } = closedAt;
  const end = "to" in bound && typeof bound.to === "string" ? momentOfKey(axis, bound.to) : undefined;
  return end !== undefined && orderOf(axis)(end, asOf) <= 0;
}

/** The comment declared for a partition, its placeholders filled in. */
export function commentOf(
  { comment, table }: StorageDeclaration,
  name: string,
  bound: PartitionBound,
): string | undefined {
  if (comment === undefined) return undefined;
  const values: Record<string, string> = { table, partition: name, bound: describeBound(bound) };
  return comment.replace(/\{(\w+)\}/g, (whole, key: string) => values[key] ?? whole);
}

/** The placeholders of a comment. */
export const COMMENT_PLACEHOLDERS = ["table", "partition", "bound"];

const UNDECLARED = "Nothing is declared about it: declare it in storage, or put it back by hand.";

/** Differences between a partition and what is declared for it (or, undeclared, what it would have been made with). */
export function storageDifferences(desired: StorageDeclaration, partition: StoredPartition): AttributeDifference[] {
  const { stored } = partition;
  if (stored === undefined || partition.relkind !== "r") return [];
  const declared = storageOf(desired, partition.bound);
  return [
    ...parameterDifferences(declared?.parameters, stored.parameters),
    ...placeDifferences("tablespace", declared?.tablespace, stored),
    ...placeDifferences("accessMethod", declared?.accessMethod, stored),
  ];
}

function parameterDifferences(
  declared: Record<string, string> | undefined,
  found: Record<string, string>,
): AttributeDifference[] {
  const obstacle = declared === undefined ? { obstacle: UNDECLARED } : {};
  const names = [...new Set([...Object.keys(declared ?? {}), ...Object.keys(found)])].sort();
  return names.flatMap((name): AttributeDifference[] => {
    const expected = declared?.[name];
    if (expected !== undefined && found[name] !== undefined && sameValue(expected, found[name])) return [];
    const there = found[name] === undefined ? {} : { found: found[name] };
    return [
      { attribute: "storageParameters", name, ...(expected === undefined ? {} : { expected }), ...there, ...obstacle },
    ];
  });
}

function placeDifferences(
  attribute: "tablespace" | "accessMethod",
  declared: string | undefined,
  stored: StoredAttributes,
): AttributeDifference[] {
  const expected = declared ?? stored.inherited[attribute];
  const found = stored[attribute];
  if (expected === found) return [];
  return [{ attribute, expected, found, ...(declared === undefined ? { obstacle: UNDECLARED } : {}) }];
}

const REWRITING = new Set<AttributeDifference["attribute"]>(["tablespace", "accessMethod", "persistence"]);

const UNALTERABLE =
  "PostgreSQL does not change that in place (of an attached partition a generation expression, before 15 an access method): " +
  'its rows are copied into a new table, which reorganize: "refuse" forbids. Allow that, or declare what is there.';

/** Why a difference of a partition of this size is not repaired in place; undefined when it may be. */
export function rewriteObstacle(
  { attribute, remake }: AttributeDifference,
  bytes: number | undefined,
  unalterable: readonly ChildAttribute[] = [],
): string | undefined {
  if (remake || unalterable.includes(attribute)) return UNALTERABLE;
  if (!REWRITING.has(attribute) || bytes === undefined || bytes <= REWRITE_LIMIT_BYTES) return undefined;
  const size = `${Math.round(bytes / 1024 / 1024)} MB`;
  return (
    `To change that in place rewrites ${size} under ACCESS EXCLUSIVE, so that nobody can read or write the partition ` +
    `meanwhile; above ${REWRITE_LIMIT_BYTES / 1024 / 1024} MB its rows are copied into a new table, which reorganize: "refuse" forbids. ` +
    "Allow that, do it by hand at a quiet time, or declare what is there."
  );
}

/** PostgreSQL keeps parameters as they were written: `on` is `true`, and `0.10` is `0.1`. */
function sameValue(a: string, b: string): boolean {
  const canonical = (text: string) => {
    const lower = text.toLowerCase();
    if (text.trim() !== "" && Number.isFinite(Number(text))) return String(Number(text));
    return { on: "true", yes: "true", off: "false", no: "false" }[lower] ?? lower;
  };
  return canonical(a) === canonical(b);
}

/** The comment, when one is declared. */
export function commentDifferences(
  desired: StorageDeclaration,
  partition: StoredPartition,
  name: string,
): AttributeDifference[] {
  const expected = commentOf(desired, name, partition.bound);
  const found = partition.stored?.comment;
  if (partition.stored === undefined || expected === undefined || expected === found) return [];
  return [{ attribute: "comment", expected, ...(found === undefined ? {} : { found }) }];
}
