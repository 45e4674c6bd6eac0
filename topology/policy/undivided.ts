/** Partitions that are declared to be undivided tables, so that what is below them becomes one table with its rows. */
import { boundKey, type KeyTypes } from "../bounds";
import { record } from "../level";
import type { DesiredPartition } from "../model";
import { isAttached } from "../tiers";
import type { Entry } from "./entries";

/**
 * Tells which entries without partitions of their own are undivided by declaration: the program says so (`leaf`), or the last
 * update still declared how they are divided. Nothing else proves that the tables below were this program's: others may have
 * divided a partition that this set has always taken for one table. What was once said is said by every later Check,
 * since its step may not have been done yet.
 * `former`: the partitions of this table as the last update declared them.
 */
export function undividedIn(former: unknown, types: KeyTypes): (entry: Entry) => boolean {
  const before = Object.entries(record(former) as Record<string, DesiredPartition>).filter(
    ([, { partitionBy, leaf }]) => partitionBy !== undefined || leaf === true,
  );
  const names = new Set(before.map(([name]) => name));
  const bounds = new Set(before.map(([, partition]) => boundKey(partition, types)));
  return ({ name, bound, tier, inside }) =>
    isAttached(tier) && (inside?.leaf ?? (names.has(name) || bounds.has(boundKey(bound, types))));
}
