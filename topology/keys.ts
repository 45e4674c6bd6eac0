/**
 * Values of partition keys: which kinds of type there are, their canonical text and their order.
 *
 * The order of text under the key's collation is known to PostgreSQL only. Text is compared by code points, which is
 * deterministic; {@link orderIsSure} says for which values every usual collation agrees.
 */
import { compareDecimals, decimalText, digitsOf, fitted, parseDecimal } from "./decimals";
import type { MomentType, NumberType, RangeKeyType } from "./grid";
import { boundText } from "./time";
import { compareText, ValueError } from "./values";

export type IntegerType = Exclude<NumberType, "numeric">;

/** How values of a key type are written and compared. `text`: everything that is not known better. */
export type KeyClass = RangeKeyType | "float" | "boolean" | "text";

export const INTEGER_LIMITS: Record<IntegerType, { min: bigint; max: bigint }> = {
  smallint: { min: -(2n ** 15n), max: 2n ** 15n - 1n },
  integer: { min: -(2n ** 31n), max: 2n ** 31n - 1n },
  bigint: { min: -(2n ** 63n), max: 2n ** 63n - 1n },
};

/** Type names (as format_type() prints them, and their aliases) by class; others are `text`. */
const CLASSES: Record<string, KeyClass> = {
  date: "date",
  timestamp: "timestamp",
  "timestamp without time zone": "timestamp",
  timestamptz: "timestamptz",
  "timestamp with time zone": "timestamptz",
  smallint: "smallint",
  int2: "smallint",
  integer: "integer",
  int: "integer",
  int4: "integer",
  bigint: "bigint",
  int8: "bigint",
  numeric: "numeric",
  decimal: "numeric",
  real: "float",
  float4: "float",
  "double precision": "float",
  float8: "float",
  boolean: "boolean",
  bool: "boolean",
  uuid: "uuid",
};

/** True for the key types that hold a date or an instant. */
export function isMomentType(type: string): type is MomentType {
  return type === "date" || type === "timestamp" || type === "timestamptz";
}

/** True for the key types that hold exact numbers. */
export function isNumberType(type: string): type is NumberType {
  return type === "numeric" || Object.hasOwn(INTEGER_LIMITS, type);
}

const known = new Map<string, KeyClass>();

/** The class of a type by its name; type modifiers such as `(3)` do not matter. */
export function keyClass(type: string | undefined): KeyClass {
  if (type === undefined) return "text";
  // Comparisons ask for every pair of values, so each name is only taken apart once.
  const result = known.get(type) ?? classify(type);
  known.set(type, result);
  return result;
}

function classify(type: string): KeyClass {
  const bare = type
    .toLowerCase()
    .replace(/\s*\([^)]*\)/g, "")
    .replace(/^pg_catalog\./, "")
    .trim();
  return Object.hasOwn(CLASSES, bare) ? (CLASSES[bare] ?? "text") : "text";
}

/** Canonical text of an integer that the type can hold. */
export function integerText(type: IntegerType, text: string): string {
  if (!/^[+-]?\d+$/.test(text)) throw new ValueError(`${JSON.stringify(text)} is not a whole number`);
  const value = BigInt(text);
  const { min, max } = INTEGER_LIMITS[type];
  if (value < min || value > max)
    throw new ValueError(`${value} does not fit into ${type} (${min} to ${max}); use MINVALUE or MAXVALUE at the ends`);
  return value.toString();
}

const BOOLEANS: Record<string, string> = { true: "true", t: "true", false: "false", f: "false" };
const NUMBER = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$|^nan$|^[+-]?infinity$/i;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

function moment(type: MomentType): (text: string, timezone: string) => string {
  return (text, timezone) => (/^-?infinity$/i.test(text) ? text.toLowerCase() : boundText(type, text, timezone));
}

/** `NaN` and the infinities as PostgreSQL prints them; undefined for a number. */
function unusual(text: string): string | undefined {
  if (/^nan$/i.test(text)) return "NaN";
  return /^[+-]?infinity$/i.test(text) ? `${text.startsWith("-") ? "-" : ""}Infinity` : undefined;
}

