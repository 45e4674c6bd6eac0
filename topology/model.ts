/**
 * The vocabulary of partition topology: what is declared and what is there. The steps between the two: `steps.ts`.
 *
 * Types only. Everything here is plain data (it travels through Pulumi's state and over gRPC), in PostgreSQL's own
 * terms, so that a plan can be made without a database and compared by value.
 */
import type { ArchiveSettings, RowFormat } from "./archive";
import type { AttributeDifference, ChildAttribute, ChildrenPolicy } from "./attributes";
import type { Axis, RangeKeyType, Stretch } from "./grid";
import type { StorageByTier, StoredAttributes, TierStorage } from "./tierStorage";

/** `PARTITION BY` strategies. */
export type Strategy = "range" | "list" | "hash";

/**
 * Where the rows of a partition are. `live`: attached; `exported`: attached, with a proven copy in the archive; `detached`: a
 * table beside its parent; `archived`: in the archive only; `dropped`: given up.
 */
export type Tier = "live" | "exported" | "detached" | "archived" | "dropped";

/** One bound of a RANGE partition: canonical text, or PostgreSQL's `MINVALUE`/`MAXVALUE`; an array for several key columns. */
export type RangeDatum = string | string[];

/**
 * Bounds of one partition in canonical text: what PostgreSQL prints for the bound with `TimeZone = 'UTC'` and
 * `DateStyle = 'ISO'` (`2026-11-01`, `2026-11-01 00:00:00`, `2026-11-01 00:00:00+00`, `1000`). Canonical bounds are equal
 * exactly when their JSON is equal.
 */
export type PartitionBound =
  | { from: RangeDatum; to: RangeDatum }
  | { values: (string | null)[] }
  | { modulus: number; remainder: number }
  | { default: true };

/** The key of a partitioned table in the words of `partitionBy`: one of the three, with the types that are known. */
export type PartitionKey = { range: KeyColumns } | { list: KeyColumns } | { hash: KeyColumns };

/** One column and its type, or several. */
export interface KeyColumns {
  column?: string;
  columns?: string[];
  type?: string;
  types?: string[];
}

/** One entry of the expanded `partitions` map. */
export type DesiredPartition = PartitionBound & {
  tier: Tier;
  /** No longer declared: it is a partition of a LIST that the program has left out, and leaves as its level's `removed` says. */
  removed?: true;
  /** Where it is declared to be; not there when nothing was said: in the schema of the table that it is a partition of. */
  schema?: string;
  /** Expressions of its own for stored generated columns, by column; what is below it has them, too, unless it says others. */
  generated?: Record<string, string>;
  /**
   * Declared to be undivided: tables below it become one table with their rows. Without it, and without `partitionBy`, what
   * is below is somebody else's and left alone.
   */
  leaf?: true;
  /** How the rows of the partition are divided further; not there for a leaf. */
  partitionBy?: PartitionKey;
  /** Its own partitions; there when `partitionBy` is. */
  partitions?: Record<string, DesiredPartition>;
};

