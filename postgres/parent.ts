/** What has to be known of a partitioned table before statements about its children can be written. */
import type { ActualParent, ActualSet, DesiredSet, PartitionBound, RelationName, Strategy } from "../topology/model";
import type { Step } from "../topology/steps";

/** The newest PostgreSQL whose locks are known; assumed when a plan is made without a server. */
export const NEWEST_MAJOR = 18;

/** One column or expression of the partition key, ready to be put into SQL. */
export interface KeyFacts {
  /** A quoted column, or the parenthesised expression as PostgreSQL prints it. */
  sql: string;
  /** format_type(); undefined when planned without a database. */
  type?: string;
}

/** Privileges of one role on the parent, or on one of its columns. */
export interface Grant {
  /** Undefined: PUBLIC. */
  grantee?: string;
  privileges: string[];
  grantable: boolean;
  /** Undefined: the whole table. */
  column?: string;
}

export interface Policy {
  name: string;
  permissive: boolean;
  command: "ALL" | "SELECT" | "INSERT" | "UPDATE" | "DELETE";
  /** Empty: PUBLIC. */
  roles: string[];
  using?: string;
  check?: string;
  /** Other tables that its expressions read, which CREATE POLICY locks as a query would. */
  reads: RelationName[];
}

export type ReplicaIdentity = "default" | "nothing" | "full" | "index";

/** An object made by CREATE STATISTICS. */
export interface ExtendedStatistics {
  kinds: string[];
  /** Columns and expressions, as PostgreSQL prints them. */
  on: string;
  target?: number;
}

/** What the parent has and a new child does not get from PostgreSQL by itself. */
export interface ChildAttributes {
  /** Undefined: the role that creates the child owns the parent as well. */
  owner?: string;
  grants: Grant[];
  /** Grantees (undefined: PUBLIC) that ALTER DEFAULT PRIVILEGES gives rights on every new table of the creating role. */
  defaultGrantees: (string | undefined)[];
  rowSecurity: { enabled: boolean; forced: boolean };
  policies: Policy[];
  replicaIdentity: ReplicaIdentity;
  /** OID of the parent's index when `replicaIdentity` is `index`. */
  replicaIndex?: number;
  /** Privileges that the owner has taken from itself. */
  ownerLacks: string[];
  columns: { name: string; statistics?: number; comment?: string; options?: Record<string, string> }[];
  extendedStatistics: ExtendedStatistics[];
  /** Statistics targets of index expressions, by OID of the parent's index. */
  indexTargets: { index: number; column: number; target: number }[];
  /** Undefined: the default of database and role. */
  tablespace?: string;
  accessMethod?: string;
  /** Indexes of the parent, each of which every child has as well. */
  indexes: number;
}

/** Foreign key that a child has itself or has from its parent, and that it has (still) when it is detached. */
export interface ChildForeignKey {
  name: string;
  /** The referenced table; then its partitions, each of which has triggers of the key. */
  references: RelationName[];
  /** Those of its partitions that are partitioned themselves. */
  divided: RelationName[];
  /** The referenced table is partitioned. */
  partitioned: boolean;
  /** The table above has it as well. */
  inherited: boolean;
}

/** A foreign key of a table, or of one that is below it. */
export interface LeafForeignKey extends ChildForeignKey {
  on: RelationName;
}

/** One that goes when the partition is detached. */
export interface LostForeignKey extends LeafForeignKey {
  /** As the topmost table that has the key says it. */
  definition: string;
}

export interface ChildFacts {
  relkind: string;
  /** Those that it has (still) when it is detached, and those that tables below it have by themselves. */
  foreignKeys: LeafForeignKey[];
  /** PostgreSQL 14 only; of a partition of which nobody knows yet: none. */
  lostForeignKeys?: LostForeignKey[];
  /** PostgreSQL 14 only: put back when the table was detached, and not validated since the run was interrupted. */
  unvalidatedForeignKeys?: LeafForeignKey[];
  /** Everything below a sub-partitioned child. */
  descendants: RelationName[];
  /** Those of them that hold rows. */
  leaves: RelationName[];
}

/** What a statement that copies rows of the parent's children is made from. */
export interface CopyFacts {
  /** `PARTITION BY` of the parent with its operator classes and collations: `RANGE (created_at)`. */
  partitionKey: string;
  columns: { name: string; generated: boolean }[];
  /** Of the database, by PostgreSQL's name. */
  encoding: string;
  /**
   * A unique key without NULLs, by which a row and its copy are known to be the same; `equals` is its operator,
   * schema-qualified. Empty: there is none.
   */
  key: { column: string; equals: string }[];
  /** Foreign keys of the parent as PostgreSQL prints them; `references`: the table, then what is below it. */
  foreignKeys: { name: string; definition: string; references: RelationName[]; valid: boolean }[];
  /** CHECKs, and from 18 on NOT NULLs, that rows of partitions may violate: nobody has ever looked. */
  unvalidated: { name: string; definition: string }[];
  /** The condition that the bounds of the parent and of its own parents put on every row; undefined: none. */
  condition?: string;
  /** PostgreSQL takes a CHECK of the condition for a proof that a row is within all these bounds. */
  provable: boolean;
  /** The parent, or one of its partitions, is referenced by a foreign key of the parent itself. */
  selfReferenced: boolean;
  /** Publications that publish every table of the database, or of the schema, whatever it is attached to. */
  publicationsOfAll: string[];
  /** Publications of the parent that name the partitions to subscribers (`publish_via_partition_root = false`). */
  publicationsOfLeaves: string[];
  /** Publications of the parent or of a table above it. */
  publications: { name: string; viaRoot: boolean }[];
  /** Row security applies to the current role: it would not see every row. */
  rowSecurityApplies: boolean;
}

