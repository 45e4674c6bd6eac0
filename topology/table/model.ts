/**
 * The partitioned parent: how it is declared, and how the catalog shows it.
 *
 * Types only, plain data. Texts called *SQL* are fragments that PostgreSQL parses (a type, an expression); their
 * unqualified names are looked up in the table's own schema, then in `public`, then in `pg_catalog`.
 */
import type { Strategy } from "../model";

/** `PARTITION BY`. A `PartitionSet`'s `partitionBy` has the same shape with more properties, which a table ignores. */
export type PartitionBy =
  | { range: { columns: string[] } }
  | { list: { column: string } }
  | { hash: { columns: string[] } };

export type IdentityKind = "always" | "byDefault";
export type GeneratedKind = "stored" | "virtual";

export interface DeclaredColumn {
  name: string;
  /** SQL: any type PostgreSQL knows, `serial` forms included. */
  type: string;
  /** Default true; false for the columns of the primary key, identity and serial columns. */
  nullable: boolean;
  /** SQL: an expression. */
  default?: string;
  identity?: IdentityKind;
  /** `kind` defaults to `stored`; `virtual` needs PostgreSQL 18. */
  generated?: { expression: string; kind: GeneratedKind };
  /** Name of a collation. Default: the type's own. */
  collation?: string;
  /** Undeclared: left as it is. The empty text removes it. */
  comment?: string;
  /** Statistics target, -1 to 10000; -1 is the server's default. Undeclared: left as it is. */
  statistics?: number;
}

/** Columns under one constraint. Without a name an equal constraint of any name fits, and PostgreSQL names a new one. */
export interface DeclaredKey {
  name?: string;
  columns: string[];
}

/** A key with an index. */
export interface DeclaredIndexedKey extends DeclaredKey {
  /** Of the index and its parts. Undeclared: PostgreSQL's choice, and not compared. */
  tablespace?: string;
}

export interface DeclaredUnique extends DeclaredIndexedKey {
  /** `NULLS NOT DISTINCT`, PostgreSQL 15 and later. Default false. */
  nullsNotDistinct: boolean;
}

export interface DeclaredCheck {
  /** Without a name an equal check of any name fits. */
  name?: string;
  /** SQL: a boolean expression. */
  expression: string;
}

export const REFERENTIAL_ACTIONS = ["no action", "restrict", "cascade", "set null", "set default"] as const;
export type ReferentialAction = (typeof REFERENTIAL_ACTIONS)[number];

/** When a constraint is checked: at once (`no`), or at the end of the transaction, on demand or always. */
export type Deferrable = "no" | "initially immediate" | "initially deferred";

export interface DeclaredForeignKey extends DeclaredKey {
  /** `schema` defaults to the table's own, `columns` to the primary key there. */
  references: { schema: string; table: string; columns?: string[] };
  /** Default `no action`. */
  onDelete: ReferentialAction;
  /** Default `no action`. */
  onUpdate: ReferentialAction;
  /** Default false. */
  deferrable: boolean;
  /** Implies `deferrable`. Default false. */
  initiallyDeferred: boolean;
}

/** One key of an index: a column or an expression. */
export interface DeclaredIndexKey {
  column?: string;
  /** SQL: an expression. */
  expression?: string;
  /** Default `asc`. */
  order?: "asc" | "desc";
  /** Default `last` for `asc`, `first` for `desc`. */
  nulls?: "first" | "last";
  /** Name of a collation. Default: the column's own. */
  collation?: string;
  /** Name of an operator class. Default: the type's own. */
  opclass?: string;
}

export interface DeclaredIndex {
  name: string;
  columns: DeclaredIndexKey[];
  /** Default false. */
  unique: boolean;
  /** Access method. Default `btree`. */
  method: string;
  /** Columns carried along (`INCLUDE`). */
  include: string[];
  /** SQL: the predicate of a partial index. */
  where?: string;
  /** Of the index and its parts. Undeclared: PostgreSQL's choice, and not compared. */
  tablespace?: string;
}

/** What `pulumi destroy` does with a table that still has rows: `refuse` (default), or `drop` it with its partitions. */
export type TableOnDelete = "refuse" | "drop";

