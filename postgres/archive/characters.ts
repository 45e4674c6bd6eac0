/** Bytes that are no characters: PostgreSQL writes what old damage or a cast has left in a table, and never reads it back. */
import { isUtf8 } from "node:buffer";
import type { RelationName } from "../../topology/model";
import { type TextEncoding, UTF8 } from "../encoding";
import { ArchiveError } from "../errors";
import { qualified } from "../identifiers";

/** A table, with the encoding in which its rows are told. */
type Encoded = RelationName & { encoding: TextEncoding };

/** Looks at a text as it comes, piece by piece. */
export type PieceWatcher = (piece: Buffer) => void;

/**
 * Refuses such bytes in the rows of a table. Absent where the database's encoding has no rules that are known here, or none
 * at all.
 */
export function refusingOtherBytes(table: Encoded): PieceWatcher | undefined {
  if (table.encoding !== UTF8) return undefined;
  let begun: Buffer | undefined;
  return (piece) => {
    let from = 0;
    if (begun !== undefined) {
      const missing = sizeOf(begun[0]) - begun.length;
      const character = Buffer.concat([begun, piece.subarray(0, missing)]);
      begun = piece.length < missing && endOfWhole(character) === 0 ? character : undefined;
      if (begun !== undefined) return;
      if (!isUtf8(character)) throw unreadable(table, character, 0);
      from = missing;
    }
    const end = endOfWhole(piece);
    // What is kept must not keep the whole piece in memory.
    if (end < piece.length) begun = Buffer.from(piece.subarray(Math.max(end, from)));
    if (!isUtf8(piece.subarray(from, end))) throw unreadable(table, piece, firstOther(piece, from));
  };
}

/** Bytes of the character that begins so; every text of rows ends with a newline, so that none is cut off there. */
function sizeOf(lead = 0): number {
  if (lead >= 0xf0) return 4;
  if (lead >= 0xe0) return 3;
  return lead >= 0xc0 ? 2 : 1;
}

const LONGEST = 4;

/** Where a character begins that goes on in the next piece, or the end. */
function endOfWhole(piece: Buffer): number {
  for (let back = 1; back < LONGEST && back <= piece.length; back++) {
    const byte = piece[piece.length - back] ?? 0;
    if (byte < 0x80) break;
    if (byte >= 0xc0) return sizeOf(byte) > back ? piece.length - back : piece.length;
  }
  return piece.length;
}

function firstOther(piece: Buffer, from: number): number {
  let at = from;
  for (let size = sizeOf(piece[at]); isUtf8(piece.subarray(at, at + size)); size = sizeOf(piece[at])) at += size;
  return at;
}

/** Of what stands in front of such bytes: mostly the key of the row. */
const SHOWN_BYTES = 60;

function unreadable(table: RelationName, text: Buffer, at: number): ArchiveError {
  const row = text.lastIndexOf("\n", at - text.length - 1) + 1;
  const before = text.subarray(Math.max(row, at - SHOWN_BYTES), at).toString();
  const bytes = text.subarray(at, at + sizeOf(text[at])).toString("hex");
  return new ArchiveError(
    `${qualified(table)} holds bytes that are no character of UTF8: 0x${bytes}${before && ` after ${JSON.stringify(before)}`}. ` +
      "PostgreSQL writes them and would not read them back, so that no archive of them could be restored. Correct these " +
      `values, or leave the partition live or detached. All such rows: ${findText(table)}`,
  );
}

/** Well-formed UTF-8 in hexadecimal digits (Unicode 15, table 3-7): what PostgreSQL itself asks about a text fails on such bytes. */
const WELL_FORMED =
  "^([0-7].|(c[2-9a-f]|d.)[89ab].|e0[ab].[89ab].|e[1-9abcef]([89ab].){2}|ed[89].[89ab].|f0[9ab].([89ab].){2}|f[1-3]([89ab].){3}|f48.([89ab].){2})*$";

function findText(table: RelationName): string {
  return `SELECT ctid FROM ONLY ${qualified(table)} AS r WHERE encode(textsend(r::text), 'hex') !~ '${WELL_FORMED}'`;
}