/** What the policy comes to: the result of Check, and the first argument of `plan()`. */
export interface DesiredSet {
  schema: string;
  table: string;
  strategy: Strategy;
  /** Key columns in order. An expression key is only known from the catalog and cannot be declared by a policy. */
  keyColumns: string[];
  keyType?: RangeKeyType;
  /** Types of the key columns as declared, in order; not there when nothing was said. */
  keyTypes?: string[];
  /** Where partitions are made that are not listed in `partitions`; absent: in `schema`. */
  partitionSchema?: string;
  /** By table name, unqualified (`schemaOf` tells the schema). Deterministic order: by bound, DEFAULT last. */
  partitions: Record<string, DesiredPartition>;
  /**
   * Everything older that the policy gives up: attached or known detached partitions that lie wholly in
   * `[from, before)` (moments or numbers, not bounds) and are periods of the policy are dropped even when they are no
   * longer listed in `partitions`.
   */
  retired?: { from: string; before: string; periods: Stretch[] };
  unmanaged: UnmanagedMode;
  /** Absent: `online`. */
  reorganize?: ReorganizeMode;
  /** Names of existing tables outside the parent that the program declares as adoptions. */
  adopt: string[];
  /** Which lifecycle rule put a partition of any level into its tier, by name: `after 12 months: dropped`. */
  tierReasons?: Record<string, string>;
  /** What the policy of the next level gives up, in each of its tables. */
  below?: RetiredBelow;
  /** How far partitions follow the parent; absent: `DEFAULT_CHILDREN`. */
  children?: ChildrenPolicy;
  storage?: StorageByTier;
  /** `asOf` as a moment of the key's axis: partitions that end there or before are closed. Only with periods. */
  closedAt?: { axis: Axis; asOf: string };
  /** The partition that these are the partitions of is closed, and they with it. */
  closed?: boolean;
  /** Comment of every partition, with placeholders; absent: comments are left alone. */
  comment?: string;
  /** Generation expressions that are declared above, by column: the table of this set has them of its own. */
  generated?: Record<string, string>;
  /** Where rows go that are `exported` or `archived`; absent: no partition is. */
  archive?: ArchiveSettings;
  /** Absent: nobody was asked, and what it would say is not compared. */
  server?: ServerView;
}

/** What only a server can say of a declaration. Declared expressions that it takes stand in the set as it prints them. */
export interface ServerView {
  /** Expressions of the top table's generated columns, by column; absent: it could not be asked, and nothing is compared. */
  expressions?: Record<string, string>;
  /** Why a declared expression is not possible. */
  refused: { column: string; expression: string; reason: string }[];
  /** What this version does not change in place, so that the table is made anew. */
  unalterable: ChildAttribute[];
}

/** `retired` of the levels below the set's own, from the next one down. */
export interface RetiredBelow {
  partitionBy: PartitionKey;
  retired?: DesiredSet["retired"];
  closedAt?: DesiredSet["closedAt"];
  below?: RetiredBelow;
}

/** How to treat children that nobody declared. `report` (default) warns, `refuse` fails the update before any change. */
export type UnmanagedMode = "ignore" | "report" | "refuse";

/**
 * Whether rows may be moved into other tables below the parent: `online` (default), few of them in one transaction; always by
 * a copy (`copy`), which nobody's snapshot misses; or never (`refuse`).
 */
export type ReorganizeMode = "online" | "copy" | "refuse";

/** What `pulumi destroy` does with a set whose partitions hold rows: `refuse` (default), `detach` them, or `drop` them. */
export type OnDelete = "refuse" | "detach" | "drop";

/** A relation by its unquoted names. */
export interface RelationName {
  schema: string;
  name: string;
}

/** A child of the parent, or a table known to have been one, as the catalog (or the state) shows it. */
export interface ActualPartition extends RelationName {
  oid: number;
  bound: PartitionBound;
  /** `pending`: an interrupted DETACH CONCURRENTLY left it half detached (pg_inherits.inhdetachpending). */
  state: "live" | "pending" | "detached";
  /** pg_class.relkind: `r` table, `p` partitioned table, `f` foreign table. */
  relkind: string;
  /** pg_class.reltuples of all leaves, -1 when never analysed; undefined when planned from state. */
  rows?: number;
  /** relpages of heap, indexes and TOAST in bytes; undefined when planned from state. */
  bytes?: number;
  /** Not there for a leaf. */
  level?: ActualLevel;
  /** Where it is not like its direct parent; absent: nowhere, or planned from state. */
  differences?: AttributeDifference[];
  /** What is declared for it and not inherited; undefined when planned from state. */
  stored?: StoredAttributes;
  /**
   * Of a detached one: name of the table that it was a partition of and that is gone. Its bound was one of that table and
   * says nothing on any other level.
   */
  wasPartitionOf?: string;
  /** Our CHECK of a bound that it was to get is still on it, and may refuse rows. */
  guarded?: true;
  /** Of a detached one: foreign keys that its detach has put back, and that are not validated yet. Absent: none. */
  unvalidatedForeignKeys?: string[];
  /** Of a detached one that a restore has made: `partial` when it has been interrupted. */
  restored?: "whole" | "partial";
  /** Its last export. Absent: none, or the archive was not asked. */
  copy?: ArchivedCopy;
  /** Differences in words by attribute, as outputs record them: those that the next update repairs, and the others. */
  recorded?: { differs?: Record<string, string>; noticed?: Record<string, string> };
}

