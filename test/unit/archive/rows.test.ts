import assert from "node:assert/strict";
import * as fc from "fast-check";
import { type RowSum, RowSummer } from "../../../archive/rows";
import { compileRowSums, readCompiled } from "../../../tools/wasm";
import type { RowFormat } from "../../../topology/archive";

const MASK = 2n ** 64n - 1n;
const rotated = (word: bigint, bits: bigint) => ((word << bits) | (word >> (64n - bits))) & MASK;

/** SipHash-2-4 with 128 bits, as its paper has it, with the key of its test vectors. */
function sipHash(message: Buffer): bigint {
  const [low, high] = [0x0706050403020100n, 0x0f0e0d0c0b0a0908n];
  let [a, b, c, d] = [
    low ^ 0x736f6d6570736575n,
    high ^ 0x646f72616e646f6dn ^ 0xeen,
    low ^ 0x6c7967656e657261n,
    high ^ 0x7465646279746573n,
  ];
  const rounds = (number: number) => {
    for (let round = 0; round < number; round++) {
      a = (a + b) & MASK;
      b = rotated(b, 13n) ^ a;
      a = rotated(a, 32n);
      c = (c + d) & MASK;
      d = rotated(d, 16n) ^ c;
      a = (a + d) & MASK;
      d = rotated(d, 21n) ^ a;
      c = (c + b) & MASK;
      b = rotated(b, 17n) ^ c;
      c = rotated(c, 32n);
    }
  };
  const padded = Buffer.alloc(message.length + 8 - (message.length % 8));
  message.copy(padded);
  padded[padded.length - 1] = message.length % 256;
  for (let at = 0; at < padded.length; at += 8) {
    const word = padded.readBigUInt64LE(at);
    d ^= word;
    rounds(2);
    a ^= word;
  }
  c ^= 0xeen;
  rounds(4);
  const first = a ^ b ^ c ^ d;
  b ^= 0xddn;
  rounds(4);
  return first | ((a ^ b ^ c ^ d) << 64n);
}

/** The definition, in the plainest way. */
function plainly(rows: string[]): RowSum {
  const sum = rows.reduce((total, row) => (total + sipHash(Buffer.from(row))) % 2n ** 128n, 0n);
  return { rows: rows.length, hash: sum.toString(16).padStart(32, "0") };
}

function summed(pieces: Buffer[], format: RowFormat = "text"): RowSum {
  const summer = new RowSummer(format);
  for (const piece of pieces) summer.add(piece);
  return summer.end();
}

const text = (rows: string[]) => Buffer.from(rows.map((row) => `${row}\n`).join(""));

/** Cuts a text at some places. */
function cut(whole: Buffer, places: number[]): Buffer[] {
  const at = [...new Set(places.map((place) => place % (whole.length + 1)))].sort((a, b) => a - b);
  return [0, ...at].map((begin, place) => whole.subarray(begin, at[place] ?? whole.length));
}

const rowsOf = fc.array(fc.string({ unit: fc.constantFrom("a", "b", "\t", "\\", "é", "𝕏") }));

describe("the sum of rows", () => {
  it("is that of its definition, however the text is cut", () => {
    fc.assert(
      fc.property(rowsOf, fc.array(fc.nat()), (rows, places) => {
        assert.deepEqual(summed(cut(text(rows), places)), plainly(rows));
      }),
    );
  });

  it("does not depend on the order, and on nothing but the rows", () => {
    const shuffled = rowsOf.chain((rows) =>
      fc.tuple(fc.constant(rows), fc.shuffledSubarray(rows, { minLength: rows.length })),
    );
    fc.assert(
      fc.property(shuffled, ([rows, others]) => assert.deepEqual(summed([text(rows)]), summed([text(others)]))),
    );
  });

  it("hashes a row as the authors of SipHash do", () => {
    const bytes = Buffer.from(Array.from({ length: 63 }, (_, at) => at));
    const digits = (hash: bigint) => hash.toString(16).padStart(32, "0");
    // vectors_sip128 of the reference implementation, which are written from the lowest byte on.
    const published: [number, string][] = [
      [0, "a3817f04ba25a8e66df67214c7550293"],
      [1, "da87c1d86b99af44347659119b22fc45"],
      [15, "5493e99933b0a8117e08ec0f97cfc3d9"],
      [63, "5150d1772f50834a503e069a973fbd7c"],
    ];
    for (const [length, hash] of published) {
      const message = bytes.subarray(0, length);
      assert.equal(digits(sipHash(message)), Buffer.from(hash, "hex").reverse().toString("hex"));
      // No row holds a newline.
      if (!message.includes("\n")) assert.equal(summed([message, Buffer.from("\n")]).hash, digits(sipHash(message)));
    }
  });

  it("goes on where it was, whoever else adds up rows between two pieces", () => {
    fc.assert(
      fc.property(rowsOf, rowsOf, fc.array(fc.nat()), (rows, others, places) => {
        const [one, other] = [new RowSummer("text"), new RowSummer("text")];
        for (const [at, piece] of cut(text(rows), places).entries()) {
          one.add(piece);
          if (at === 0) other.add(text(others));
        }
        assert.deepEqual([one.end(), other.end()], [plainly(rows), plainly(others)]);
      }),
    );
  });

  it("carries over, and takes pieces of any size", () => {
    const rows = 2 ** 20 + 3;
    const expected = ((sipHash(Buffer.from("")) * BigInt(rows)) % 2n ** 128n).toString(16).padStart(32, "0");
    assert.deepEqual(summed([Buffer.alloc(rows, "\n")]), { rows, hash: expected });
    const long = ["x".repeat(2 ** 20), "y".repeat(3)];
    assert.deepEqual(summed([text(long)]), plainly(long));
  });

  it("is made by the program that its source compiles to", async () => {
    assert.equal(await compileRowSums(), await readCompiled());
  });

  it("tells a row that is there twice, one that is missing, and two that have exchanged a value", () => {
    const sums = [["1\ta", "2\tb"], ["1\ta", "2\tb", "2\tb"], ["1\ta"], ["1\tb", "2\ta"], ["1\ta2\tb"]].map((rows) =>
      JSON.stringify(summed([text(rows)])),
    );
    assert.equal(new Set(sums).size, sums.length);
  });

  it("of CSV is that of its rows without the header, wherever newlines and quotes are in values", () => {
    const value = fc.string({ unit: fc.constantFrom("a", ",", '"', "\n", "\r", "é", "\\") });
    const quoted = (column: string) => `"${column.replaceAll('"', '""')}"`;
    const written = fc
      .tuple(value, fc.boolean())
      .map(([column, always]) => (always || /[",\n\r]/.test(column) ? quoted(column) : column));
    const row = fc.array(written, { minLength: 1, maxLength: 3 }).map((columns) => columns.join(","));
    fc.assert(
      fc.property(row, fc.array(row), fc.array(fc.nat()), (header, rows, places) => {
        assert.deepEqual(summed(cut(text([header, ...rows]), places), "csv"), plainly(rows));
      }),
    );
  });

  it("refuses CSV without a header, or that ends within quotes", () => {
    assert.throws(() => summed([], "csv"), /no header/);
    assert.throws(() => summed([Buffer.from('id,value\n1,"a\n')], "csv"), /ends within a row/);
  });

  it("refuses a text that ends within a row", () => {
    assert.throws(() => summed([Buffer.from("1\ta\n2\tb")]), /ends within a row/);
  });
});
