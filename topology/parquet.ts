/** What Parquet, and Glue for Athena, have for the types of PostgreSQL. Pure: knowledge as data. */
import { encodeKeyPart } from "./archive";
import { ValueError } from "./values";

/** How the values of a column are stored. */
export type ParquetKind = keyof typeof GLUE_TYPES | "decimal";

/** A column of a Parquet copy. */
export type ParquetColumn =
  | { name: string; kind: Exclude<ParquetKind, "decimal"> }
  | { name: string; kind: "decimal"; precision: number; scale: number };

/** A column of the table, with the type below its domains. */
export interface TypedColumn {
  name: string;
  /** As format_type() or a program writes it. */
  type: string;
  enum?: boolean;
}

/** What a program may declare of a column, beside `decimal(precision,scale)`. */
export type ParquetMapping = "string" | "omit" | `decimal(${number},${number})`;

export interface ParquetProblem {
  column: string;
  reason: string;
}

/** Athena's names of what is stored. */
const GLUE_TYPES = {
  boolean: "boolean",
  int16: "smallint",
  int32: "int",
  int64: "bigint",
  float32: "float",
  float64: "double",
  date: "date",
  timestamp: "timestamp",
  instant: "timestamp",
  bytes: "binary",
  string: "string",
} as const;

/** Types whose values are all held, or refused one by one. `string`: PostgreSQL's own text of the value. */
const KINDS: Record<string, keyof typeof GLUE_TYPES> = {
  boolean: "boolean",
  smallint: "int16",
  integer: "int32",
  bigint: "int64",
  oid: "int64",
  real: "float32",
  "double precision": "float64",
  date: "date",
  "timestamp without time zone": "timestamp",
  "timestamp with time zone": "instant",
  bytea: "bytes",
  text: "string",
  "character varying": "string",
  character: "string",
  '"char"': "string",
  name: "string",
  citext: "string",
  uuid: "string",
  json: "string",
  jsonb: "string",
  xml: "string",
  inet: "string",
  cidr: "string",
  macaddr: "string",
  macaddr8: "string",
};

/** What programs write for the types above. */
const ALIASES: Record<string, string> = {
  bool: "boolean",
  int2: "smallint",
  smallserial: "smallint",
  int: "integer",
  int4: "integer",
  serial: "integer",
  int8: "bigint",
  bigserial: "bigint",
  float4: "real",
  float: "double precision",
  float8: "double precision",
  decimal: "numeric",
  varchar: "character varying",
  char: "character",
  bpchar: "character",
  timestamp: "timestamp without time zone",
  timestamptz: "timestamp with time zone",
};

/** Types that have no counterpart, the first that fits. */
const REFUSED: [RegExp, string][] = [
  [/\[\]$/, "is an array: PostgreSQL's have any number of dimensions, Parquet's lists have one"],
  [/range$/, "is a range, which Parquet does not have"],
  [/^interval/, "is an interval, which Athena does not have"],
  [/^time( |$)/, "is a time of day, for which Glue has no type"],
  [/^money$/, "is money, whose currency is a setting of the server"],
  [/^bit/, "is a string of bits, which Parquet does not have"],
];

/** Digits of a decimal in Parquet and Athena. */
export const MOST_DIGITS = 38;

const DECIMAL = /^decimal\((\d+),(\d+)\)$/;

/** Folder of a partition's files: `pg_partition=<name>`, which Athena, DuckDB and others read as a column. */
export const PARTITION_COLUMN = "pg_partition";

/** @throws ValueError: it is no mapping. */
export function requireMapping(text: string): ParquetMapping {
  const decimal = decimalOf(text);
  if (decimal === undefined && text !== "string" && text !== "omit")
    throw new ValueError(`must be "string", "omit" or "decimal(precision,scale)", not ${JSON.stringify(text)}`);
  if (decimal !== undefined && (decimal.precision < 1 || decimal.precision > MOST_DIGITS || !fits(decimal)))
    throw new ValueError(`has 1 to ${MOST_DIGITS} digits, and not more behind the point than in all`);
  return text as ParquetMapping;
}

interface Decimal {
  precision: number;
  scale: number;
}

const fits = ({ precision, scale }: Decimal) => scale <= precision;

function decimalOf(text: string): Decimal | undefined {
  const found = DECIMAL.exec(text);
  return found === null ? undefined : { precision: Number(found[1]), scale: Number(found[2]) };
}