/** Rows of a table in the archive, as the manifest of its last export tells. */
export interface ArchivedCopy extends RelationName {
  /** The table that was exported. */
  oid: number;
  bound: PartitionBound;
  /** Name of the partition that it is a partition of, when that is not the set's own table. */
  under?: string;
  manifest: { key: string; version?: string };
  format: RowFormat;
  rows: number;
  /** Size of its objects. */
  bytes: number;
  /** The table may have changed since; only of a table that is there. */
  changed?: boolean;
  /** Recorded, while the store has it no more (or no archive is declared): the rows are not to be had. */
  missing?: true;
  /** The table was dropped because its rows are here: nobody may make another one of that range before they are back. */
  only?: true;
}

/** What a partitioned table consists of: its key, and everything that is or was a partition of it. */
export interface ActualLevel
  extends Pick<
    ActualParent,
    | "strategy"
    | "keyColumns"
    | "keyTypes"
    | "defaultPartition"
    | "references"
    | "referencedBy"
    | "itself"
    | "losesForeignKeys"
  > {
  /** Attached and pending children. */
  children: ActualPartition[];
  /** Tables that the state knows as its partitions (by OID) and that are detached now. */
  detached: ActualPartition[];
  /** Exports of its partitions whose tables are gone. Absent: none, or there is no archive. */
  archived?: ArchivedCopy[];
  /** Absent: none, or planned from the state. */
  reorganizations?: UnfinishedReorganization[];
}

/** A relation that stands where a partition should be made and is not one of ours. */
export interface Stranger extends RelationName {
  oid: number;
  relkind: string;
  rows: number;
  bytes: number;
  /** Why it could not be attached as it is (missing column, other type, …); empty when its shape fits the parent. */
  misfits: string[];
  /** The other parent it is a partition of, if any. */
  partitionOf?: RelationName;
  /** As of a partition. */
  differences?: AttributeDifference[];
  stored?: StoredAttributes;
}

export interface ActualParent extends RelationName {
  oid: number;
  strategy: Strategy;
  /** Key columns in order; null stands for an expression. */
  keyColumns: (string | null)[];
  /** format_type() of each key column or expression. */
  keyTypes: string[];
  /** `guarded`: an interrupted run has left its CHECK on it, which refuses rows that nobody else takes. */
  defaultPartition?: RelationName & { oid: number; bytes: number; guarded?: boolean };
  /** Tables that the parent references by foreign keys. */
  references: RelationName[];
  /** Tables whose foreign keys reference the parent. */
  referencedBy: RelationName[];
  /** The parent and its partitions at every level, when a foreign key of the parent references the parent. */
  itself?: RelationName[];
  /** PostgreSQL drops foreign keys of a partition that is detached from it (14, where a referenced table is partitioned). */
  losesForeignKeys?: boolean;
}

