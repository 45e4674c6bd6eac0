/** A table that rows of an archive are restored into, which is nobody's partition. */
import type { RelationName } from "../../topology/model";
import type { Session } from "../connection";
import { qualified, quoteIdent, quoteLiteral } from "../identifiers";
import { FIND_MARKED } from "./mark";

/** How far its restore is, as the comment on it says; it stays there, and tells where the rows are from. */
export interface BesideMark {
  manifest: { key: string; version?: string };
  /** Which rows only. */
  where?: string;
  /** Parts that have been read. */
  parts: number;
  /** Rows that were taken from them. */
  rows: number;
  /** All parts have been read, and everything was compared. */
  whole: boolean;
}

/** Begins unlike the mark of tables that are to become partitions: plans must not take one for the other. */
const PREFIX = "pgpartition archive restore: ";

export async function findBeside(
  session: Session,
  table: RelationName,
): Promise<{ oid: number; mark?: BesideMark } | undefined> {
  const [row] = await session.query<{ oid: number; comment: string | null }>(FIND_MARKED, [table.schema, table.name]);
  if (row === undefined) return undefined;
  const mark = readBesideMark(row.comment);
  return { oid: row.oid, ...(mark && { mark }) };
}

/** Undefined: somebody else's comment. */
export function readBesideMark(comment: string | null): BesideMark | undefined {
  if (comment === null || !comment.startsWith(PREFIX)) return undefined;
  try {
    const mark = JSON.parse(comment.slice(PREFIX.length)) as BesideMark;
    const known = [mark.parts, mark.rows].every(Number.isInteger) && typeof mark.manifest?.key === "string";
    return known ? mark : undefined;
  } catch {
    return undefined;
  }
}

export async function writeBesideMark(session: Session, table: RelationName, mark: BesideMark): Promise<void> {
  await session.query(`COMMENT ON TABLE ${qualified(table)} IS ${quoteLiteral(PREFIX + JSON.stringify(mark))}`);
}

const GRANTEES = `
SELECT DISTINCT r.rolname::text AS grantee
FROM pg_catalog.pg_class c CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) AS a
LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee WHERE c.oid = $1::pg_catalog.regclass AND a.grantee <> c.relowner`;

/** ALTER DEFAULT PRIVILEGES gives others rights on every new table; nobody has said that they may see these rows. */
export async function revokeFromOthers(session: Session, table: RelationName): Promise<void> {
  const rows = await session.query<{ grantee: string | null }>(GRANTEES, [qualified(table)]);
  const grantees = rows.map(({ grantee }) => (grantee === null ? "PUBLIC" : quoteIdent(grantee)));
  if (grantees.length > 0) await session.query(`REVOKE ALL ON TABLE ${qualified(table)} FROM ${grantees.join(", ")}`);
}

/** Extensions of the archived database that this one has not. */
export async function missingExtensions(session: Session, archived: Record<string, string>): Promise<string[]> {
  const rows = await session.query<{ name: string }>("SELECT extname::text AS name FROM pg_catalog.pg_extension");
  const here = new Set(rows.map(({ name }) => name));
  return Object.entries(archived).flatMap(([name, version]) => (here.has(name) ? [] : [`${name} ${version}`]));
}

export async function schemaExists(session: Session, schema: string): Promise<boolean> {
  return (await session.query("SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1", [schema])).length > 0;
}
