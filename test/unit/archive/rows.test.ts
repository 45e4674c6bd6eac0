import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import * as fc from "fast-check";
import { type RowSum, RowSummer } from "../../../archive/rows";
import type { RowFormat } from "../../../topology/archive";

/** The definition, in the plainest way. */
function plainly(rows: string[]): RowSum {
  const digest = (row: string) => BigInt(`0x${createHash("sha256").update(row).digest("hex").slice(0, 32)}`);
  const sum = rows.reduce((total, row) => (total + digest(row)) % 2n ** 128n, 0n);
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

  it("carries over more rows than a lane could hold without", () => {
    const rows = 2 ** 20 + 3;
    const digest = BigInt(`0x${createHash("sha256").update("").digest("hex").slice(0, 32)}`);
    const expected = ((digest * BigInt(rows)) % 2n ** 128n).toString(16).padStart(32, "0");
    assert.deepEqual(summed([Buffer.alloc(rows, "\n")]), { rows, hash: expected });
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
