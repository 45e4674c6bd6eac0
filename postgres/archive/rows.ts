/** Rows of one table as COPY text, out of the database and into it. */
import type { Readable, Writable } from "node:stream";
import type { RelationName } from "../../topology/model";
import type { Session } from "../connection";
import { qualified, quoteIdent } from "../identifiers";

/** A table and its columns that hold what was written into them, in the order in which a row is told. */
export interface RowsTable extends RelationName {
  columns: readonly string[];
}

/** Generated columns are left out: whoever loads the rows computes them again, and may not write them. */
const COLUMNS = `SELECT a.attname AS name FROM pg_catalog.pg_attribute a
  WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attnum`;

/** Columns of a table, as {@link RowsTable} wants them. */
export async function storedColumns(session: Session, oid: number): Promise<string[]> {
  const rows = await session.query<{ name: string }>(COLUMNS, [oid]);
  return rows.map(({ name }) => name);
}

/** Reads all rows that the table itself holds. Takes ACCESS SHARE on it. */
export function copyRowsOut<T>(session: Session, table: RowsTable, read: (text: Readable) => Promise<T>): Promise<T> {
  return session.copyOut(`COPY ${target(table)} TO STDOUT`, read);
}

/** Adds rows to a table. Takes ROW EXCLUSIVE on it. */
export function copyRowsIn(
  session: Session,
  table: RowsTable,
  write: (text: Writable) => Promise<void>,
): Promise<void> {
  return session.copyIn(`COPY ${target(table)} FROM STDIN`, write);
}

/** The columns are always named: a restored table may have them in another order. */
function target(table: RowsTable): string {
  return `${qualified(table)} (${table.columns.map(quoteIdent).join(", ")})`;
}
