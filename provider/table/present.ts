/** Changes of a parent in words. Pure. */
import { qualified } from "../../postgres/identifiers";
import type { Statement } from "../../postgres/statement";
import type { AlterationProgress } from "../../postgres/table/alter";
import type { Alteration, Piece } from "../../postgres/table/alteration";
import type { Difference } from "../../postgres/table/difference";
import { sizeText } from "../../topology/sizeText";
import { lockLines } from "../locksText";

/** Partitions shown with every statement; the rest of a long list get one line each, as they only repeat. */
const PIECES_IN_FULL = 20;
/** Locks shown one by one; a transaction that locks a whole tree repeats the same line for each partition. */
const LOCKS_IN_FULL = 12;

export function changeText(title: string, statements: Statement[]): string {
  return [title, ...transactionLines(statements, "    ")].join("\n");
}

/** A longer change: how it begins, what is read partition by partition, and how it ends. */
export function alterationText(title: string, alteration: Alteration): string {
  const { begin, pieces, finish, difference, takeBack } = alteration;
  return [
    `${title}, ${difference.path}: ${alteration.title}${totalText(pieces)}`,
    ...section("at first", begin),
    ...pieces.slice(0, PIECES_IN_FULL).flatMap(pieceLines),
    ...pieces.slice(PIECES_IN_FULL).map((piece) => `    on ${pieceTitle(piece)}: the same`),
    ...section("at last", finish),
    ...section("only if rows are in the way", takeBack),
  ].join("\n");
}

/** For the Info column while it runs. */
export function progressText({ alteration, piece, position, of }: AlterationProgress): string {
  return `${alteration.title}: ${piece.partition.name} (${position} of ${of})`;
}

/** One difference: what is declared, what is there, and why it stays when it does. */
export function differenceText(title: string, { path, reason }: Difference, refusal: string | undefined): string {
  return `${title}, ${path}: ${reason}${refusal === undefined ? "" : ` ${refusal}`}`;
}

function section(heading: string, statements: Statement[]): string[] {
  return statements.length === 0 ? [] : [`    ${heading}:`, ...transactionLines(statements, "        ")];
}

function pieceLines(piece: Piece): string[] {
  const each = piece.statements.flatMap((statement) => transactionLines([statement], "        "));
  return [`    on ${pieceTitle(piece)}:`, ...each];
}

function pieceTitle({ partition, statements }: Piece): string {
  const size = reads(statements) ? sizeText(partition.rows, partition.bytes) : "";
  return `${qualified(partition)}${size === "" ? "" : ` (${size})`}`;
}

function transactionLines(statements: Statement[], indent: string): string[] {
  const lines = lockLines(statements);
  const rest = lines.length - LOCKS_IN_FULL;
  return [
    ...statements.flatMap(({ sql }) => sql.split("\n").map((line) => `${indent}${line}`)),
    ...(rest > 0 ? lines.slice(0, LOCKS_IN_FULL) : lines).map((line) => `${indent}lock: ${line}`),
    ...(rest > 0 ? [`${indent}lock: the same on ${rest} more of its partitions`] : []),
  ];
}

function reads(statements: Statement[]): boolean {
  return statements.some(({ locks }) => locks.some(({ hold }) => hold !== "instant"));
}

/** `: reads 3 partitions (≈1,200,000 rows, 180.0 MB)`. */
function totalText(pieces: Piece[]): string {
  const read = pieces.filter(({ statements }) => reads(statements)).map(({ partition }) => partition);
  if (read.length === 0) return "";
  const known = read.every(({ rows }) => rows !== undefined);
  const rows = known ? read.reduce((sum, partition) => sum + (partition.rows ?? 0), 0) : undefined;
  const bytes = read.reduce((sum, partition) => sum + partition.bytes, 0);
  return `: reads ${read.length} ${read.length === 1 ? "partition" : "partitions"} (${sizeText(rows, bytes)})`;
}
