/** What the rows of a partition add up to, whatever their order: the same for a table and for its rows in the archive. */
import { createHash, type Hash, hash } from "node:crypto";
import type { RowFormat } from "../topology/archive";

/** The sum of rows, as manifests hold it. */
export interface RowSum {
  rows: number;
  /** 32 hexadecimal digits: the sum, modulo 2^128, of the first 128 bits of the SHA-256 of each row as COPY writes it. */
  hash: string;
}

const NEWLINE = 0x0a;
const QUOTE = 0x22;

/** Lanes hold sums of 32-bit numbers; so many of them stay exact in a double. */
const CARRY_EVERY = 2 ** 20;

/** Finds where rows end in a text that comes in pieces; -1: not in what is left of this piece. */
type RowEnd = (piece: Buffer, from: number) => number;

const ROW_ENDS: Record<RowFormat, () => RowEnd> = {
  /** Inside of values a newline is escaped. */
  text: () => (piece, from) => piece.indexOf(NEWLINE, from),
  /** Inside of quotes a newline belongs to the value. A quote in a value is written twice, and so leaves and enters again. */
  csv: () => {
    let quoted = false;
    return (piece, from) => {
      for (let at = from; at < piece.length; at++) {
        const byte = piece[at];
        if (byte === QUOTE) quoted = !quoted;
        else if (byte === NEWLINE && !quoted) return at;
      }
      return -1;
    };
  },
};

/**
 * Adds up rows as COPY writes them, as they come, in pieces of any size. A row may be as large as PostgreSQL allows; no more
 * than the piece at hand is kept of it. The header of CSV is no row.
 */
export class RowSummer {
  private rows = 0;
  /** From the highest 32 bits to the lowest. */
  private readonly lanes = [0, 0, 0, 0];
  /** Of a row whose end is still to come. */
  private begun: Hash | undefined;
  private readonly endOfRow: RowEnd;
  private inHeader: boolean;

  constructor(format: RowFormat) {
    this.endOfRow = ROW_ENDS[format]();
    this.inHeader = format === "csv";
  }

  add(piece: Buffer): void {
    let from = 0;
    for (let end = this.endOfRow(piece, from); end >= 0; end = this.endOfRow(piece, from)) {
      this.addRow(this.finish(piece.subarray(from, end)));
      from = end + 1;
    }
    if (from < piece.length) {
      this.begun ??= createHash("sha256");
      this.begun.update(piece.subarray(from));
    }
  }

  /** @throws Error when the last row has no end, or the header is missing: the text was cut off. */
  end(): RowSum {
    if (this.begun !== undefined) throw new Error("the text ends within a row");
    if (this.inHeader) throw new Error("the text has no header");
    this.carry();
    return { rows: this.rows, hash: this.lanes.map((lane) => lane.toString(16).padStart(8, "0")).join("") };
  }

  /** As text of single bytes: a Buffer for each row takes twice the time of its hash. */
  private finish(rest: Buffer): string {
    if (this.begun === undefined) return hash("sha256", rest, "binary");
    const digest = this.begun.update(rest).digest("binary");
    this.begun = undefined;
    return digest;
  }

  private addRow(digest: string): void {
    if (this.inHeader) {
      this.inHeader = false;
      return;
    }
    for (let lane = 0; lane < 4; lane++) this.lanes[lane] = (this.lanes[lane] ?? 0) + wordAt(digest, lane * 4);
    this.rows += 1;
    if (this.rows % CARRY_EVERY === 0) this.carry();
  }

  private carry(): void {
    let over = 0;
    for (let lane = 3; lane >= 0; lane--) {
      const sum = (this.lanes[lane] ?? 0) + over;
      over = Math.floor(sum / 2 ** 32);
      this.lanes[lane] = sum % 2 ** 32;
    }
  }
}

function wordAt(digest: string, at: number): number {
  const high = (digest.charCodeAt(at) << 8) | digest.charCodeAt(at + 1);
  return high * 2 ** 16 + ((digest.charCodeAt(at + 2) << 8) | digest.charCodeAt(at + 3));
}

/** The sum of the rows of all of them. */
export function addSums(sums: readonly RowSum[]): RowSum {
  const total = sums.reduce((sum, { hash }) => sum + BigInt(`0x${hash}`), 0n) % 2n ** 128n;
  return { rows: sums.reduce((sum, { rows }) => sum + rows, 0), hash: total.toString(16).padStart(32, "0") };
}

export function sameRows(one: RowSum, other: RowSum): boolean {
  return one.rows === other.rows && one.hash === other.hash;
}
