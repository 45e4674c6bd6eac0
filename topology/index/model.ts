/**
 * An index on a partitioned table: how it is declared, what the catalog shows of it on the table and on everything below
 * it, and the steps between the two. Types only, plain data.
 */
import type { RelationName } from "../model";
import type { DeclaredIndex } from "../table/model";

/** An index that carries a constraint of the table. */
export type IndexConstraint = "primary key" | "unique";

/** An index as declared, with every default filled in. */
export interface IndexDeclaration extends DeclaredIndex {
  schema: string;
  table: string;
  /** `NULLS NOT DISTINCT`, PostgreSQL 15 and later; of unique indexes only. */
  nullsNotDistinct: boolean;
  /** Storage parameters by name: `{fillfactor: 70}`. */
  storage: Record<string, string | number | boolean>;
  /** The index of a constraint: then columns only, no order, and `unique` is true. */
  constraint?: IndexConstraint;
}

/** What makes two indexes say the same, as the catalog spells it; comparable between relations of one database. */
export interface IndexSignature {
  method: string;
  unique: boolean;
  nullsNotDistinct: boolean;
  /** Number of key columns; the rest of `columns` is carried along. */
  keys: number;
  /** Names, null for an expression. */
  columns: (string | null)[];
  /** OIDs of operator classes and collations, and the flags of order, each in a text. */
  opclasses: string;
  collations: string;
  options: string;
  /** Undefined without any; `UNREAD` where nobody had to know. */
  expressions?: string;
  predicate?: string;
}

/** Stands for an expression that was not read: printing one waits for whoever holds ACCESS EXCLUSIVE on the table. */
export const UNREAD = "\0unread";

/** The table, or a relation below it at any depth. */
export interface TreeRelation extends RelationName {
  oid: number;
  /** `r` table, `p` partitioned table, `f` foreign table. */
  relkind: string;
  /** Key columns of a partitioned table, null for an expression; none of others. */
  key: (string | null)[];
  /** OID of the table that it is a partition of; undefined for the table itself. */
  parent?: number;
  /** pg_class.reltuples, -1 when never analysed. */
  rows: number;
  /** Size of the heap as of the last VACUUM or ANALYZE. */
  bytes: number;
}

/** An index on a relation of the tree. */
export interface TreeIndex extends RelationName, IndexSignature {
  oid: number;
  /** OID of the relation that it is on. */
  table: number;
  /** OID of the index that it is attached to. */
  attachedTo?: number;
  valid: boolean;
  constraint?: IndexConstraint | "other";
  /** `name=value`, sorted. */
  storage: string[];
  tablespace: string;
  comment?: string;
  /** Process that is building it just now. */
  builder?: number;
}

/** Everything that a plan is made from. */
export interface IndexTree {
  /** The table first, every relation after the one that it is a partition of; without half detached ones. */
  relations: TreeRelation[];
  indexes: TreeIndex[];
  /** Somewhere below the table a partition is half detached. */
  pending: boolean;
  /** The declared index as PostgreSQL would make it on this table. */
  wanted: IndexSignature & { storage: string[] };
  /** Which of the names that the plan may choose are in use in the table's schemas, as `schema.name`. */
  taken: ReadonlySet<string>;
}

/**
 * `create`: on the table alone, or on a partitioned partition alone, and attached there. `build`: on a leaf, without
 * blocking, and attached. `adopt`: an equal index of a partition is attached. `rebuild`: a part that is attached but not
 * valid is built anew in place. `move`: the same where it is in another tablespace than declared; `place`: an index without
 * storage of its own gets that tablespace. `swap`: the old index is dropped and the new one gets its name.
 */
export type IndexStepKind =
  | "dropInvalid"
  | "create"
  | "build"
  | "adopt"
  | "rebuild"
  | "move"
  | "place"
  | "rename"
  | "swap"
  | "drop";

export interface IndexStep {
  /** Unique in a plan: `build:events_2026_01`. */
  id: string;
  kind: IndexStepKind;
  /** The relation that the index is on. */
  table: TreeRelation;
  /** The index that the step is about; for `swap` and `rename` by the name that it has before. */
  index: RelationName;
  /** OID of that index when it is there already; it must still be this one. */
  oid?: number;
  /** What it is attached to, and on which table that is. */
  attachTo?: { index: RelationName; table: RelationName };
  /** `rename` and `swap`: the name that it gets. */
  name?: string;
  /** `swap` and `drop`: the index that goes. */
  drops?: RelationName & { oid: number };
  /** `swap` and `drop`: every relation that is locked. */
  locks?: RelationName[];
  /** `adopt`, `build`: the index gets the constraint of the declaration first. */
  constraint?: IndexConstraint;
  /** `create` of a replacement: the comment by which a later run knows it. `swap`: the one that the old index had. */
  comment?: string;
  /** Why, in one clause. */
  reason: string;
  /** Ids of the steps that must have succeeded before. */
  after: string[];
}

/** Something that stands in the way. */
export interface IndexFinding {
  severity: "error" | "warning";
  path: string;
  reason: string;
}

export interface IndexPlan {
  steps: IndexStep[];
  findings: IndexFinding[];
  /** The declared index on the table, when it is there under any name. */
  found?: TreeIndex;
}
