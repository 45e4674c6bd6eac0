/** Bounds of partitions: reading PostgreSQL's text of them, comparing them, and showing them to people. */
import { canonicalValue, compareValues, type KeyClass, keyClass, orderIsSure, valueKey } from "./keys";
import type { PartitionBound, RangeDatum } from "./model";
import { compareText, ValueError } from "./values";

/** Type names of the key columns in order; a single text stands for a single column. */
export type KeyTypes = string | readonly string[] | undefined;

/** Classes of the key columns; columns beyond the known ones are `text`. */
export function keyClasses(types: KeyTypes): (column: number) => KeyClass {
  const nameOf = typeNames(types);
  return (column) => keyClass(nameOf(column));
}

/** Names of the key columns' types; undefined beyond the known ones. */
function typeNames(types: KeyTypes): (column: number) => string | undefined {
  return typeof types === "string" ? (column) => (column === 0 ? types : undefined) : (column) => types?.[column];
}

/** The columns of one end of a RANGE. */
export function columnsOf(datum: RangeDatum): readonly string[] {
  return typeof datum === "string" ? [datum] : datum;
}

const TOKEN = /'((?:[^']|'')*)'|([A-Za-z]+)|([-+]?[0-9.][0-9.eE+-]*)/y;

/**
 * Reads what `pg_get_expr(relpartbound, 0)` prints with `TimeZone = 'UTC'`, `DateStyle = 'ISO'` and
 * `standard_conforming_strings = on`. Throws ValueError for any other text. A text key's literal 'MINVALUE' cannot be told
 * from PostgreSQL's MINVALUE.
 */
