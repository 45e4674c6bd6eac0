/** Foreign keys out of and into the parent, and those that its children keep when they are detached. */
import type { RelationName } from "../../topology/model";
import type { Session } from "../connection";
import type { ChildForeignKey } from "../parent";

export interface ForeignKeys {
  references: RelationName[];
  referencedBy: RelationName[];
  /** The parent and its partitions at every level, when the parent references itself. */
  itself: RelationName[];
  /** Referencing tables that this role may lock in ACCESS EXCLUSIVE mode. */
  lockFirst: RelationName[];
  /** By OID of the child. */
  ofChildren: Map<number, ChildForeignKey[]>;
}

interface Row extends Record<string, unknown> {
  side: "out" | "in" | "itself" | "child";
  child: number | null;
  constraint: string | null;
  schema: string;
  name: string;
  lockable: boolean;
}

/**
 * A foreign key between partitioned tables has a row for each partition on either side, which is just what gets locked.
 * Rows that stand for a partition of the other table (conparentid in the same table) are no constraints of their own.
 */
const FOREIGN_KEYS = `
WITH RECURSIVE family AS (
  SELECT $1::oid AS oid
  UNION
  SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN family ON i.inhparent = family.oid
), own AS (
  SELECT k.conrelid, k.conname, k.confrelid, 0 AS level
  FROM pg_catalog.pg_constraint k LEFT JOIN pg_catalog.pg_constraint up ON up.oid = k.conparentid
  WHERE k.contype = 'f' AND k.conrelid = ANY ($2::oid[]) AND (up.oid IS NULL OR up.conrelid <> k.conrelid)
  UNION ALL
  SELECT own.conrelid, own.conname, i.inhrelid, own.level + 1
  FROM pg_catalog.pg_inherits i JOIN own ON i.inhparent = own.confrelid
), edges AS (
  SELECT DISTINCT CASE WHEN confrelid IN (SELECT oid FROM family) THEN 'itself' ELSE 'out' END AS side,
    NULL::oid AS child, NULL::text AS constraint, confrelid AS other, 0 AS level
  FROM pg_catalog.pg_constraint WHERE contype = 'f' AND conrelid = $1
  UNION
  SELECT DISTINCT 'in', NULL::oid, NULL::text, conrelid, 0
  FROM pg_catalog.pg_constraint WHERE contype = 'f' AND confrelid = $1 AND conrelid NOT IN (SELECT oid FROM family)
  UNION
  SELECT 'child', conrelid, conname::text, confrelid, level FROM own
)
SELECT e.side, e.child, e.constraint, n.nspname::text AS schema, c.relname::text AS name,
  e.side = 'in' AND pg_catalog.has_table_privilege(c.oid, 'TRUNCATE') AS lockable
FROM edges e JOIN pg_catalog.pg_class c ON c.oid = e.other JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
ORDER BY e.side, e.child, e.constraint, e.level, n.nspname, c.relname`;

export async function readForeignKeys(session: Session, parent: number, children: number[]): Promise<ForeignKeys> {
  const rows = await session.query<Row>(FOREIGN_KEYS, [parent, children]);
  const names = (side: Row["side"]) => rows.filter((row) => row.side === side).map(nameOf);
  const ofChildren = new Map<number, ChildForeignKey[]>();
  for (const row of rows) {
    if (row.side !== "child" || row.child === null || row.constraint === null) continue;
    const keys = ofChildren.get(row.child) ?? [];
    const last = keys.at(-1);
    if (last?.name === row.constraint) last.references.push(nameOf(row));
    else keys.push({ name: row.constraint, references: [nameOf(row)] });
    ofChildren.set(row.child, keys);
  }
  return {
    references: names("out"),
    referencedBy: names("in"),
    itself: names("itself"),
    lockFirst: rows.filter(({ lockable }) => lockable).map(nameOf),
    ofChildren,
  };
}

function nameOf({ schema, name }: Row): RelationName {
  return { schema, name };
}
