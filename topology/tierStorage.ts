/** What a program may say about how partitions are stored, and what the catalog says of it. */

/** How the partitions of one tier are stored. An absent property is left as it is, and reported when it is unusual. */
export interface TierStorage {
  /** Storage parameters by PostgreSQL's names (`fillfactor`, `toast.autovacuum_enabled`); others are reset. */
  parameters?: Record<string, string>;
  tablespace?: string;
  accessMethod?: string;
}

/** By tier. `closed`: live partitions whose upper bound is not after `asOf`; without it they are stored as `live`. */
export interface StorageByTier {
  live?: TierStorage;
  closed?: TierStorage;
}

/** What a partition has of this. */
export interface StoredAttributes {
  parameters: Record<string, string>;
  tablespace: string;
  accessMethod: string;
  comment?: string;
  /** What it would have been made with. */
  inherited: { tablespace: string; accessMethod: string };
}