export function parseBound(text: string): PartitionBound {
  if (text === "DEFAULT") return { default: true };
  const hash = /^FOR VALUES WITH \(modulus (\d+), remainder (\d+)\)$/.exec(text);
  if (hash !== null) return { modulus: Number(hash[1]), remainder: Number(hash[2]) };
  // Made when it is needed: of ten thousand errors nobody throws, the stack traces alone would take a second.
  const unreadable = () => new ValueError(`not the text of a partition bound: ${text}`);
  const prefix = /^FOR VALUES (IN|FROM) \(/.exec(text);
  if (prefix === null) throw unreadable();
  const first = readList(text, prefix[0].length, unreadable);
  if (prefix[1] === "IN") {
    if (first.end !== text.length) throw unreadable();
    return { values: sortValues(first.values) };
  }
  if (!text.startsWith(" TO (", first.end)) throw unreadable();
  const second = readList(text, first.end + " TO (".length, unreadable);
  if (second.end !== text.length) throw unreadable();
  return { from: toDatum(first.values, unreadable), to: toDatum(second.values, unreadable) };
}

function readList(text: string, start: number, unreadable: () => Error): { values: (string | null)[]; end: number } {
  const values: (string | null)[] = [];
  for (let at = start; ; ) {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(text);
    if (match === null) throw unreadable();
    const [, quoted, word, number] = match;
    values.push(
      quoted !== undefined ? quoted.replaceAll("''", "'") : word === "NULL" ? null : (word ?? number ?? null),
    );
    at = TOKEN.lastIndex;
    if (text[at] === ")") return { values, end: at + 1 };
    if (!text.startsWith(", ", at)) throw unreadable();
    at += ", ".length;
  }
}

function toDatum(values: (string | null)[], unreadable: () => Error): RangeDatum {
  const texts = values.map((value) => {
    if (value === null) throw unreadable();
    return value;
  });
  const [only] = texts;
  return texts.length === 1 && only !== undefined ? only : texts;
}

/** LIST values have no order of their own: sorted by code units, NULL last, so that equal lists have equal JSON. */
function sortValues(values: readonly (string | null)[]): (string | null)[] {
  return [...values].sort((a, b) => (a === null ? 1 : 0) - (b === null ? 1 : 0) || compareText(a ?? "", b ?? ""));
}

/** A declared value as Pulumi hands it over. */
export type RawValue = string | number | boolean | null;

/** Canonical form of a declared bound. Throws ValueError when a value is not one of its key type. */
export function canonicalBound(
  bound:
    | { from: RawValue | RawValue[]; to: RawValue | RawValue[] }
    | { values: RawValue[] }
    | { modulus: number; remainder: number }
    | { default: true },
  types: KeyTypes,
  timezone: string,
): PartitionBound {
  const nameOf = typeNames(types);
  if ("values" in bound)
    return {
      values: sortValues(
        bound.values.map((value) => (value === null ? null : canonicalValue(nameOf(0), value, timezone))),
      ),
    };
  if ("from" in bound)
    return { from: canonicalEnd(bound.from, types, timezone), to: canonicalEnd(bound.to, types, timezone) };
  return bound;
}

function canonicalEnd(end: RawValue | RawValue[], types: KeyTypes, timezone: string): RangeDatum {
  const nameOf = typeNames(types);
  const canonical = (value: RawValue, column: number): string => {
    if (value === null) throw new ValueError("a RANGE bound cannot be NULL");
    if (value === "MINVALUE" || value === "MAXVALUE") return value;
    return canonicalValue(nameOf(column), value, timezone);
  };
  return Array.isArray(end) ? end.map(canonical) : canonical(end, 0);
}

/** One text for each bound: equal exactly when PostgreSQL takes the bounds for the same. */
export function boundKey(bound: PartitionBound, types?: KeyTypes): string {
  if ("default" in bound) return "default";
  if ("modulus" in bound) return `${bound.modulus}:${bound.remainder}`;
  const classOf = keyClasses(types);
  if ("values" in bound)
    return JSON.stringify(
      sortValues(bound.values.map((value) => (value === null ? null : valueKey(classOf(0), value)))),
    );
  // Almost every bound is a pair of texts, and NUL is in none of them.
  if (typeof bound.from === "string" && typeof bound.to === "string")
    return `${valueKey(classOf(0), bound.from)}\0${valueKey(classOf(0), bound.to)}`;
  const end = (datum: RangeDatum) => columnsOf(datum).map((text, column) => valueKey(classOf(column), text));
  return JSON.stringify([end(bound.from), end(bound.to)]);
}

/** True when PostgreSQL takes both for the same bound. */
export function sameBound(a: PartitionBound, b: PartitionBound, types?: KeyTypes): boolean {
  return boundKey(a, types) === boundKey(b, types);
}

/** Order of two ends of RANGE bounds: column by column. */
export function compareEnds(a: RangeDatum, b: RangeDatum, types?: KeyTypes): number {
  const classOf = keyClasses(types);
  const [left, right] = [columnsOf(a), columnsOf(b)];
  for (let column = 0; column < Math.max(left.length, right.length); column++) {
    const order = compareValues(classOf(column), left[column] ?? "MINVALUE", right[column] ?? "MINVALUE");
    if (order !== 0) return order;
  }
  return 0;
}

/** Order in which bounds are listed: RANGE by lower bound, LIST by first value, HASH by modulus and remainder, DEFAULT last. */
export function compareBounds(a: PartitionBound, b: PartitionBound, types?: KeyTypes): number {
  if ("default" in a || "default" in b) return Number("default" in a) - Number("default" in b);
  if ("from" in a && "from" in b) return compareEnds(a.from, b.from, types) || compareEnds(a.to, b.to, types);
  if ("modulus" in a && "modulus" in b) return a.modulus - b.modulus || a.remainder - b.remainder;
  if ("values" in a && "values" in b) return compareLists(a.values, b.values, keyClasses(types)(0));
  return compareText(boundKey(a), boundKey(b));
}

function compareLists(a: (string | null)[], b: (string | null)[], type: KeyClass): number {
  for (let index = 0; index < Math.min(a.length, b.length); index++) {
    const [left, right] = [a[index] ?? null, b[index] ?? null];
    if (left === null || right === null) {
      if (left !== right) return left === null ? 1 : -1;
      continue;
    }
    const order = compareValues(type, left, right);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

/**
 * True when a row could belong to both bounds, so that PostgreSQL would refuse them side by side. DEFAULT overlaps nothing
 * but another DEFAULT. Ranges of text overlap only where every usual collation agrees; PostgreSQL decides the rest.
 */
export function boundsOverlap(a: PartitionBound, b: PartitionBound, types?: KeyTypes): boolean {
  if ("default" in a || "default" in b) return "default" in a && "default" in b;
  if ("modulus" in a && "modulus" in b) {
    const common = greatestCommonDivisor(a.modulus, b.modulus);
    return a.remainder % common === b.remainder % common;
  }
  const classOf = keyClasses(types);
  if ("values" in a && "values" in b) {
    const key = (value: string | null) => (value === null ? null : valueKey(classOf(0), value));
    const taken = new Set(a.values.map(key));
    return b.values.some((value) => taken.has(key(value)));
  }
  if (!("from" in a && "from" in b)) return false;
  if (sameBound(a, b, types)) return true;
  return surelyBelow(a.from, b.to, types) && surelyBelow(b.from, a.to, types);
}

/** True when one end of a RANGE is below the other under every usual collation. */
function surelyBelow(a: RangeDatum, b: RangeDatum, types?: KeyTypes): boolean {
  return endsAreSure(a, b, types) && compareEnds(a, b, types) < 0;
}

/** True when the order of the two ends does not depend on a collation. */
export function endsAreSure(a: RangeDatum, b: RangeDatum, types?: KeyTypes): boolean {
  const classOf = keyClasses(types);
  const right = columnsOf(b);
  return columnsOf(a).every((text, column) => orderIsSure(classOf(column), text, right[column] ?? "MINVALUE"));
}

/** Greatest common divisor of two positive integers. */
export function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** Short text for people: `2026-01-01 … 2026-02-01`, `IN (eu, us)`, `mod 16 = 3`, `DEFAULT`. */
export function describeBound(bound: PartitionBound): string {
  if ("default" in bound) return "DEFAULT";
  if ("modulus" in bound) return `mod ${bound.modulus} = ${bound.remainder}`;
  if ("values" in bound) return `IN (${bound.values.map((value) => value ?? "NULL").join(", ")})`;
  const end = (datum: RangeDatum) => (typeof datum === "string" ? datum : `(${datum.join(", ")})`);
  return `${end(bound.from)} … ${end(bound.to)}`;
}
