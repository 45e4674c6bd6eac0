/** One partition, seen from its own side. */
import type { RelationName } from "../../topology/model";
import type { Session } from "../connection";

const PARENT_OF = `
SELECT pn.nspname::text AS schema, p.relname::text AS name
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid
JOIN pg_catalog.pg_class p ON p.oid = i.inhparent
JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
WHERE n.nspname = $1 AND c.relname = $2 AND c.relispartition AND c.relkind IN ('r', 'p', 'f')`;

/** The table that this one is a partition of; undefined when it is none. */
export async function findPartition(
  session: Session,
  { schema, name }: RelationName,
): Promise<RelationName | undefined> {
  const [row] = await session.query<{ schema: string; name: string }>(PARENT_OF, [schema, name]);
  return row;
}
