/** What the rows of a partition add up to, whatever their order: the same for a table and for its rows in the archive. */
import type { RowFormat } from "../topology/archive";
import { ROW_SUMS } from "./wasm/compiled";

/** The sum of rows, as manifests hold it. */
export interface RowSum {
  rows: number;
  /**
   * 32 hexadecimal digits: the sum, modulo 2^128, of the hash of each row as COPY writes it, without its newline. The hash
   * is SipHash-2-4 with 128 bits and the key 00 01 … 0f, read as a little-endian number.
   */
  hash: string;
}

/** What rowSums.as.ts exports. */
interface RowSums extends Record<"PIECE" | "PIECE_BYTES" | "STATE" | "STATE_BYTES" | Place, { value: number }> {
  memory: { buffer: ArrayBuffer };
  addText(bytes: number): void;
  addCsv(bytes: number): void;
}

type Place = "BEGUN" | "ROWS" | "SUM" | "HEADER";

/** Types of Node.js leave it out. */
declare const WebAssembly: {
  Module: new (bytes: Buffer) => object;
  Instance: new (module: object) => { exports: unknown };
};

const wasm = new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(ROW_SUMS, "base64"))).exports as RowSums;
const memory = Buffer.from(wasm.memory.buffer);
const PIECE_BYTES = wasm.PIECE_BYTES.value;
/** One for all: a memory for each sum would take gigabytes of address space, and nobody waits while it is used. */
const current = memory.subarray(wasm.STATE.value, wasm.STATE.value + wasm.STATE_BYTES.value);
const placeOf = (place: Place) => wasm[place].value - wasm.STATE.value;

const ADD: Record<RowFormat, (bytes: number) => void> = { text: wasm.addText, csv: wasm.addCsv };

/**
 * Adds up rows as COPY writes them, as they come, in pieces of any size. A row may be as large as PostgreSQL allows; nothing
 * is kept of it. The header of CSV is no row.
 */
export class RowSummer {
  private readonly state = Buffer.alloc(current.length);
  private readonly addPiece: (bytes: number) => void;

  constructor(format: RowFormat) {
    this.addPiece = ADD[format];
    this.state.writeUInt8(format === "csv" ? 1 : 0, placeOf("HEADER"));
  }

  add(piece: Buffer): void {
    this.state.copy(current);
    for (let from = 0; from < piece.length; from += PIECE_BYTES)
      this.addPiece(piece.copy(memory, wasm.PIECE.value, from, from + PIECE_BYTES));
    current.copy(this.state);
  }

  /** @throws Error when the last row has no end, or the header is missing: the text was cut off. */
  end(): RowSum {
    const { state } = this;
    if (state.readUInt8(placeOf("BEGUN")) !== 0) throw new Error("the text ends within a row");
    if (state.readUInt8(placeOf("HEADER")) !== 0) throw new Error("the text has no header");
    const sum = placeOf("SUM");
    const hash = (state.readBigUInt64LE(sum + 8) << 64n) | state.readBigUInt64LE(sum);
    return { rows: Number(state.readBigUInt64LE(placeOf("ROWS"))), hash: digits(hash) };
  }
}

const digits = (sum: bigint) => sum.toString(16).padStart(32, "0");

/** The sum of the rows of all of them. */
export function addSums(sums: readonly RowSum[]): RowSum {
  const total = sums.reduce((sum, { hash }) => sum + BigInt(`0x${hash}`), 0n) % 2n ** 128n;
  return { rows: sums.reduce((sum, { rows }) => sum + rows, 0), hash: digits(total) };
}

export function sameRows(one: RowSum, other: RowSum): boolean {
  return one.rows === other.rows && one.hash === other.hash;
}
