/** Values, texts and columns of a Parquet copy, without a database or a file. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { ColumnSummer } from "../../../archive/parquet/sums";
import { copiedRows, type Fields, MOST_ROW_BYTES } from "../../../archive/parquet/text";
import { codecOf } from "../../../archive/parquet/values";
import type { ParquetColumn } from "../../../topology/parquet";

const property = <T>(values: fc.Arbitrary<T>, check: (value: T) => void) => fc.assert(fc.property(values, check));

/** Bytes that may be told apart from the text they came from. */
const roundTrip = (column: ParquetColumn, text: string) => {
  const { toPhysical, toText } = codecOf(column);
  assert.equal(String(toText(stored(toPhysical(Buffer.from(text)), column))), text);
};

/** As the reader gives it: decimals of more than 18 digits are bytes, texts are bytes. */
function stored(value: unknown, column: ParquetColumn): unknown {
  if (typeof value === "string") return Buffer.from(value);
  if (typeof value !== "bigint" || column.kind !== "decimal" || column.precision <= 18) return value;
  return Buffer.from(BigInt.asUintN(128, value).toString(16).padStart(32, "0"), "hex");
}

const pad = (value: number, length: number) => String(value).padStart(length, "0");
const date = fc
  .date({ min: new Date("0001-01-01T00:00:00Z"), max: new Date("9999-12-31T23:59:59Z"), noInvalidDate: true })
  .map((day) => day.toISOString());

describe("values of a Parquet copy", () => {
  it("come back as the text that they were", () => {
    property(date, (iso) => roundTrip({ name: "c", kind: "date" }, iso.slice(0, 10)));
    property(fc.tuple(date, fc.integer({ min: 0, max: 999_999 })), ([iso, micros]) => {
      const fraction = micros === 0 ? "" : `.${pad(micros, 6).replace(/0+$/, "")}`;
      const text = `${iso.slice(0, 10)} ${iso.slice(11, 19)}${fraction}`;
      roundTrip({ name: "c", kind: "timestamp" }, text);
      roundTrip({ name: "c", kind: "instant" }, `${text}+00`);
    });
    property(fc.bigInt({ min: -(10n ** 38n) + 1n, max: 10n ** 38n - 1n }), (value) => {
      const digits = String(value < 0n ? -value : value).padStart(11, "0");
      const text = `${value < 0n ? "-" : ""}${digits.slice(0, -10)}.${digits.slice(-10)}`;
      roundTrip({ name: "c", kind: "decimal", precision: 38, scale: 10 }, text);
    });
    property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) =>
      roundTrip({ name: "c", kind: "int64" }, String(value)),
    );
    property(fc.string({ unit: "binary" }), (text) => roundTrip({ name: "c", kind: "string" }, text));
    property(fc.uint8Array(), (bytes) =>
      roundTrip({ name: "c", kind: "bytes" }, `\\x${Buffer.from(bytes).toString("hex")}`),
    );
  });

  it("of decimals and floating point are compared by what they are, not by how they are written", () => {
    const canonical = (column: ParquetColumn, text: string) => String(codecOf(column).canonical?.(Buffer.from(text)));
    const decimal: ParquetColumn = { name: "c", kind: "decimal", precision: 10, scale: 2 };
    assert.deepEqual(
      ["1.5", "1.50", "1.500", "1"].map((text) => canonical(decimal, text)),
      ["1.50", "1.50", "1.50", "1.00"],
    );
    property(fc.double(), (value) => {
      const { toText } = codecOf({ name: "c", kind: "float64" });
      assert.equal(
        canonical({ name: "c", kind: "float64" }, Object.is(value, -0) ? "-0" : String(value)),
        toText(value),
      );
    });
  });

  it("are refused where Parquet cannot hold them", () => {
    const refused = (column: ParquetColumn, text: string | Buffer) =>
      assert.throws(() => codecOf(column).toPhysical(Buffer.from(text as string)), /: /);
    for (const text of ["infinity", "0044-03-15 BC", "10000-01-01"]) refused({ name: "c", kind: "date" }, text);
    refused({ name: "c", kind: "instant" }, "2026-01-01 00:00:00");
    refused({ name: "c", kind: "instant" }, "2026-01-01 00:00:00+05:30");
    refused({ name: "c", kind: "timestamp" }, "2026-01-01 00:00:00+00");
    for (const text of ["NaN", "Infinity", "1000", "0.001"])
      refused({ name: "c", kind: "decimal", precision: 5, scale: 2 }, text);
    refused({ name: "c", kind: "string" }, Buffer.from([0xff]));
    refused({ name: "c", kind: "bytes" }, "\\134");
  });
});

