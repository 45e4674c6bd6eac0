/** Foreign keys out of and into the partitioned tables of a tree, and those that children keep when they are detached. */
import type { RelationName } from "../../topology/model";
import type { Session } from "../connection";
import { losesForeignKeys } from "../locks";
import type { ChildForeignKey } from "../parent";
import { type KeptForeignKeys, NONE_KEPT, readKeptForeignKeys } from "./keptForeignKeys";

/** What the foreign keys of one partitioned table lead to and come from. */
export interface Links {
  references: RelationName[];
  /** Tables with a foreign key of their own to it. */
  referencedBy: RelationName[];
  /** Partitions of these, on every level: a detach looks into them for referencing rows. */
  partitionsOfReferencing: RelationName[];
  /** The parent and its partitions at every level, when the parent references itself. */
  itself: RelationName[];
  /** A foreign key leads to a partitioned table, be it the parent itself. */
  referencesPartitioned: boolean;
  /** Referencing tables that this role may lock in ACCESS EXCLUSIVE mode. */
  lockFirst: RelationName[];
}

export interface ForeignKeys {
  linksOf(parent: number): Links;
  /** By OID of the child. */
  ofChildren: Map<number, ChildForeignKey[]>;
  kept: KeptForeignKeys;
}

interface Row extends Record<string, unknown> {
  side: "out" | "in" | "below" | "itself" | "child";
  of: number;
  constraint: string | null;
  schema: string;
  name: string;
  lockable: boolean;
  partitioned: boolean;
  inherited: boolean;
}

/**
 * A foreign key between partitioned tables has a row for each partition on either side. Of the referenced table all of them
 * get locked, of the referencing one only the table that has the key itself. Rows that stand for a partition of the other
 * table (conparentid in the same table) are no constraints of their own. Mostly there is nothing to be found, but what
 * PostgreSQL expects of a recursive query are many: the tables at the other ends are looked up one by one (OFFSET 0), or it
 * would read all of pg_class first.
 */
const FOREIGN_KEYS = `
WITH RECURSIVE keys AS MATERIALIZED (
  SELECT k.conname, k.conrelid, k.confrelid, k.conrelid = ANY ($3::oid[]) AS inside, up.oid IS NOT NULL AS inherited,
    up.oid IS NULL OR up.conrelid <> k.conrelid AS of_its_own, up.oid IS NULL OR up.conrelid = k.conrelid AS on_top
  FROM pg_catalog.pg_constraint k LEFT JOIN pg_catalog.pg_constraint up ON up.oid = k.conparentid
  WHERE k.contype = 'f'
), own AS (
  SELECT k.conrelid, k.conname, k.confrelid, k.inherited, 0 AS level
  FROM keys k JOIN pg_catalog.unnest($2::oid[]) AS c(oid) ON c.oid = k.conrelid WHERE k.of_its_own
  UNION ALL
  SELECT own.conrelid, own.conname, i.inhrelid, own.inherited, own.level + 1
  FROM pg_catalog.pg_inherits i JOIN own ON i.inhparent = own.confrelid
), referencing AS (
  SELECT DISTINCT k.confrelid, k.conrelid, 0 AS level
  FROM keys k WHERE k.confrelid = ANY ($1::oid[]) AND NOT k.inside AND k.on_top
  UNION ALL
  SELECT r.confrelid, i.inhrelid, r.level + 1
  FROM pg_catalog.pg_inherits i JOIN referencing r ON i.inhparent = r.conrelid
), edges AS (
  SELECT DISTINCT CASE WHEN confrelid = ANY ($3::oid[]) THEN 'itself' ELSE 'out' END AS side,
    conrelid AS of, NULL::text AS constraint, confrelid AS other, false AS inherited, 0 AS level
  FROM keys WHERE conrelid = ANY ($1::oid[])
  UNION
  SELECT CASE WHEN min(level) = 0 THEN 'in' ELSE 'below' END, confrelid, NULL::text, conrelid, false, 0
  FROM referencing GROUP BY confrelid, conrelid
  UNION
  SELECT 'child', conrelid, conname::text, confrelid, inherited, level FROM own
)
SELECT e.side, e.of, e.constraint, c.schema, c.name,
  e.side = 'in' AND pg_catalog.has_table_privilege(e.other, 'TRUNCATE') AS lockable, c.partitioned, e.inherited
FROM edges e CROSS JOIN LATERAL (
  SELECT n.nspname::text AS schema, c.relname::text AS name, c.relkind = 'p' AS partitioned
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = e.other OFFSET 0) c
ORDER BY e.side, e.of, e.constraint, e.level, c.schema COLLATE "C", c.name COLLATE "C"`;

/** Whose foreign keys are read. */
export interface ForeignKeyRequest {
  /** The partitioned tables. */
  parents: readonly { oid: number; major: number }[];
  /** Everything that is, was or may become a partition. */
  children: number[];
  /** The table with all that is attached. */
  tree: number[];
}

export async function readForeignKeys(
  session: Session,
  { parents: tables, children, tree }: ForeignKeyRequest,
): Promise<ForeignKeys> {
  const parents = tables.map(({ oid }) => oid);
  const rows = await session.query<Row>(FOREIGN_KEYS, [parents, children, tree]);
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const key = `${row.side}:${row.of}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [row]);
    else group.push(row);
  }
  const group = (side: Row["side"], of: number) => groups.get(`${side}:${of}`) ?? [];
  const linksOf = (parent: number): Links => ({
    references: group("out", parent).map(nameOf),
    referencedBy: group("in", parent).map(nameOf),
    partitionsOfReferencing: group("below", parent).map(nameOf),
    itself: group("itself", parent).map(nameOf),
    referencesPartitioned: [...group("out", parent), ...group("itself", parent)].some((row) => row.partitioned),
    lockFirst: group("in", parent)
      .filter(({ lockable }) => lockable)
      .map(nameOf),
  });
  const loses = tables.some(({ oid, major }) => losesForeignKeys({ major, ...linksOf(oid) }));
  return {
    linksOf,
    kept: loses ? await readKeptForeignKeys(session, children, parents, tree) : NONE_KEPT,
    ofChildren: new Map(children.map((child) => [child, childKeys(group("child", child))])),
  };
}

function childKeys(rows: readonly Row[]): ChildForeignKey[] {
  const keys: ChildForeignKey[] = [];
  for (const row of rows) {
    const { constraint: name, partitioned, inherited } = row;
    if (name === null) continue;
    const last = keys.at(-1);
    if (last?.name !== name) keys.push({ name, references: [nameOf(row)], divided: [], partitioned, inherited });
    else {
      last.references.push(nameOf(row));
      if (partitioned) last.divided.push(nameOf(row));
    }
  }
  return keys;
}

function nameOf({ schema, name }: Row): RelationName {
  return { schema, name };
}
