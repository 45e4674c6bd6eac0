/** Why a table that is no partition of the parent could not become one as it is. */
import type { RelationName } from "../../topology/model";
import type { Session } from "../connection";
import type { RelationRow } from "./relations";

interface ColumnRow extends Record<string, unknown> {
  relation: number;
  name: string;
  type: string;
  collation: string | null;
  not_null: boolean;
  generated: string;
  checks: { name: string; valid: boolean }[];
}

/** What is compared is what ATTACH demands; definitions of CHECKs are left to it, since printing them can wait for locks. */
const SHAPES = `
SELECT a.attrelid AS relation, a.attname::text AS name, pg_catalog.format_type(a.atttypid, a.atttypmod) AS type,
  CASE WHEN a.attcollation <> 0 THEN (SELECT collname::text FROM pg_catalog.pg_collation WHERE oid = a.attcollation) END AS collation,
  a.attnotnull AS not_null, a.attgenerated::text AS generated,
  (SELECT coalesce(json_agg(json_build_object('name', k.conname, 'valid', k.convalidated)), '[]')
    FROM pg_catalog.pg_constraint k WHERE k.conrelid = a.attrelid AND k.contype = 'c') AS checks
FROM pg_catalog.pg_attribute a
WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum`;

const KINDS: Record<string, string> = {
  v: "a view",
  m: "a materialized view",
  S: "a sequence",
  i: "an index",
  I: "a partitioned index",
  c: "a composite type",
};

/** Reasons by OID; none when the table's shape fits. */
export async function readMisfits(
  session: Session,
  parent: number,
  strangers: { row: RelationRow; above: RelationName | undefined }[],
): Promise<Record<number, string[]>> {
  const rows = await session.query<ColumnRow>(SHAPES, [[parent, ...strangers.map(({ row }) => row.oid)]]);
  const byRelation = new Map<number, ColumnRow[]>();
  for (const row of rows) {
    const columns = byRelation.get(row.relation);
    if (columns === undefined) byRelation.set(row.relation, [row]);
    else columns.push(row);
  }
  const columnsOf = (oid: number) => byRelation.get(oid) ?? [];
  const wanted = columnsOf(parent);
  return Object.fromEntries(
    strangers.map(({ row, above }) => [row.oid, misfits(wanted, columnsOf(row.oid), row.relkind, above)]),
  );
}

function misfits(wanted: ColumnRow[], found: ColumnRow[], relkind: string, above: RelationName | undefined): string[] {
  const kind = KINDS[relkind];
  if (kind !== undefined) return [`it is ${kind}, not a table`];
  const byName = new Map(found.map((column) => [column.name, column]));
  const names = new Set(wanted.map(({ name }) => name));
  return [
    ...(above === undefined ? [] : [`it belongs to ${above.schema}.${above.name}`]),
    ...wanted.flatMap((column) => columnMisfits(column, byName.get(column.name))),
    ...found.filter(({ name }) => !names.has(name)).map(({ name }) => `column ${name} is not in the parent`),
    ...checkMisfits(wanted[0]?.checks ?? [], found[0]?.checks ?? []),
  ];
}

function columnMisfits(wanted: ColumnRow, found: ColumnRow | undefined): string[] {
  const { name } = wanted;
  if (found === undefined) return [`column ${name} is missing`];
  return [
    ...(found.type === wanted.type ? [] : [`column ${name} is ${found.type}, not ${wanted.type}`]),
    ...(found.collation === wanted.collation
      ? []
      : [`column ${name} has collation ${found.collation}, not ${wanted.collation}`]),
    ...(wanted.not_null && !found.not_null ? [`column ${name} must be NOT NULL`] : []),
    ...(wanted.generated === found.generated
      ? []
      : [`column ${name} must ${wanted.generated ? "" : "not "}be generated`]),
  ];
}

function checkMisfits(wanted: ColumnRow["checks"], found: ColumnRow["checks"]): string[] {
  const byName = new Map(found.map((check) => [check.name, check]));
  return wanted.flatMap(({ name }) => {
    const check = byName.get(name);
    if (check === undefined) return [`CHECK ${name} is missing`];
    return check.valid ? [] : [`CHECK ${name} is NOT VALID`];
  });
}
