/** What a plan consists of: steps, and findings about what it cannot or need not do. Types only. */
import type { RowFormat, ServerSideTarget } from "./archive";
import type { AttributeDifference } from "./attributes";
import type { NewLevel, PartitionBound, Question, RelationName, Reorganization } from "./model";
import type { TierStorage } from "./tierStorage";

export type StepKind =
  | "finalizeDetach"
  | "validateForeignKeys"
  | "guardDefault"
  | "create"
  | "attach"
  | "proveBound"
  | "rebound"
  | "unproveBound"
  | "rename"
  | "unguardDefault"
  | "adjust"
  | "detach"
  | "drop"
  | "export"
  | "restore"
  | "reorganize"
  | "abandonReorganization";

/** How a step is carried out; each name stands for one sequence of statements in `postgres/statements`. */
export type StepMethod = StatementMethod | ReorganizationMethod | ArchiveMethod;

/**
 * Methods that read or write the archive. `dropArchived`: a proof under a lock that excludes writes, and DROP in the same
 * transaction.
 */
export type ArchiveMethod = "export" | "restore" | "dropArchived";

/** Methods whose statements are sent one after the other. */
export type StatementMethod =
  | "partitionOf"
  | "likeAttach"
  | "attach"
  | "detachAttach"
  | "detachConcurrently"
  | "detachPlain"
  | "finalize"
  | "validate"
  | "guard"
  | "unguard"
  | "prove"
  | "unprove"
  | "rename"
  | "adjust"
  | "dropTable";

/**
 * Methods that move rows. `moveInOneTransaction`: under the lock of the parent, for few rows. `copyAndSwap`: copied while
 * the application goes on, then exchanged. `abandon`: takes away what an unfinished `copyAndSwap` has made.
 */
export type ReorganizationMethod = "moveInOneTransaction" | "copyAndSwap" | "abandon";

export interface Step {
  /** Stable and unique in a plan: `create:events_2027_01`. */
  id: string;
  kind: StepKind;
  method: StepMethod;
  /** Name of the partition the step is about (for `guardDefault`: the DEFAULT partition). */
  partition: string;
  schema: string;
  /** The partitioned table that the partition belongs to, when that is not the set's own table. */
  under?: RelationName & { oid: number };
  /** For `create`: how the new partition is divided; it is made with everything below it, and then attached once. */
  level?: NewLevel;
  /** The bound to create or attach with; for `guardDefault` see `excludes`. */
  bound?: PartitionBound;
  /** Bounds that the guard on DEFAULT excludes. */
  excludes?: PartitionBound[];
  /** The relation that must still be the one planned for (attach, rebound, rename, detach, finalizeDetach, drop). */
  oid?: number;
  /** For `rename`: the name and schema it has now. */
  current?: RelationName;
  /** For `rebound`: CHECKs on the table that say its former bound, and would refuse rows of the new one. */
  formerChecks?: string[];
  /** For `rebound`: the table is large, and a validated CHECK says the new bound by then (`proveBound`). */
  proven?: true;
  /** For `adjust`: what is put right. */
  differences?: AttributeDifference[];
  /** For `create`: what is declared for the partition besides its bound. */
  storage?: TierStorage;
  comment?: string;
  /** For `create`: generation expressions of its own, by column. */
  generated?: Record<string, string>;
  /** For `export` of a partition that is partitioned itself: the tables below it that hold rows. */
  tables?: RelationName[];
  /** For `attach`: a restore has made the table, and left its comment and its CHECK on it. */
  restored?: true;
  /** For `export`, `restore` and `dropArchived`: how the rows are written. Absent: text. */
  format?: RowFormat;
  /** For `export`: where the server writes the rows to. Absent: they go over the connection. */
  serverSide?: ServerSideTarget;
  /** For `restore`: what is restored. */
  manifest?: { key: string; version?: string };
  /** For `reorganize` and `abandonReorganization`. */
  reorganization?: Reorganization;
  /**
   * Id of the step that makes the table which this one is about, or brings it into its place. Such a step is only shown: the
   * plan that is made when the other one is done has it, with what is known then (the OID, its indexes).
   */
  madeBy?: string;
  /** Why, in one clause: "declared", "after 12 months: dropped", "detached by hand". */
  reason: string;
  effect: {
    /**
     * `none`: no row changes place. `hides`: rows are no longer seen through the parent. `deletes`: rows are gone. `shows`:
     * rows appear. `moves`: rows change tables below the parent. `copies`: rows are copied into the archive. `archives`: rows
     * are in the archive only. `restores`: rows of the archive fill a table that nobody uses yet.
     */
    data: "none" | "hides" | "shows" | "deletes" | "moves" | "copies" | "archives" | "restores";
    /** Estimates from pg_class; undefined when unknown. */
    rows?: number;
    bytes?: number;
  };
  /**
   * For `detach` and `drop` on behalf of `pulumi destroy` with `onDelete: refuse`: looked at again under the lock of the
   * transaction itself; a row that arrived since makes the step fail and changes nothing.
   */
  requireEmpty?: boolean;
  /** For `detach` and `finalizeDetach`: foreign keys that PostgreSQL drops with it are put back, since the table stays. */
  keepsForeignKeys?: true;
  /** Steps with the same number share one transaction. Steps that cannot run in one have a number of their own. */
  transaction: number;
  /** All steps of its transaction are done, or none: what one of them gives back another one takes over. */
  indivisible?: true;
  /** Ids of the steps that must have succeeded before this one. */
  after: string[];
}

/** Something that stands in the way, or that a reviewer has to know. */
export interface Finding {
  severity: "error" | "warning" | "info";
  /** Property path in the resource's inputs, such as `partitions.events_2026_01`. */
  path: string;
  /** Schema-qualified relation when the finding is about one. */
  relation?: string;
  /** Name of the partition that cannot be made as things are. */
  partition?: string;
  /** Id of the step that cannot be done as things are. */
  step?: string;
  /** What is wrong and what to do next, in full sentences. */
  reason: string;
}

/** An index of a partitioned table that some of its partitions have not, or not valid. */
export interface IncompleteIndex {
  /** The table that the index is on: the set's own, or a partition that is partitioned itself. */
  table: RelationName & { oid: number };
  index: string;
  /** Partitions of that table. */
  partitions: string[];
}

export interface Plan {
  steps: Step[];
  findings: Finding[];
  /** Partitions that are as declared. */
  unchanged: string[];
  /** Indexes to be completed after the steps, without blocking writers. Absent: none. */
  indexes?: IncompleteIndex[];
  /** What the plan assumed for want of an answer: with the answers it may be another one. Absent: nothing. */
  questions?: Question[];
}
