/** COPY text as rows of fields. */
import { ArchiveError } from "../../postgres/errors";

/** Bytes of each value; null is NULL. They are valid until the next row is asked for. */
export type Fields = (Buffer | null)[];

/** A row of more than this is refused: a writer of Parquet holds whole rows in memory. */
export const MOST_ROW_BYTES = 16 * 2 ** 20;

const NEWLINE = 0x0a;
const TAB = 0x09;
const BACKSLASH = 0x5c;
const CAPITAL_N = 0x4e;

/** COPY TO writes these behind a backslash; every other character stands for itself. */
const ESCAPES: Record<number, number> = { 98: 0x08, 102: 0x0c, 110: 0x0a, 114: 0x0d, 116: 0x09, 118: 0x0b };

/** The rows of a text, as many at a time as there are in a piece of it. */
export async function* copiedRows(text: AsyncIterable<Buffer>): AsyncGenerator<Generator<Fields>> {
  let begun: Buffer[] = [];
  let bytes = 0;
  for await (const piece of text) {
    const end = piece.lastIndexOf(NEWLINE);
    bytes += piece.length;
    if (end < 0) {
      if (bytes > MOST_ROW_BYTES) throw new ArchiveError(tooLarge(bytes));
      begun.push(piece);
      continue;
    }
    yield rowsOf(Buffer.concat([...begun, piece.subarray(0, end)]));
    begun = [piece.subarray(end + 1)];
    bytes = piece.length - end - 1;
  }
  if (bytes > 0) throw new ArchiveError("the text ends within a row");
}

const tooLarge = (bytes: number) =>
  `a row has more than ${bytes} bytes, and a Parquet copy takes rows of ${MOST_ROW_BYTES}; leave the column out ("omit")`;

function* rowsOf(text: Buffer): Generator<Fields> {
  for (let from = 0; from <= text.length; ) {
    const found = text.indexOf(NEWLINE, from);
    const end = found < 0 ? text.length : found;
    yield fieldsOf(text.subarray(from, end));
    from = end + 1;
  }
}

function fieldsOf(row: Buffer): Fields {
  const fields: Fields = [];
  const escaped = row.includes(BACKSLASH);
  for (let from = 0; ; ) {
    const tab = row.indexOf(TAB, from);
    const field = row.subarray(from, tab < 0 ? row.length : tab);
    fields.push(escaped ? unescaped(field) : field);
    if (tab < 0) return fields;
    from = tab + 1;
  }
}

function unescaped(field: Buffer): Buffer | null {
  let at = field.indexOf(BACKSLASH);
  if (at < 0) return field;
  if (field.length === 2 && field[1] === CAPITAL_N) return null;
  const plain = Buffer.allocUnsafe(field.length);
  let length = 0;
  let from = 0;
  for (; at >= 0; at = field.indexOf(BACKSLASH, from)) {
    length += field.copy(plain, length, from, at);
    const character = field[at + 1] ?? BACKSLASH;
    plain[length++] = ESCAPES[character] ?? character;
    from = at + 2;
  }
  length += field.copy(plain, length, from);
  return plain.subarray(0, length);
}
