/** What `PartitionedTable` fills in on the levels below the first. */
import type { Column, PartitionBy, SubPartitionBy } from "../resources";
import { currentPeriod } from "./asOf";
import { withKeyType } from "./keyType";

/** The same levels with the types of their keys. */
export function withKeyTypes(level: SubPartitionBy, columns: Column[] | undefined): SubPartitionBy {
  const { partitionBy, subPartitionBy } = level;
  return {
    ...level,
    partitionBy: withKeyType(partitionBy, columns),
    ...(subPartitionBy && { subPartitionBy: withKeyTypes(subPartitionBy, columns) }),
  };
}

/**
 * `asOf` that suits every level: the current period of the finest one, which is the one that began last. Undefined when no
 * level has a calendar.
 */
export function defaultAsOf(
  partitionBy: PartitionBy,
  below: SubPartitionBy | undefined,
  now: Date,
): string | undefined {
  const periods = keysOf(partitionBy, below).flatMap((key) =>
    "range" in key ? (currentPeriod(key.range, now) ?? []) : [],
  );
  return periods.sort().at(-1);
}

function keysOf(partitionBy: PartitionBy, below: SubPartitionBy | undefined): PartitionBy[] {
  return below === undefined ? [partitionBy] : [partitionBy, ...keysOf(below.partitionBy, below.subPartitionBy)];
}
