/** Random values of many types as text, in the way PostgreSQL reads them. Pure. */
import fc from "fast-check";

/** `sql`: how a value is made of the text, when not by a cast to the type. */
interface Column {
  type: string;
  literal: fc.Arbitrary<string>;
  sql?: (text: string) => string;
}

const SPECIAL = ["\\", ".", "\n", "\r", "\t", "\b", "\f", "\v", '"', "'", "N", ",", "{", "}", "(", ")", " ", "é", "🐘"];

const texts = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }).map((text) => text.replaceAll("\0", "")),
  fc.string({ unit: fc.constantFrom(...SPECIAL), maxLength: 12 }),
  fc.constantFrom("", "NULL", "\\N", "\\."),
);
const integers = fc.integer().map(String);
const bigints = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String);
const numerics = fc.oneof(
  fc.stringMatching(/^-?[0-9]{1,40}(\.[0-9]{0,40})?$/),
  fc.stringMatching(/^-?[1-9]e-?[0-9]{1,3}$/),
  fc.constantFrom("NaN", "Infinity", "-Infinity"),
);
const floating = (values: fc.Arbitrary<number>) => values.map((value) => (Object.is(value, -0) ? "-0" : String(value)));
const doubles = floating(fc.double());
const orNull = (literal: fc.Arbitrary<string>) => fc.option(literal, { nil: null, freq: 4 });

const quoted = (text: string) => `"${text.replace(/[\\"]/g, "\\$&")}"`;
const arrays = (elements: fc.Arbitrary<string>) =>
  fc
    .array(orNull(elements), { maxLength: 5 })
    .map((list) => `{${list.map((element) => (element === null ? "NULL" : quoted(element))).join(",")}}`);
/** Of two dimensions, which begin anywhere. */
const matrices = fc
  .record({
    rows: fc.integer({ min: 1, max: 3 }),
    columns: fc.integer({ min: 1, max: 3 }),
    from: fc.integer({ min: -5, max: 5 }),
  })
  .map(({ rows, columns, from }) => {
    const row = (at: number) => `{${Array.from({ length: columns }, (_, column) => at * columns + column).join(",")}}`;
    const bounds = `[${from}:${from + rows - 1}][${-from}:${-from + columns - 1}]`;
    return `${bounds}={${Array.from({ length: rows }, (_, at) => row(at)).join(",")}}`;
  });
const composites = fc
  .tuple(orNull(texts), orNull(arrays(texts)))
  .map((fields) => `(${fields.map((field) => (field === null ? "" : quoted(field))).join(",")})`);
const ranges = fc
  .tuple(fc.integer({ min: -1000, max: 1000 }), fc.nat(500), fc.constantFrom("[", "("), fc.constantFrom("]", ")"))
  .map(([from, length, left, right]) => `${left}${from},${from + length}${right}`);
const months = fc.integer({ min: -100_000, max: 100_000 });
const HOUR = 3_600_000_000;
/** Hours for themselves: up to version 14 no number in an interval is larger than an integer of 32 bits. */
const intervals = fc.tuple(months, months, fc.integer({ min: -(2 ** 52), max: 2 ** 52 })).map(([month, day, time]) => {
  const seconds = ((time % HOUR) / 1e6).toFixed(6);
  return `${month} mons ${day} days ${Math.trunc(time / HOUR)} hours ${seconds} seconds`;
});
const microseconds = (max: number) => fc.integer({ min: -max, max }).map(String);
const jsons = fc
  .tuple(fc.json({ stringUnit: "grapheme" }), fc.nat(2))
  .map(([text, spaces]) => JSON.stringify(JSON.parse(text), undefined, spaces))
  .filter((text) => !text.includes("\\u0000"));
const octet = fc.nat(255);

const COLUMNS: Column[] = [
  { type: "boolean", literal: fc.boolean().map(String) },
  { type: "smallint", literal: fc.integer({ min: -32_768, max: 32_767 }).map(String) },
  { type: "bigint", literal: bigints },
  { type: "double precision", literal: doubles },
  { type: "real", literal: floating(fc.float()) },
  { type: "numeric", literal: numerics },
  { type: "money", literal: bigints, sql: (text) => `(${text}::numeric / 100)::numeric(30, 2)` },
  { type: "text", literal: texts },
  { type: "character(40)", literal: texts, sql: (text) => `left(${text}, 40)` },
  { type: "bytea", literal: fc.uint8Array().map((bytes) => `\\x${Buffer.from(bytes).toString("hex")}`) },
  {
    type: "date",
    literal: fc.integer({ min: -2_451_000, max: 2_145_000_000 }).map(String),
    sql: (text) => `date '2000-01-01' + ${text}::integer`,
  },
  {
    type: "timestamptz",
    literal: microseconds(2 ** 53 - 1),
    sql: (text) => `timestamptz '2000-01-01 00:00+00' + ${text}::bigint * interval '1 us'`,
  },
  {
    type: "time",
    literal: microseconds(2 ** 53 - 1),
    sql: (text) => `time '00:00' + ${text}::bigint * interval '1 us'`,
  },
  { type: "interval", literal: intervals },
  { type: "uuid", literal: fc.uuid() },
  { type: "json", literal: jsons },
  { type: "jsonb", literal: jsons },
  { type: "integer[]", literal: fc.oneof(arrays(integers), matrices) },
  { type: "text[]", literal: arrays(texts) },
  { type: "numeric[]", literal: arrays(numerics) },
  { type: "pair", literal: composites },
  { type: "pair[]", literal: arrays(composites) },
  { type: "int4range", literal: ranges },
  { type: "nummultirange", literal: fc.array(ranges, { maxLength: 3 }).map((list) => `{${list.join(",")}}`) },
  { type: "mood", literal: fc.constantFrom("bad", "so, so", "good", "came later") },
  {
    type: "inet",
    literal: fc
      .tuple(octet, octet, octet, octet, fc.nat(32))
      .map(([a, b, c, d, bits]) => `${a}.${b}.${c}.${d}/${bits}`),
  },
  { type: "bit varying", literal: fc.stringMatching(/^[01]{0,70}$/) },
  { type: "tsvector", literal: texts, sql: (text) => `to_tsvector('simple', ${text})` },
  { type: "point", literal: fc.tuple(doubles, doubles).map(([x, y]) => `(${x},${y})`) },
];

/** `c0 type`, and so on. */
export const COLUMN_LIST = COLUMNS.map(({ type }, at) => `c${at} ${type}`).join(", ");

/** Values of a row, in the order of the columns. */
export type LiteralRow = (string | null)[];

export const literalRow: fc.Arbitrary<LiteralRow> = fc.tuple(...COLUMNS.map(({ literal }) => orNull(literal)));

/** Inserts rows of literals, whose parameters are an array for each column; `id` is their number. */
export function insertLiterals(table: string): string {
  const arrays = COLUMNS.map((_, at) => `$${at + 1}::text[]`).join(", ");
  const names = COLUMNS.map((_, at) => `t${at}`);
  const values = COLUMNS.map(({ type, sql = (text) => text }, at) => `(${sql(names[at] ?? "")})::${type}`);
  return `INSERT INTO ${table} SELECT id, '2026-01-15', ${values.join(", ")}
    FROM unnest(${arrays}) WITH ORDINALITY AS r(${names.join(", ")}, id)`;
}
