/** Foreign keys out of and into the parent, and those that its children keep when they are detached. */
import type { RelationName } from "../../topology/model";
import type { Session } from "../connection";
import type { ChildForeignKey } from "../parent";

export interface ForeignKeys {
  references: RelationName[];
  referencedBy: RelationName[];
  /** Referencing tables that this role may lock in ACCESS EXCLUSIVE mode. */
  lockFirst: RelationName[];
  /** By OID of the child. */
  ofChildren: Map<number, ChildForeignKey[]>;
}

interface Row extends Record<string, unknown> {
  side: "out" | "in" | "child";
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
WITH family AS (SELECT inhrelid AS oid FROM pg_catalog.pg_inherits WHERE inhparent = $1 UNION SELECT $1::oid), edges AS (
  SELECT DISTINCT 'out' AS side, NULL::oid AS child, NULL::text AS constraint, confrelid AS other
  FROM pg_catalog.pg_constraint WHERE contype = 'f' AND conrelid = $1
  UNION
  SELECT DISTINCT 'in', NULL::oid, NULL::text, conrelid
  FROM pg_catalog.pg_constraint WHERE contype = 'f' AND confrelid = $1
  UNION
  SELECT 'child', k.conrelid, k.conname::text, k.confrelid
  FROM pg_catalog.pg_constraint k LEFT JOIN pg_catalog.pg_constraint up ON up.oid = k.conparentid
  WHERE k.contype = 'f' AND k.conrelid = ANY ($2::oid[]) AND (up.oid IS NULL OR up.conrelid <> k.conrelid)
)
SELECT e.side, e.child, e.constraint, n.nspname::text AS schema, c.relname::text AS name,
  e.side = 'in' AND pg_catalog.has_table_privilege(c.oid, 'TRUNCATE') AS lockable
FROM edges e JOIN pg_catalog.pg_class c ON c.oid = e.other JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE e.side = 'child' OR e.other NOT IN (SELECT oid FROM family)
ORDER BY e.side, e.child, e.constraint, n.nspname, c.relname`;

export async function readForeignKeys(session: Session, parent: number, children: number[]): Promise<ForeignKeys> {
  const rows = await session.query<Row>(FOREIGN_KEYS, [parent, children]);
  const names = (side: Row["side"]) => rows.filter((row) => row.side === side).map(nameOf);
  const ofChildren = new Map<number, ChildForeignKey[]>();
  for (const row of rows) {
    if (row.side !== "child" || row.child === null || row.constraint === null) continue;
    ofChildren.set(row.child, [
      ...(ofChildren.get(row.child) ?? []),
      { name: row.constraint, references: nameOf(row) },
    ]);
  }
  return {
    references: names("out"),
    referencedBy: names("in"),
    lockFirst: rows.filter(({ lockable }) => lockable).map(nameOf),
    ofChildren,
  };
}

function nameOf({ schema, name }: Row): RelationName {
  return { schema, name };
}