/** By class: the canonical text of a value in a type, or ValueError. */
const CANONICAL: Record<KeyClass, (text: string, timezone: string, type: string) => string> = {
  date: moment("date"),
  timestamp: moment("timestamp"),
  timestamptz: moment("timestamptz"),
  smallint: (text) => integerText("smallint", text),
  integer: (text) => integerText("integer", text),
  bigint: (text) => integerText("bigint", text),
  numeric: (text, _, type) => unusual(text) ?? decimalText(fitted(parseDecimal(text), digitsOf(type))),
  float: (text) => {
    if (!NUMBER.test(text)) throw new ValueError(`${JSON.stringify(text)} is not a number`);
    return unusual(text) ?? text.replace(/^\+/, "");
  },
  boolean: (text) => {
    const known = BOOLEANS[text.toLowerCase()];
    if (known === undefined) throw new ValueError(`${JSON.stringify(text)} is not true or false`);
    return known;
  },
  uuid: (text) => {
    const lower = text.toLowerCase();
    if (!UUID.test(lower)) throw new ValueError(`${JSON.stringify(text)} is not a uuid`);
    return lower;
  },
  text: (text) => text,
};

/**
 * Canonical text of a declared value for a type (its name, with modifiers: `numeric(12,2)`; undefined is `text`). Throws
 * ValueError when it is not one of the type.
 */
export function canonicalValue(type: string | undefined, value: string | number | boolean, timezone: string): string {
  if (typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value))
    throw new ValueError(`${value} is not exact as a number: write it as a string`);
  return CANONICAL[keyClass(type)](String(value), timezone, type ?? "");
}

/** The ends of a RANGE that no value reaches, and the infinities within. */
const RANKS: Record<string, number> = { MINVALUE: -2, "-infinity": -1, infinity: 1, MAXVALUE: 2 };

const LONGEST_RANKED = Math.max(...Object.keys(RANKS).map(({ length }) => length));

/** Asked for every pair of values: a property is looked up for short texts only, since for a new text that is slow. */
function rank(type: KeyClass, text: string): number {
  const known = text.length > LONGEST_RANKED ? undefined : RANKS[text];
  if (known === undefined) return 0;
  return Math.abs(known) === 2 || isMomentType(type) ? known : 0;
}

/** Order of two canonical values of one class, with MINVALUE and MAXVALUE at the ends. */
export function compareValues(type: KeyClass, a: string, b: string): number {
  if (a === b) return 0;
  const ranks = rank(type, a) - rank(type, b);
  if (ranks !== 0) return Math.sign(ranks);
  return COMPARE[type](a, b);
}

const COMPARE: Record<KeyClass, (a: string, b: string) => number> = {
  date: compareMoments,
  timestamp: compareMoments,
  timestamptz: compareMoments,
  smallint: compareIntegers,
  integer: compareIntegers,
  bigint: compareIntegers,
  numeric: compareNumbers,
  float: compareNumbers,
  boolean: compareText,
  uuid: compareText,
  text: compareCodePoints,
};

/** UTF-8 bytes sort as code points do; JavaScript's own order is that of UTF-16 units. */
function compareCodePoints(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** The catalog may hold years that a policy may not: five digits, or BC. */
function compareMoments(a: string, b: string): number {
  if (a[4] === "-" && b[4] === "-" && !a.endsWith("BC") && !b.endsWith("BC")) return compareText(a, b);
  const [yearA, restA] = splitYear(a);
  const [yearB, restB] = splitYear(b);
  return Math.sign(yearA - yearB) || compareText(restA, restB);
}

function splitYear(text: string): [number, string] {
  const dash = text.indexOf("-");
  const year = Number(text.slice(0, dash));
  return [text.endsWith("BC") ? 1 - year : year, text.slice(dash)];
}

function compareIntegers(a: string, b: string): number {
  const left = BigInt(a);
  const right = BigInt(b);
  return left < right ? -1 : left > right ? 1 : 0;
}

/** A number without an exponent, which is how PostgreSQL prints a numeric. */
const PLAIN = /^-?\d+(\.\d+)?$/;

/** Exact for decimals; PostgreSQL's NaN is above everything. */
function compareNumbers(a: string, b: string): number {
  if (PLAIN.test(a) && PLAIN.test(b)) return compareDecimals(parseDecimal(a), parseDecimal(b));
  const [x, y] = [floating(a), floating(b)];
  if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(x)) - Number(Number.isNaN(y));
  return x < y ? -1 : x > y ? 1 : 0;
}

function floating(text: string): number {
  return Number(text.replace(/infinity/i, "Infinity"));
}

/** One text for each value: equal values of a class have equal keys (numeric `1.0` is `1.00`). */
export function valueKey(type: KeyClass, text: string): string {
  if (type !== "numeric" && type !== "float") return text;
  return PLAIN.test(text) && text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

/** True when every usual collation orders the two texts as code points do. */
export function orderIsSure(type: KeyClass, a: string, b: string): boolean {
  return type !== "text" || [a, b].every((text) => RANKS[text] !== undefined || /^[a-z0-9]*$/.test(text));
}