describe("rows of COPY text", () => {
  const ESCAPED: Record<string, string> = {
    "\b": "b",
    "\f": "f",
    "\n": "n",
    "\r": "r",
    "\t": "t",
    "\v": "v",
    "\\": "\\",
  };
  const escaped = (field: string | null) =>
    field === null ? "\\N" : field.replace(/[\b\f\n\r\t\v\\]/g, (character) => `\\${ESCAPED[character]}`);

  async function read(pieces: Buffer[]): Promise<(string | null)[][]> {
    const found: (string | null)[][] = [];
    const texts = (fields: Fields) => fields.map((field) => field?.toString() ?? null);
    for await (const rows of copiedRows(streamOf(pieces))) for (const fields of rows) found.push(texts(fields));
    return found;
  }
  async function* streamOf(pieces: Buffer[]): AsyncGenerator<Buffer> {
    yield* pieces;
  }

  it("are the same however the text is cut", async () => {
    const field = fc.option(
      fc.string({ unit: fc.constantFrom("\b", "\f", "\n", "\r", "\t", "\v", "\\", "N", "é", "🐘", "") }),
    );
    const rows = fc
      .integer({ min: 1, max: 4 })
      .chain((width) => fc.array(fc.array(field, { minLength: width, maxLength: width })));
    await fc.assert(
      fc.asyncProperty(rows, fc.integer({ min: 1, max: 9 }), async (given, size) => {
        const text = Buffer.from(given.map((row) => `${row.map(escaped).join("\t")}\n`).join(""));
        const pieces = Array.from({ length: Math.ceil(text.length / size) }, (_, at) =>
          text.subarray(at * size, (at + 1) * size),
        );
        assert.deepEqual(await read(pieces), given);
      }),
    );
  });

  it("have an end, and are not larger than memory", async () => {
    await assert.rejects(read([Buffer.from("1\t2\n3")]), /ends within a row/);
    const piece = Buffer.alloc(2 ** 20, "x");
    const pieces = Array.from({ length: MOST_ROW_BYTES / piece.length + 1 }, () => piece);
    await assert.rejects(read(pieces), /"omit"/);
  });
});

describe("the sum of a column", () => {
  const sum = (values: (string | null)[]) => {
    const summer = new ColumnSummer();
    for (const value of values) summer.add(value);
    return summer.end();
  };

  it("is the same for bytes and text, of any length", () => {
    const long = "é".repeat(70_000);
    const ofBytes = new ColumnSummer();
    for (const value of ["a", long, "b"]) ofBytes.add(Buffer.from(value));
    assert.deepEqual(ofBytes.end(), sum(["a", long, "b"]));
  });

  it("tells other values, another order, and NULL from nothing", () => {
    const sums = [["a", "b"], ["b", "a"], ["ab", ""], ["", "ab"], ["ab", null], [null, "ab"], ["ab"], []].map(
      (values) => sum(values),
    );
    assert.equal(new Set(sums.map(({ sha256 }) => sha256)).size, sums.length);
    assert.deepEqual(
      sums.map(({ values }) => values),
      [2, 2, 2, 2, 1, 1, 1, 0],
    );
  });
});