/** The columns of a Parquet copy in the order of the table's, and those that it cannot hold. */
export function parquetColumns(
  columns: readonly TypedColumn[],
  mappings: Readonly<Record<string, string>>,
): { columns: ParquetColumn[]; problems: ParquetProblem[] } {
  const mapped: ParquetColumn[] = [];
  const problems: ParquetProblem[] = Object.keys(mappings)
    .filter((name) => columns.every((column) => column.name !== name))
    .map((column) => ({ column, reason: "is no column of the table" }));
  const taken = new Map([[PARTITION_COLUMN, "the folder of each partition"]]);
  for (const column of columns) {
    const { name } = column;
    const mapping = Object.hasOwn(mappings, name) ? mappings[name] : undefined;
    if (mapping === "omit") continue;
    const found = mapping === undefined ? byType(column) : byMapping(column, mapping);
    const other = taken.get(name.toLowerCase());
    if ("reason" in found) problems.push({ column: name, reason: found.reason });
    else if (other !== undefined) problems.push({ column: name, reason: sameName(other) });
    else mapped.push(found);
    taken.set(name.toLowerCase(), name);
  }
  if (mapped.length === 0 && problems.length === 0)
    problems.push({
      column: "*",
      reason: "stands for all of them: each is omitted, and a Parquet copy has at least one",
    });
  return { columns: mapped, problems };
}

const sameName = (other: string) =>
  `has for Athena, which knows no capitals, the name of ${other}; "omit" leaves it out`;

function byMapping({ name, type }: TypedColumn, mapping: string): ParquetColumn | { reason: string } {
  const decimal = decimalOf(mapping);
  if (decimal === undefined) return { name, kind: "string" };
  if (plainType(type).base === "numeric") return { name, kind: "decimal", ...decimal };
  return { reason: `is ${type}; only numeric is stored as ${mapping}` };
}

function byType({ name, type, enum: isEnum }: TypedColumn): ParquetColumn | { reason: string } {
  if (isEnum) return { name, kind: "string" };
  const { base, modifiers } = plainType(type);
  const kind = KINDS[base];
  if (kind !== undefined) return { name, kind };
  const declare = `declare archive.parquet.columns: {${name}: "string"} (its text), or "omit"`;
  if (base === "numeric") return byDigits(name, type, modifiers, declare);
  const reason = REFUSED.find(([pattern]) => pattern.test(base))?.[1] ?? "is a type that Parquet does not have";
  return { reason: `(${type}) ${reason}; ${declare}` };
}

function byDigits(
  name: string,
  type: string,
  [precision, scale = 0]: number[],
  declare: string,
): ParquetColumn | { reason: string } {
  const advice = `${declare}, or "decimal(${MOST_DIGITS},10)", into which every value has to fit`;
  if (precision === undefined)
    return { reason: `is numeric without a precision, and Parquet's decimals have ${MOST_DIGITS} digits; ${advice}` };
  // numeric(2,5) holds 0.00099, whose places count as digits in Parquet.
  const digits = Math.max(precision, scale);
  if (scale < 0 || digits > MOST_DIGITS)
    return { reason: `is ${type}, and Parquet's decimals have ${MOST_DIGITS} digits and no negative scale; ${advice}` };
  return { name, kind: "decimal", precision: digits, scale };
}

/** `character varying(20)` is `character varying` with one modifier. A type of another schema is not the one of PostgreSQL that has its name. */
function plainType(type: string): { base: string; modifiers: number[] } {
  const found = /^([^(]*?) *\(([-\d, ]*)\)(.*)$/.exec(type);
  const [, before = type, inside = "", after = ""] = found ?? [];
  const words = `${before}${after}`.replace(/^pg_catalog\./, "").replace(/^[^.]*\.(?=citext$)/, "");
  const plain = words.includes('"') ? words : words.toLowerCase();
  const modifiers = inside === "" ? [] : inside.split(",").map(Number);
  return { base: ALIASES[plain] ?? plain, modifiers };
}

/** What Glue calls the type of a column. */
export function glueType(column: ParquetColumn): string {
  return column.kind === "decimal" ? `decimal(${column.precision},${column.scale})` : GLUE_TYPES[column.kind];
}

/** The table whose partitions are copied. */
export interface ParquetOrigin {
  systemIdentifier: string;
  database: string;
  schema: string;
  table: string;
}

/** All Parquet copies of a store are below it; tables of archives are below the number of a cluster. */
export const PARQUET_FOLDER = "parquet";

/** In front of the keys of all files of a table: one table for whoever reads the folder. Ends with `/`. */
export function parquetPrefix({ systemIdentifier, database, schema, table }: ParquetOrigin): string {
  return `${PARQUET_FOLDER}/${[systemIdentifier, database, schema, table].map(encodeKeyPart).join("/")}/`;
}

export function parquetFolder(partition: string): string {
  return `${PARTITION_COLUMN}=${encodeKeyPart(partition)}/`;
}
