/** The tiers of a partition: their order, and what each says of the table. */
import type { Tier } from "./model";

/** In the order in which a partition goes through them. */
export const TIERS = ["live", "exported", "detached", "archived", "dropped"] as const satisfies readonly Tier[];

/** Tiers that a lifecycle can reach; every partition is live before the first rule. */
export const AGED_TIERS = ["exported", "detached", "archived", "dropped"] as const satisfies readonly Tier[];

/** Tiers of partitions that are in their place below the parent. */
export type AttachedTier = "live" | "exported";

/** Tiers of which an archive has a copy. */
export type ArchivingTier = "exported" | "archived";

export type AgedTier = (typeof AGED_TIERS)[number];

export function tierRank(tier: Tier): number {
  return TIERS.indexOf(tier);
}

/** The partition is in its place below the parent. Recorded tiers have words of their own for what is half done. */
export function isAttached<T extends string | undefined>(tier: T): tier is T & AttachedTier {
  return tier === "live" || tier === "exported";
}

/** Its rows are to be in an archive, so that one has to be declared. */
export function needsArchive(tier: Tier): tier is ArchivingTier {
  return tier === "exported" || tier === "archived";
}