/** A table as declared, with every default filled in: what Check gives back. */
export interface DeclaredTable {
  /** Default `public`. */
  schema: string;
  name: string;
  partitionBy: PartitionBy;
  /** Absent: the table belongs to somebody else (an ORM's migrations), must exist, and is left as it is. */
  columns?: DeclaredColumn[];
  primaryKey?: DeclaredIndexedKey;
  unique: DeclaredUnique[];
  checks: DeclaredCheck[];
  foreignKeys: DeclaredForeignKey[];
  indexes: DeclaredIndex[];
  /** Undeclared: left as it is. The empty text removes it. */
  comment?: string;
  /** Undeclared: left as it is. */
  owner?: string;
  onDelete: TableOnDelete;
  /** Accepts, once, that the table is now on another cluster or was made again. */
  acceptIdentity?: string;
}

/** A column in the catalog. Texts are as PostgreSQL prints them under an empty search_path: everything qualified. */
export interface ActualColumn {
  name: string;
  type: string;
  nullable: boolean;
  /** Undefined for identity and generated columns. */
  default?: string;
  /** The default is the next number of a sequence that the column owns, as `serial` makes it. */
  serial: boolean;
  identity?: IdentityKind;
  generated?: { expression: string; kind: GeneratedKind };
  /** Undefined: the type's own. */
  collation?: string;
  comment?: string;
  /** -1: the server's default. */
  statistics: number;
}

export interface ActualUnique {
  name: string;
  columns: string[];
  nullsNotDistinct: boolean;
  /** Columns carried along, which a declared constraint cannot have. */
  include: string[];
  deferrable: Deferrable;
  /** False: at least one partition lacks its part of the index. */
  valid: boolean;
  /** Undefined: the database's own. */
  tablespace?: string;
}

export interface ActualCheck {
  name: string;
  expression: string;
  /** False: `NOT VALID`. */
  valid: boolean;
  /** False: `NOT ENFORCED`, PostgreSQL 18. */
  enforced: boolean;
}

export interface ActualForeignKey {
  name: string;
  columns: string[];
  references: { schema: string; table: string; columns: string[] };
  /** A {@link ReferentialAction}, followed by its columns when it is about some only: `set null (a)`. */
  onDelete: string;
  onUpdate: string;
  deferrable: Deferrable;
  match: "simple" | "full" | "partial";
  valid: boolean;
  enforced: boolean;
  /** The part of a foreign key of the table above, which is dropped with that one only. */
  inherited: boolean;
}

export interface ActualIndex {
  name: string;
  /** Each key as PostgreSQL prints it, with collation, operator class and order where they are not the default. */
  keys: string[];
  include: string[];
  unique: boolean;
  nullsNotDistinct: boolean;
  method: string;
  where?: string;
  /** False: at least one partition lacks its part, or a build failed. */
  valid: boolean;
  /** Undefined: the database's own. */
  tablespace?: string;
}

/** A relation below the parent, at any depth. */
export interface Descendant {
  oid: number;
  schema: string;
  name: string;
  /** `p` has partitions of its own. */
  relkind: string;
  /** OID of the table that it is a partition of. */
  parent: number;
  /** Half detached by an interrupted `DETACH CONCURRENTLY`: its rows are not seen through the parent. */
  pending: boolean;
  owner: string;
  /** PostgreSQL's estimate; undefined when it has none yet. */
  rows?: number;
  /** Of the table without its indexes, as of the last VACUUM or ANALYZE. */
  bytes: number;
}

/** A parent as the catalog shows it. */
export interface ActualTable {
  oid: number;
  schema: string;
  name: string;
  owner: string;
  comment?: string;
  /** The database's own. */
  defaultTablespace: string;
  partitionKey: {
    strategy: Strategy;
    /** Null stands for an expression. */
    columns: (string | null)[];
    /** As PostgreSQL prints it, with collations and operator classes: `RANGE (created_at)`. */
    definition: string;
  };
  columns: ActualColumn[];
  primaryKey?: ActualUnique;
  unique: ActualUnique[];
  checks: ActualCheck[];
  foreignKeys: ActualForeignKey[];
  /** Without those that carry a constraint. */
  indexes: ActualIndex[];
  descendants: Descendant[];
}

/** Strategy and columns of a declared key. */
export function partitionKeyOf(partitionBy: PartitionBy): { strategy: Strategy; columns: string[] } {
  if ("range" in partitionBy) {
    return { strategy: "range", columns: partitionBy.range.columns };
  }
  return "list" in partitionBy
    ? { strategy: "list", columns: [partitionBy.list.column] }
    : { strategy: "hash", columns: partitionBy.hash.columns };
}
