/** What is to be read of a set. */
import type { KnownOids, PartitionBound, RelationName } from "../../topology/model";

export interface SetRequest {
  schema: string;
  table: string;
  /** Declared partitions of all levels: a relation of such a name that is no partition of the table is a stranger. */
  names: RelationName[];
  /** OIDs of partitions as the state knows them. */
  known: KnownOids;
  /** Bounds of the same partitions: PostgreSQL forgets the bound of a table that is detached. */
  bounds?: Record<string, PartitionBound>;
  /** Names of the partitions that they were partitions of, where it was not the table itself. */
  under?: Record<string, string>;
  /** The same for partitions whose table is gone since. */
  wasUnder?: Record<string, string>;
  /** True when partitions are to have no rights but their owner's. Default: false. */
  revoked?: boolean;
}
