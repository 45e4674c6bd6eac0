/** What PostgreSQL 14 does to the foreign keys of partitions that are detached, as far as the catalog tells it. */
import type { Session } from "../connection";

/** Constraints by {@link constraintKey}. */
export interface KeptForeignKeys {
  /** Those that go with a detach from, or of, the topmost table that has them, with what that table says of them. */
  inherited: ReadonlyMap<string, { definition: string; topmost: number }>;
  /** Those of detached tables, and of what is below them, which are in force but not validated. */
  unvalidated: ReadonlySet<string>;
}

export function constraintKey(relation: number, name: string): string {
  return `${relation} ${name}`;
}

export const NONE_KEPT: KeptForeignKeys = { inherited: new Map(), unvalidated: new Set() };

/**
 * $1 relations, $2 partitioned tables of the tree, $3 those of the relations that are not attached to it. The text is that of the topmost table with the key, so that nothing waits
 * for whoever locks a partition. A row that stands for a partition of the referenced table has its parent in the same table.
 * Not validated are keys that a table of the tree has as well: those that a detach has put back, and no others.
 */
const KEPT = `
WITH RECURSIVE own AS (
  SELECT k.oid, k.conparentid, k.conrelid, k.conname FROM pg_catalog.pg_constraint k
  JOIN pg_catalog.pg_class r ON r.oid = k.confrelid AND r.relkind = 'p'
  JOIN pg_catalog.pg_constraint up ON up.oid = k.conparentid AND up.conrelid <> k.conrelid
  WHERE k.contype = 'f' AND k.conrelid = ANY ($1::oid[])
), above AS (
  SELECT own.oid AS key, up.oid, up.conparentid, up.conrelid FROM own JOIN pg_catalog.pg_constraint up ON up.oid = own.conparentid
  UNION ALL
  SELECT above.key, up.oid, up.conparentid, up.conrelid FROM above JOIN pg_catalog.pg_constraint up ON up.oid = above.conparentid
)
SELECT own.conrelid AS relation, own.conname::text AS name, pg_catalog.pg_get_constraintdef(above.oid) AS definition,
  above.conrelid AS topmost
FROM own JOIN above ON above.key = own.oid WHERE above.conparentid = 0
UNION ALL
SELECT k.conrelid, k.conname::text, NULL, NULL FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class r ON r.oid = k.confrelid AND r.relkind = 'p'
WHERE k.contype = 'f' AND NOT k.convalidated AND k.conparentid = 0 AND k.conrelid = ANY ($3::oid[])
  AND EXISTS (SELECT FROM pg_catalog.pg_constraint p
    WHERE p.contype = 'f' AND p.conrelid = ANY ($2::oid[]) AND p.confrelid = k.confrelid AND p.confkey = k.confkey
      AND (p.confupdtype, p.confdeltype, p.confmatchtype) = (k.confupdtype, k.confdeltype, k.confmatchtype)
      AND ${columns("p")} = ${columns("k")})`;

/** Names, since a partition's columns may stand in another order. */
function columns(constraint: string): string {
  return `ARRAY(SELECT a.attname FROM pg_catalog.unnest(${constraint}.conkey) WITH ORDINALITY AS n(attribute, position)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = ${constraint}.conrelid AND a.attnum = n.attribute ORDER BY n.position)`;
}

interface Row extends Record<string, unknown> {
  relation: number;
  name: string;
  definition: string | null;
  topmost: number | null;
}

export async function readKeptForeignKeys(
  session: Session,
  relations: number[],
  partitioned: number[],
  attached: number[],
): Promise<KeptForeignKeys> {
  const inTree = new Set(attached);
  const apart = relations.filter((oid) => !inTree.has(oid));
  const rows = await session.query<Row>(KEPT, [relations, partitioned, apart]);
  const keyOf = ({ relation, name }: Row) => constraintKey(relation, name);
  return {
    inherited: new Map(
      rows.flatMap((row): [string, { definition: string; topmost: number }][] => {
        const { definition, topmost } = row;
        return definition === null || topmost === null ? [] : [[keyOf(row), { definition, topmost }]];
      }),
    ),
    unvalidated: new Set(rows.filter(({ definition }) => definition === null).map(keyOf)),
  };
}
