/** What `PartitionedTable` fills in on the levels below the first. */
import type { Column, PartitionBy, RangeBy, SubPartitionBy } from "../resources";
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

/** Words of `every`, the finest last; a multiple is as fine as its unit. */
const FINENESS = [/year/i, /quarter/i, /month/i, /week/i, /day/i, /hour/i];

/** `asOf` that suits every level: the current period of the finest one. Undefined when no level has a calendar. */
export function defaultAsOf(
  partitionBy: PartitionBy,
  below: SubPartitionBy | undefined,
  now: Date,
): string | undefined {
  const ranges = keysOf(partitionBy, below).flatMap((key) => ("range" in key ? [key.range] : []));
  const periods = ranges.map((range) => ({ fineness: finenessOf(range), asOf: currentPeriod(range, now) }));
  return periods.filter(({ asOf }) => asOf !== undefined).sort((a, b) => b.fineness - a.fineness)[0]?.asOf;
}

function finenessOf({ every, changes = [] }: RangeBy): number {
  const words = [every, ...changes.map((change) => change.every)].map(String);
  return Math.max(...words.map((word) => FINENESS.findIndex((unit) => unit.test(word))));
}

function keysOf(partitionBy: PartitionBy, below: SubPartitionBy | undefined): PartitionBy[] {
  return below === undefined ? [partitionBy] : [partitionBy, ...keysOf(below.partitionBy, below.subPartitionBy)];
}
