/** What a restore has got to, as the comment on its table says: a later run goes on from there. */
import type { PartitionBound, RelationName } from "../../topology/model";
import type { Session } from "../connection";
import { qualified, quoteLiteral } from "../identifiers";
import type { Statement } from "../statement";

export interface RestoreMark {
  /** OID of the set's own table. */
  root: number;
  /** Name of the partition that it is to be a partition of, when that is not the set's own table. */
  under?: string;
  bound: PartitionBound;
  manifest: { key: string; version?: string };
  /** Parts whose rows are there. */
  parts: number;
  /** All of them are, and have been compared with the manifest. */
  whole: boolean;
}

const PREFIX = "pgpartition restores ";

export function markText(mark: RestoreMark): string {
  return PREFIX + JSON.stringify(mark);
}

/** Undefined: somebody else's comment. */
export function readMark(comment: string | null): RestoreMark | undefined {
  if (comment === null || !comment.startsWith(PREFIX)) return undefined;
  try {
    const mark = JSON.parse(comment.slice(PREFIX.length)) as RestoreMark;
    const known = Number.isInteger(mark.root) && Number.isInteger(mark.parts) && typeof mark.manifest?.key === "string";
    return known ? mark : undefined;
  } catch {
    return undefined;
  }
}

/** LIKE pattern of all of them. */
export const MARK_PATTERN = `${PREFIX}%`;

/** Of what the restore has got to by then, which a preview does not know. */
const LATER = `${PREFIX}…`;

export function markStatement(table: RelationName, mark?: RestoreMark): Statement {
  return {
    sql: `COMMENT ON TABLE ${qualified(table)} IS ${quoteLiteral(mark === undefined ? LATER : markText(mark))}`,
    locks: [{ relation: qualified(table), mode: "SHARE UPDATE EXCLUSIVE", hold: "instant" }],
    transactional: true,
    marks: true,
  };
}

/** `$1`: schema, `$2`: name. */
export const FIND_MARKED = `
SELECT c.oid, c.relispartition AS attached, pg_catalog.obj_description(c.oid, 'pg_class') AS comment
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = $2`;

/** A table that a restore has made, and that is no partition yet. */
export interface MarkedTable extends RelationName {
  oid: number;
  mark: RestoreMark;
}

interface MarkedRow extends RelationName, Record<string, unknown> {
  oid: number;
  comment: string;
}

const MARKED = `
SELECT c.oid, n.nspname::text AS schema, c.relname::text AS name, d.description AS comment
FROM pg_catalog.pg_description d
JOIN pg_catalog.pg_class c ON c.oid = d.objoid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objsubid = 0 AND NOT c.relispartition
  AND d.description LIKE $1 AND pg_catalog.pg_has_role(c.relowner, 'USAGE')`;

/** Tables of this role that restores have made in this database and nobody has attached. */
export async function readMarked(session: Session): Promise<MarkedTable[]> {
  const rows = await session.query<MarkedRow>(MARKED, [MARK_PATTERN]);
  return rows.flatMap(({ oid, schema, name, comment }) => {
    const mark = readMark(comment);
    return mark === undefined ? [] : [{ oid, schema, name, mark }];
  });
}
