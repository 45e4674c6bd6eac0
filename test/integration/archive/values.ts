/** Values of every type: what has gone out and come back must be the same in each of them. */

/** Values as SQL. */
interface Values {
  type: string;
  values: string[];
  /** The first version that has them. */
  since?: number;
}

/** By what is said of a failure; these are names of columns, too. */
const TYPES: Record<string, Values> = {
  booleans: { type: "boolean", values: ["true", "false", "NULL"] },
  integers: { type: "bigint", values: ["-9223372036854775808", "9223372036854775807", "0"] },
  floats: {
    type: "double precision",
    values: ["'NaN'", "'infinity'", "'-infinity'", "'-0'", "5e-324", "1.7976931348623157e308", "0.1", "1::float8/3"],
  },
  reals: { type: "real", values: ["'NaN'", "'-0'", "1::real/3", "1e-45", "3.4028235e38"] },
  numerics: {
    type: "numeric",
    values: [
      "'NaN'",
      "'Infinity'",
      "'-Infinity'",
      "0.000",
      "1.10",
      "1.1000",
      "repeat('9', 1000)::numeric",
      "('0.' || repeat('1', 900))::numeric",
    ],
  },
  "numerics of a thousand digits": { type: "numeric(1000, 500)", values: ["repeat('8', 500)::numeric", "-0.5"] },
  "numerics without a place for units": { type: "numeric(3, -2)", values: ["12345"], since: 15 },
  money: { type: "money", values: ["'-92233720368547758.08'::money", "'12.34'::money"] },
  texts: {
    type: "text",
    values: [
      "''",
      "NULL",
      "E'\\\\N'",
      "E'\\\\.'",
      "E'a\\n\\\\.\\nb'",
      "E'a\\tb\\nc\\r\\nd\\\\e'",
      "E'\\b\\f\\v\\x01\\x7f'",
      `'"''"'`,
      "'NULL'",
      "'𝕏 é 🐘 日本'",
      "U&'e\\0301 \\FEFF \\FFFF \\+10FFFF'",
      "' leading and trailing '",
      "repeat('x', 3000000)",
      "(SELECT string_agg(md5(i::text), '') FROM generate_series(1, 20000) AS i)",
      "E'\\n'",
    ],
  },
  "characters of fixed length": { type: "character(5)", values: ["'ab'", "''"] },
  "characters up to a length": { type: "character varying(5)", values: ["'ab  '", "''"] },
  "single bytes": { type: `"char"`, values: ["'x'", "''", "E'\\\\377'"] },
  names: { type: "name", values: ["'Mixed \"Name\"'"] },
  bytes: { type: "bytea", values: ["'\\x'", "'\\x00ff0a5c09'", "decode(repeat('5c', 100000), 'hex')"] },
  dates: { type: "date", values: ["'infinity'", "'-infinity'", "'4713-01-01 BC'", "'5874897-12-31'"] },
  times: { type: "time", values: ["'24:00'", "'23:59:59.999999'"] },
  "times with zone": { type: "timetz", values: ["'12:00:00.5+13:30:15'", "'00:00-12'"] },
  timestamps: {
    type: "timestamp",
    values: ["'infinity'", "'-infinity'", "'0044-03-15 12:00 BC'", "'294276-12-31 23:59:59.999999'"],
  },
  "timestamps with zone": {
    type: "timestamptz",
    values: ["'infinity'", "'-infinity'", "'2026-11-01 01:30 America/New_York'", "'1890-01-01 00:00+00:17:30'"],
  },
  intervals: {
    type: "interval",
    values: ["'-1 year 2 months -3 days 04:05:06.789'", "'178000000 years'", "'0'", "'1 mon'", "'30 days'", "'720:00'"],
  },
  "infinite intervals": { type: "interval", values: ["'infinity'", "'-infinity'"], since: 17 },
  uuids: { type: "uuid", values: ["'018f3c9e-7a1b-7c3d-8e4f-1234567890ab'"] },
  json: {
    type: "json",
    values: [
      `E' { "b" : 1,\\n "a":[null, "\\\\u00e9"] , "a":2}'`,
      `E'{"t": "a\\\\tb"}'`,
      "'1.10'",
      `'"\\ud83d\\ude00"'`,
    ],
  },
  jsonb: { type: "jsonb", values: [`'{"b": 1.10, "a": [null, "\\"\\\\\\\\"]}'`, "'null'", "NULL", "'1e-7'"] },
  jsonpath: { type: "jsonpath", values: [`'$.a[*] ? (@.b > 1)'`] },
  xml: {
    type: "xml",
    values: [
      "'<a b=\"1\">x &amp; y</a>'",
      "'text, <b/> and more'",
      '\'<?xml version="1.0" standalone="yes"?><c/>\'',
      "''",
    ],
  },
  arrays: {
    type: "integer[]",
    values: ["'{}'", "'{1,NULL,3}'", "'{{1,2},{3,4}}'", "'[-1:1]={1,2,3}'", "'[2:2][0:1]={{1,2}}'"],
  },
  "arrays of texts": {
    type: "text[]",
    values: [`ARRAY['', NULL, 'NULL', 'null', 'a"b', E'c\\\\d', 'e,f', '{g}', E'h\\ti', ' j ']`, "ARRAY[NULL]::text[]"],
  },
  "arrays of composites": {
    type: "pair[]",
    values: [`ARRAY[ROW('a"(,', NULL)::pair, ROW(NULL, '{1}')::pair, NULL]`],
  },
  ranges: { type: "int4range", values: ["'empty'", "'(,)'", "'[1,5)'"] },
  "ranges of instants": {
    type: "tstzrange",
    values: ["'[2026-01-01 00:00+00, infinity)'", "'(,\"2026-01-01 00:00:00.5+00\"]'"],
  },
  "ranges of texts": { type: "words", values: [`words('', E'a"b\\\\,)', '(]')`, "words(NULL, NULL)"] },
  multiranges: { type: "nummultirange", values: ["'{}'", "'{[1.5,2), (3,)}'"] },
  enums: { type: "mood", values: ["'so, so'", "'good'", "'came later'"] },
  domains: { type: "positive", values: ["1", "NULL"] },
  "domains over domains over arrays": { type: "few", values: ["'{1,2}'", "NULL"] },
  composites: {
    type: "pair",
    values: [`ROW('', NULL)::pair`, `ROW(E'a\\nb\\\\', '{"x",NULL}')::pair`, `ROW(NULL, NULL)::pair`, "NULL"],
  },
  "composites of composites": {
    type: "nest",
    values: [`ROW(ROW('("\\', '{}')::pair, 3, 'bad')::nest`, "ROW(NULL, NULL, NULL)::nest"],
  },
  bits: { type: "bit(3)", values: ["B'101'"] },
  "varying bits": { type: "bit varying", values: ["B''", "B'0101010101'"] },
  "text search vectors": { type: "tsvector", values: [`'a:1A ''b c'':2 ''d''''e'':3'`, "''"] },
  "text search queries": { type: "tsquery", values: [`'a & !b | c:*A <2> d'`] },
  addresses: { type: "inet", values: ["'::ffff:1.2.3.4/128'", "'10.0.0.1/8'"] },
  networks: { type: "cidr", values: ["'10.0.0.0/8'", "'2001:db8::/32'"] },
  "network cards": { type: "macaddr8", values: ["'08:00:2b:01:02:03:04:05'"] },
  points: { type: "point", values: ["'(0.1,-1e-300)'", "'(NaN,Infinity)'", "'(-0,0)'"] },
  lines: { type: "line", values: ["'{1,-1,0.1}'"] },
  segments: { type: "lseg", values: ["'[(0,0),(0.1,1)]'"] },
  boxes: { type: "box[]", values: ["'{(1,1),(0,0);(0.2,0.3),(0.1,0)}'"] },
  paths: { type: "path", values: ["'[(0,0),(1,1)]'", "'((0,0),(1,1))'"] },
  polygons: { type: "polygon", values: ["'((0,0),(1,0),(0.3,0.1))'"] },
  circles: { type: "circle", values: ["'<(0,0),0.1>'"] },
  positions: { type: "pg_lsn", values: ["'16/B374D848'"] },
  transactions: { type: "xid8", values: ["'18446744073709551615'"] },
  snapshots: { type: "pg_snapshot", values: ["'10:20:10,14,15'"] },
  places: { type: "tid", values: ["'(4294967295,65535)'"] },
  vectors: { type: "oidvector", values: ["'1 4294967295'"] },
  relations: { type: "regclass", values: ["'pg_catalog.pg_class'::regclass", "'\"Odd; name\"'::regclass"] },
  functions: { type: "regprocedure", values: ["'lower(text)'::regprocedure"] },
  citexts: { type: "citext", values: ["'MiXed'", "''"] },
  "keys and values": { type: "hstore", values: [`'"a b"=>"c\\"d\\\\", e=>NULL, ""=>""'`] },
  "labels of a tree": { type: "ltree", values: ["'Top.Science'", "''"] },
  cubes: { type: "cube", values: ["'(0.1, 1e-300),(2,3)'"] },
};

