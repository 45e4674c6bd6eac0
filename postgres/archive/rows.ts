/** Rows of one table as COPY writes them, out of the database and into it. */
import type { Readable, Writable } from "node:stream";
import type { RowFormat } from "../../topology/archive";
import type { RelationName } from "../../topology/model";
import type { Session } from "../connection";
import { type TextEncoding, UTF8 } from "../encoding";
import { ArchiveError, explainError, hasSqlstate, SQLSTATE } from "../errors";
import { qualified, quoteIdent, quoteLiteral } from "../identifiers";
import { refusingOtherBytes } from "./characters";

/** A table and its columns that hold what was written into them, in the order in which a row is told. */
export interface RowsTable extends RelationName {
  columns: readonly string[];
  format: RowFormat;
  encoding: TextEncoding;
}

/** A table that rows go into. */
export interface TargetTable extends RowsTable {
  /** A condition as SQL, which rows have to meet. */
  where?: string;
}

/**
 * Of text each is the default. Of CSV each says how NULL is told from the empty string and how values are quoted, so that the statement
 * can be read by itself; the names of the columns stand above the rows, for everybody who reads such a file without it.
 */
const OPTIONS: Record<RowFormat, readonly string[]> = {
  text: [],
  csv: ["FORMAT csv", "HEADER true", "DELIMITER ','", "NULL ''", `QUOTE '"'`, `ESCAPE '"'`],
};

/** Blocks of a table's main fork: from the first one to the one before `to` (absent: to the end). */
export interface Blocks {
  from: number;
  to?: number;
}

/**
 * Sent in every transaction that copies rows. Row security must not hide any: for a role that it applies to, the statement
 * fails instead. And the session waits for the store, which may take its time to end an object.
 */
export const COPYING = `SELECT pg_catalog.set_config('row_security', 'off', true),
  pg_catalog.set_config('idle_in_transaction_session_timeout', '0', true)`;

/**
 * Reads the rows that the table itself holds (in some of its blocks). Takes ACCESS SHARE on it, and nothing on tables above
 * it.
 * @throws ArchiveError when there are rows that PostgreSQL cannot write, or would not read back.
 */
export async function copyRowsOut<T>(
  session: Session,
  table: RowsTable,
  read: (text: Readable) => Promise<T>,
  blocks?: Blocks,
): Promise<T> {
  try {
    return await session.copyOut(copyTo(table, blocks), read, refusingOtherBytes(table));
  } catch (error) {
    throw TOO_LARGE.some((code) => hasSqlstate(error, code)) ? unwritable(table, error) : error;
  }
}

/** What a row too large ends in: of its buffer (53200 before 17), or of one value. They have other causes as well. */
const TOO_LARGE = [SQLSTATE.programLimitExceeded, SQLSTATE.outOfMemory, SQLSTATE.internalError];

function unwritable(table: RowsTable, error: unknown): ArchiveError {
  return new ArchiveError(
    `PostgreSQL cannot write a row of ${qualified(table)} as text: ${explainError(error)}. If it has no damage, it has more ` +
      "than 1 GB of text, bytea counting twice: neither COPY nor pg_dump takes it. Make it smaller, or leave the partition " +
      "live or detached.",
    { cause: error },
  );
}

/** Adds rows to a table, and gives their number. Takes ROW EXCLUSIVE on it. */
export function copyRowsIn(
  session: Session,
  table: TargetTable,
  write: (text: Writable) => Promise<void>,
): Promise<number> {
  return session.copyIn(copyFrom(table), write);
}

export function copyTo(table: RowsTable, blocks?: Blocks): string {
  return `COPY ${source(table, blocks)} TO STDOUT${optionsOf(table)}`;
}

/** The same for whoever sends it in a session of another encoding. */
export function copyFromAnywhere(table: TargetTable): string {
  return `COPY ${target(table)} FROM STDIN${withOptions([...OPTIONS[table.format], encodingOption(table)])}`;
}

function optionsOf(table: RowsTable): string {
  return withOptions([...OPTIONS[table.format], ...(table.encoding === UTF8 ? [] : [encodingOption(table)])]);
}

function encodingOption({ encoding }: RowsTable): string {
  return `ENCODING ${quoteLiteral(encoding)}`;
}

function withOptions(options: readonly string[]): string {
  return options.length === 0 ? "" : ` WITH (${options.join(", ")})`;
}

/** The columns are always named: a restored table may have them in another order. */
export function copyFrom(table: TargetTable): string {
  const where = table.where === undefined ? "" : ` WHERE (${table.where})`;
  return `COPY ${target(table)} FROM STDIN${optionsOf(table)}${where}`;
}

/** Without columns (a preview that has asked no database does not know them) COPY takes all that hold values. */
function target(table: RowsTable): string {
  if (table.columns.length === 0) return qualified(table);
  return `${qualified(table)} (${table.columns.map(quoteIdent).join(", ")})`;
}

function source(table: RowsTable, blocks: Blocks | undefined): string {
  return blocks === undefined || isWhole(blocks) ? target(table) : `(${selectRows(table, blocks)})`;
}

function isWhole({ from, to }: Blocks): boolean {
  return from === 0 && to === undefined;
}

/**
 * The rows that the table itself holds (in some of its blocks). A condition on ctid is a range scan since PostgreSQL 14: no
 * block outside of it is read.
 */
export function selectRows(table: Omit<RowsTable, "format" | "encoding">, blocks: Blocks = { from: 0 }): string {
  const columns = table.columns.length === 0 ? "*" : table.columns.map(quoteIdent).join(", ");
  const all = `SELECT ${columns} FROM ONLY ${qualified(table)}`;
  if (isWhole(blocks)) return all;
  const below = blocks.to === undefined ? "" : ` AND ctid < '(${blocks.to},0)'`;
  return `${all} WHERE ctid >= '(${blocks.from},0)'${below}`;
}