/** Input of the statement builders. */
export interface ParentFacts extends RelationName {
  /** Major version of the server. */
  major: number;
  strategy: Strategy;
  keys: KeyFacts[];
  defaultPartition?: RelationName & { oid?: number };
  /** Everything below a sub-partitioned DEFAULT. */
  defaultDescendants: RelationName[];
  /** Parents of the parent, when it is a partition itself. */
  ancestors: RelationName[];
  /** Tables that the parent references by foreign keys, partitions of such tables included. */
  references: RelationName[];
  /** Tables whose foreign keys reference the parent. */
  referencedBy: RelationName[];
  /** Partitions of such tables, on every level. */
  partitionsOfReferencing?: RelationName[];
  /** The parent and its partitions at every level, when a foreign key of the parent references the parent. */
  itself?: RelationName[];
  /** A foreign key of the parent leads to a partitioned table, be it the parent itself. */
  referencesPartitioned?: boolean;
  /** Those of `referencedBy` that this role may lock; they are locked before the parent. */
  lockFirst: RelationName[];
  attributes: ChildAttributes;
  /** By OID: children of every level, known detached ones and strangers. */
  childFacts: Record<number, ChildFacts>;
  /** Attached children with their bounds; undefined when planned without a database, as the next one is. */
  childBounds?: { oid: number; bound: PartitionBound }[];
  copying?: CopyFacts;
  /** By OID: partitions that are partitioned themselves, whatever level they are on. */
  below: Record<number, ParentFacts>;
}

/** The facts of the table that a step's partition belongs to, under the name that it has by then. */
export function tableOfStep<Facts extends ParentFacts>(
  step: Step,
  root: Facts & { below: Record<number, Facts> },
): Facts {
  const { under } = step;
  if (under === undefined) return root;
  const facts = root.below[under.oid] ?? { ...root, ...NO_LINKS, ancestors: [root, ...root.ancestors] };
  return { ...facts, schema: under.schema, name: under.name };
}

/**
 * The facts with the names that DEFAULT partitions have once the plan's renames are done: whatever else is about them
 * comes later.
 */
export function underNewNames<Facts extends ParentFacts & { below: Record<number, Facts> }>(
  facts: Facts,
  steps: readonly Step[],
): Facts {
  const names = new Map<number | undefined, RelationName>(
    steps.flatMap(({ method, oid, schema, partition }) =>
      method === "rename" ? [[oid, { schema, name: partition }] as const] : [],
    ),
  );
  const renamed = (table: Facts): Facts => {
    const fallback = table.defaultPartition;
    const name = fallback?.oid === undefined ? undefined : names.get(fallback.oid);
    return {
      ...table,
      ...(name !== undefined && { defaultPartition: { ...fallback, ...name } }),
      below: Object.fromEntries(Object.entries(table.below).map(([oid, one]) => [oid, renamed(one)])),
    };
  };
  return names.size === 0 ? facts : renamed(facts);
}

/** Without a database nothing is known of a partition's own DEFAULT and foreign keys. */
const NO_LINKS = { defaultPartition: undefined, defaultDescendants: [], keys: [], copying: undefined };

/** The parent as the catalog shows it. */
export interface CatalogParent extends ActualParent, ParentFacts {
  defaultPartition?: ActualParent["defaultPartition"];
  below: Record<number, CatalogParent>;
}

/** {@link ActualSet} read from the catalog, with what the statements need. */
export interface CatalogSet extends ActualSet {
  source: "catalog";
  parent?: CatalogParent;
  /** Guard constraints that an interrupted run left on the DEFAULT partition. */
  defaultGuards: string[];
  /** Publications that name children one by one, and so will not publish a new child. */
  publicationsByName: string[];
}

const NO_ATTRIBUTES: ChildAttributes = {
  grants: [],
  defaultGrantees: [],
  rowSecurity: { enabled: false, forced: false },
  policies: [],
  replicaIdentity: "default",
  ownerLacks: [],
  columns: [],
  extendedStatistics: [],
  indexTargets: [],
  indexes: 0,
};

/**
 * Facts for a parent that cannot be read: it does not exist yet, or no database can be reached. Statements made from
 * them show neither owner nor grants, since nobody knows them yet.
 */
export function plannedParent(desired: DesiredSet, recorded?: ActualParent, major: number = NEWEST_MAJOR): ParentFacts {
  return {
    schema: desired.schema,
    name: desired.table,
    major,
    strategy: desired.strategy,
    keys: desired.keyColumns.map((column) => ({ sql: `"${column.replaceAll('"', '""')}"`, type: desired.keyType })),
    // Of a parent that is still to be made, DEFAULT is the last partition: nothing before it meets its lock.
    defaultPartition: recorded?.defaultPartition,
    defaultDescendants: [],
    ancestors: [],
    references: recorded?.references ?? [],
    referencedBy: recorded?.referencedBy ?? [],
    itself: recorded?.itself,
    lockFirst: recorded?.referencedBy ?? [],
    attributes: NO_ATTRIBUTES,
    childFacts: {},
    below: {},
  };
}