/** Makes the types, in `public`. A value of an enum cannot be used in the transaction that adds it. */
export const TYPES_SQL = [
  `CREATE EXTENSION citext; CREATE EXTENSION hstore; CREATE EXTENSION ltree; CREATE EXTENSION cube;
   CREATE TYPE mood AS ENUM ('bad', 'so, so', 'good');
   CREATE TYPE pair AS (a text, b text[]);
   CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
   CREATE DOMAIN numbers AS positive[] CHECK (cardinality(VALUE) < 5);
   CREATE DOMAIN few AS numbers CHECK (VALUE IS NULL OR VALUE[1] = 1);
   CREATE TYPE nest AS (p pair, n positive, m mood);
   CREATE TYPE words AS RANGE (subtype = text, collation = "C");
   CREATE TABLE "Odd; name" ()`,
  "ALTER TYPE mood ADD VALUE 'came later' BEFORE 'good'",
];

/** Each value in a row of its own, and NULL in all other columns. */
export interface Matrix {
  /** `"name" type` of each column. */
  columns: string[];
  /** `"name"` and the value, row by row. */
  rows: { column: string; value: string }[];
}

export function matrixOf(major: number): Matrix {
  const all = Object.entries(TYPES).filter(([, { since = 14 }]) => since <= major);
  return {
    columns: all.map(([title, { type }]) => `"${title}" ${type}`),
    rows: all.flatMap(([title, { values }]) => values.map((value) => ({ column: `"${title}"`, value }))),
  };
}
