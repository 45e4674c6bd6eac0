/** What describing an existing partitioned table takes and gives. Types only, plain data. */
import type { ActualPartition, Strategy } from "../model";

/** What only the caller can know. */
export interface DescribeOptions {
  /** The present instant, as canonical text of timestamptz; decides which period `asOf` names. */
  now: string;
  /** Zones whose midnights borders may be, the likeliest first; those of the database and UTC should lead. */
  timezones: readonly string[];
}

/** Something that a reader of the declaration has to know. */
export interface Note {
  severity: "info" | "warning";
  text: string;
}

/** Plain data of a declaration. */
export type Properties = Record<string, unknown>;

/** One partitioned table of the tree, with the live partitions that can be declared. */
export interface DescribedLevel {
  table: string;
  /** Where partitions of which nothing is said are. */
  schema: string;
  strategy: Strategy;
  keyColumns: string[];
  keyTypes: string[];
  children: ActualPartition[];
  /** RANGE key columns of the levels above: their periods cannot be stepped through once more. */
  rangeColumns: string[];
}

/** A level in words: the policy, and what no policy says. */
export interface LevelDescription {
  /** `partitionBy`, `window`, `asOf`, `naming`, `defaultPartition`, `subPartitionBy`. */
  policy: Properties;
  /** Explicit partitions beside the policy, by name. */
  partitions: Properties;
  notes: Note[];
}

/** The policy of one level by itself, and the names of the partitions that it comes to. */
export interface FoundPolicy {
  policy: Properties;
  covered: ReadonlySet<string>;
  notes: Note[];
}