/** What is there: read from the catalog, or reconstructed from the state when no database can be reached. */
export interface ActualSet {
  source: "catalog" | "state";
  /** Undefined: the parent does not exist (yet). */
  parent?: ActualParent;
  /** Attached and pending children. */
  children: ActualPartition[];
  /** Tables that the state knows as partitions of this set (by OID) and that are detached now. */
  detached: ActualPartition[];
  /** Exports of its partitions whose tables are gone. Absent: none, or there is no archive. */
  archived?: ArchivedCopy[];
  /**
   * Number of copies that the state knows to be in the declared store, when that has not a single one of them: it is not the
   * one that it was. Absent: it has some, or none is known.
   */
  lostCopies?: number;
  /** pg_current_snapshot() when the archive was looked at. Absent: it was not, or there is none. */
  snapshot?: string;
  /** Relations, by name, that stand where a declared partition is missing. */
  strangers: Stranger[];
  /** Absent: none, or planned from the state. */
  reorganizations?: UnfinishedReorganization[];
  /** What looking into tables has answered so far; see {@link Plan.questions}. */
  answers?: Answer[];
}

/** Does this table hold rows of this bound? Without a bound: how large is it, and does a CHECK keep it to its bound? */
export interface Question {
  table: RelationName & { oid: number };
  within?: PartitionBound;
  /** The partitioned table whose bound it is; absent: the set's own. */
  under?: RelationName & { oid: number };
}

/** What was found out; `unknown` when the look took too long, or somebody holds a lock on the table. */
export interface Answer {
  oid: number;
  within?: PartitionBound;
  found: "none" | "some" | "unknown";
  /** Exact number of rows; undefined when there are too many to be counted beforehand. */
  rows?: number;
  /** Real size with indexes and TOAST; only without a bound. */
  bytes?: number;
  /** CHECKs of its own that say its bound, as DETACH CONCURRENTLY leaves them; only without a bound. */
  boundChecks?: string[];
}

/** The inside of a partition that is still to be made. */
export interface NewLevel {
  strategy: Strategy;
  keyColumns: string[];
  partitions: NewPartition[];
}

/** A partition of a partition that is still to be made. */
export interface NewPartition {
  name: string;
  /** Absent: that of the table that it is a partition of. */
  schema?: string;
  bound: PartitionBound;
  level?: NewLevel;
  storage?: TierStorage;
  comment?: string;
  /** Generation expressions of its own, by column. */
  generated?: Record<string, string>;
}

/** A table that gives its rows to a reorganization, or one that is below such a table. */
export interface SourceTable extends RelationName {
  oid: number;
}

/** A child of the parent that a reorganization replaces. */
export interface ReorganizationSource extends SourceTable {
  bound: PartitionBound;
  rows?: number;
  bytes?: number;
  /** Everything below it, tables before their partitions, when it is partitioned itself; the rows are in the leaves. */
  below?: (SourceTable & { leaf: boolean })[];
}

/** A table that a reorganization makes, with what is declared for it besides its bound. */
export interface ReorganizationTarget {
  name: string;
  bound: PartitionBound;
  /** How it is divided; it is made with everything below it. Absent: a leaf. */
  level?: NewLevel;
  storage?: TierStorage;
  comment?: string;
  /** Generation expressions of its own, by column. */
  generated?: Record<string, string>;
}

/** Rows change tables: `sources` are replaced by `targets`, which together hold every row of theirs. */
export interface Reorganization {
  /** Attached children of the parent; DEFAULT may be one of them. */
  sources: ReorganizationSource[];
  /** Tables in the step's schema; they may bear names of sources, and DEFAULT may be one of them. */
  targets: ReorganizationTarget[];
}

/** A reorganization that a run has begun and not finished, as the comment on its staging table tells. */
export interface UnfinishedReorganization extends Reorganization {
  /** Hash of parent, sources and targets: the same reorganization planned again has the same id. */
  id: string;
  staging: RelationName & { oid: number };
  /** `copying`: the sources hold the rows, the copy can be given up. `swapped`: the targets do; sources are left to be dropped. */
  phase: "copying" | "swapped";
}

/** What the last `up` or `refresh` recorded, by partition name; proves that a detached table is ours. */
export type KnownOids = Record<string, number>;

/** A rejected input: the property path and the rule. */
export interface InputFailure {
  property: string;
  reason: string;
}
