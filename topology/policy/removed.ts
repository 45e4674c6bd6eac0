/** Partitions of a LIST that the program has left out: they stay in the map, in the tier that its level's `removed` says. */
import { uncovered } from "../coverage";
import { boundOf, record } from "../level";
import type { DesiredPartition } from "../model";
import { isAttached } from "../tiers";
import type { Entry } from "./entries";
import { DEFAULTS } from "./inputs";
import type { LevelPolicy } from "./levels";

/**
 * `former`: the partitions of this table as the last update declared them; nothing else proves that a partition was once
 * declared here and is not another owner's. A value that a live partition takes now has moved there with its rows and is
 * not removed. An entry once made is made again by every later Check, since its step may not have been done yet.
 */
export function removedEntries(
  { inputs: { removed = DEFAULTS.removed }, partitioning }: LevelPolicy,
  former: unknown,
  declared: readonly Entry[],
): Entry[] {
  if (removed === "live" || partitioning.strategy !== "list") return [];
  const names = new Set(declared.map(({ name }) => name));
  const taken = declared.flatMap(({ bound, tier }) => (isAttached(tier) ? [bound] : []));
  const before = Object.entries(record(former) as Record<string, DesiredPartition>);
  return before.flatMap(([name, { tier, schema, removed: already, ...rest }]): Entry[] => {
    if (names.has(name) || !("values" in rest) || (!isAttached(tier) && !already)) return [];
    const [bound] = uncovered(boundOf(rest), taken, partitioning.keyTypes) ?? [];
    return bound === undefined ? [] : [{ name, schema, bound, tier: removed, removed: true, path: "removed" }];
  });
}
