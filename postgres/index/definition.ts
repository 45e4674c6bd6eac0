/** An index of a partitioned table as a declaration would say it: for import. */
import type { IndexDeclaration } from "../../topology/index/model";
import type { RelationName } from "../../topology/model";
import type { DeclaredIndexKey } from "../../topology/table/model";
import type { Session } from "../connection";

export interface Definition extends IndexDeclaration {
  oid: number;
  tableOid: number;
}

/** A constraint that can be built as an index first. */
const CONSTRAINT = `
  (SELECT CASE c.contype WHEN 'p' THEN 'primary key' ELSE 'unique' END FROM pg_catalog.pg_constraint c
   WHERE c.conindid = i.indexrelid AND c.conrelid = i.indrelid AND c.contype IN ('p', 'u') AND NOT c.condeferrable)`;

/** An index on a partitioned table, which is no part of another one. */
const DEFINITION = `
SELECT i.indexrelid AS oid, i.indrelid AS table_oid, n.nspname::text AS schema, t.relname::text AS "table", x.relname::text AS name,
  i.indisunique AS "unique", m.amname::text AS method, s.spcname::text AS tablespace, x.reloptions AS storage,
  coalesce((pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false) AS nulls_not_distinct,
  pg_catalog.pg_get_expr(i.indpred, i.indrelid) AS predicate, ${CONSTRAINT} AS "constraint",
  (SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
      'column', a.attname, 'text', pg_catalog.pg_get_indexdef(i.indexrelid, k.place + 1, false),
      'collation', CASE WHEN i.indcollation[k.place] <> coalesce(a.attcollation, 0) THEN co.collname END,
      'opclass', CASE WHEN o.opcdefault THEN NULL ELSE o.opcname END, 'flags', i.indoption[k.place] & 3) ORDER BY k.place)
   FROM pg_catalog.generate_series(0, i.indnkeyatts - 1) AS k(place)
   JOIN pg_catalog.pg_opclass o ON o.oid = i.indclass[k.place]
   LEFT JOIN pg_catalog.pg_attribute a
     ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k.place] AND i.indkey[k.place] > 0
   LEFT JOIN pg_catalog.pg_collation co ON co.oid = i.indcollation[k.place]) AS keys,
  ARRAY(SELECT a.attname::text FROM pg_catalog.generate_series(i.indnkeyatts::int, i.indnatts - 1) AS k(place)
    JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k.place] ORDER BY k.place) AS include
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid AND x.relkind = 'I'
JOIN pg_catalog.pg_namespace n ON n.oid = x.relnamespace
JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
JOIN pg_catalog.pg_am m ON m.oid = x.relam
LEFT JOIN pg_catalog.pg_tablespace s ON s.oid = x.reltablespace
WHERE `;

const NO_CONSTRAINT = `NOT EXISTS (SELECT FROM pg_catalog.pg_constraint c
  WHERE c.conindid = i.indexrelid AND c.conrelid = i.indrelid AND c.contype IN ('p', 'u', 'x'))`;

/** $1 schema, $2 name. Indexes of constraints, and parts of other indexes, are left out. */
const BY_NAME = `${DEFINITION} n.nspname = $1 AND x.relname = $2 AND NOT x.relispartition AND ${NO_CONSTRAINT}`;

/**
 * $1 tables and $2 names of indexes on them. Part of an index above it, up to the table $3, an index is completed with that
 * one.
 */
const TOPMOST = `
WITH RECURSIVE above AS (
  SELECT i.indexrelid AS oid, i.indrelid AS "table"
  FROM ROWS FROM (pg_catalog.unnest($1::oid[]), pg_catalog.unnest($2::text[])) AS wanted("table", name)
  JOIN pg_catalog.pg_index i ON i.indrelid = wanted."table"
  JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid AND x.relname = wanted.name
  UNION
  SELECT h.inhparent, i.indrelid FROM above JOIN pg_catalog.pg_inherits h ON h.inhrelid = above.oid AND above."table" <> $3
  JOIN pg_catalog.pg_index i ON i.indexrelid = h.inhparent
)
${DEFINITION} i.indexrelid IN (SELECT oid FROM above WHERE "table" = $3 OR NOT EXISTS (
    SELECT FROM pg_catalog.pg_inherits h WHERE h.inhrelid = above.oid))
  AND (${NO_CONSTRAINT} OR ${CONSTRAINT} IS NOT NULL)
ORDER BY 3, 5`;

interface DefinitionRow extends Record<string, unknown> {
  oid: number;
  table_oid: number;
  schema: string;
  table: string;
  name: string;
  unique: boolean;
  method: string;
  tablespace: string | null;
  storage: string[] | null;
  nulls_not_distinct: boolean;
  predicate: string | null;
  constraint: IndexDeclaration["constraint"] | null;
  keys: { column: string | null; text: string; collation: string | null; opclass: string | null; flags: number }[];
  include: string[];
}

/** The index of this name; undefined when there is none on a partitioned table, or a constraint owns it. */
export async function readDefinition(
  session: Session,
  { schema, name }: RelationName,
): Promise<Definition | undefined> {
  const [row] = await session.query<DefinitionRow>(BY_NAME, [schema, name]);
  return row && definitionFrom(row);
}

/** The topmost indexes of the tree under `root` that these are parts of, or are themselves. */
export async function readTopmostDefinitions(
  session: Session,
  root: number,
  indexes: readonly { table: { oid: number }; index: string }[],
): Promise<Definition[]> {
  const tables = indexes.map(({ table }) => table.oid);
  const rows = await session.query<DefinitionRow>(TOPMOST, [tables, indexes.map(({ index }) => index), root]);
  return rows.map(definitionFrom);
}

function definitionFrom(row: DefinitionRow): Definition {
  return {
    oid: row.oid,
    tableOid: row.table_oid,
    schema: row.schema,
    table: row.table,
    name: row.name,
    columns: row.keys.map(keyFrom),
    unique: row.unique,
    method: row.method,
    include: row.include,
    where: row.predicate ?? undefined,
    nullsNotDistinct: row.nulls_not_distinct,
    storage: Object.fromEntries((row.storage ?? []).map(parameterFrom)),
    tablespace: row.tablespace ?? undefined,
    constraint: row.constraint ?? undefined,
  };
}

/** pg_index.indoption: 1 descending, 2 nulls first. */
const ORDERS: Record<number, Pick<DeclaredIndexKey, "order" | "nulls">> = {
  1: { order: "desc", nulls: "last" },
  2: { nulls: "first" },
  3: { order: "desc" },
};

function keyFrom({ column, text, collation, opclass, flags }: DefinitionRow["keys"][number]): DeclaredIndexKey {
  return {
    ...(column === null ? { expression: text } : { column }),
    ...(collation === null ? {} : { collation }),
    ...(opclass === null ? {} : { opclass }),
    ...ORDERS[flags],
  };
}

function parameterFrom(option: string): [string, string | number] {
  const [name = "", value = ""] = option.split(/=(.*)/s);
  return [name, /^\d+$/.test(value) ? Number(value) : value];
}
