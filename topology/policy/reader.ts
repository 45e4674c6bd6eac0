/**
 * Reading loosely typed inputs by a table of properties. Every failure is reported under its property path and reading
 * goes on, so that a person sees all of them at once. What is wrong or not known yet reads as undefined.
 */
import type { InputFailure } from "../model";
import { UNKNOWN } from "../unknown";
import { nearest } from "../values";

/** Where reading leaves what it finds. */
export interface Report {
  failures: InputFailure[];
  /** Paths of the values that are not known yet. */
  unknown: string[];
}

/** Reads one value; undefined when it is absent, wrong (then reported) or not known yet. */
export type Reader<T> = (value: unknown, path: string, report: Report) => T | undefined;

/** A property of an object. */
export interface Field<T> {
  read: Reader<T>;
  required: boolean;
}

export function required<T>(read: Reader<T>): Field<T> {
  return { read, required: true };
}

export function optional<T>(read: Reader<T>): Field<T> {
  return { read, required: false };
}

/** The path of a property inside `path`, as Pulumi writes it. */
export function join(path: string, key: string): string {
  if (!/^[\p{L}_$][\p{L}\p{N}_$-]*$/u.test(key)) return `${path}[${JSON.stringify(key)}]`;
  return path === "" ? key : `${path}.${key}`;
}

/** Reports a failure and reads as undefined. */
export function fail(report: Report, property: string, reason: string): undefined {
  report.failures.push({ property, reason });
  return undefined;
}

/** Reads something that stands at `path` by rules that do not know where they are applied. */
export function within<T>(report: Report, path: string, read: (own: Report) => T): T {
  const own: Report = { failures: [], unknown: [] };
  const result = read(own);
  const place = (property: string) =>
    property === "" ? path : property.startsWith("[") ? path + property : `${path}.${property}`;
  report.failures.push(...own.failures.map(({ property, reason }) => ({ property: place(property), reason })));
  report.unknown.push(...own.unknown.map(place));
  return result;
}

function describe(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" ? "an object" : `the ${typeof value} ${JSON.stringify(value)}`;
}

/** A reader for the values that `accepts`; `wanted` completes "must be …". */
export function scalar<T>(wanted: string, accepts: (value: unknown) => value is T): Reader<T> {
  return known((value, path, report) =>
    accepts(value) ? value : fail(report, path, `must be ${wanted}, not ${describe(value)}`),
  );
}

function known<T>(read: Reader<T>): Reader<T> {
  return (value, path, report) => {
    if (value !== UNKNOWN) return read(value, path, report);
    report.unknown.push(path);
    return undefined;
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const isText = (value: unknown): value is string => typeof value === "string";
const isInteger = (value: unknown): value is number => Number.isSafeInteger(value);

/** An object that is read later, by rules of its own. */
export const anything = scalar("an object", isObject);
export const text = scalar("a text", isText);
export const flag = scalar("true or false", (value): value is boolean => typeof value === "boolean");
export const textOrInteger = scalar(
  "a text or a whole number",
  (value): value is string | number => isText(value) || isInteger(value),
);

/** A whole number of at least `least`. */
export function integer(least: number): Reader<number> {
  return scalar(`a whole number of at least ${least}`, (value): value is number => isInteger(value) && value >= least);
}

/** One of a few words. `refused` gives reasons for words that people may expect to work. */
export function choice<const T extends string>(words: readonly T[], refused: Record<string, string> = {}): Reader<T> {
  return known((value, path, report) => {
    const word = words.find((candidate) => candidate === value);
    if (word !== undefined) return word;
    const reason = isText(value) && Object.hasOwn(refused, value) ? refused[value] : undefined;
    return fail(report, path, reason ?? `must be one of ${words.join(", ")}, not ${describe(value)}`);
  });
}

/** A list of equal shapes. Wrong items are left out of the result. */
export function list<T>(item: Reader<T>, least = 0): Reader<T[]> {
  return known((value, path, report) => {
    if (!Array.isArray(value)) return fail(report, path, `must be a list, not ${describe(value)}`);
    if (value.length < least) return fail(report, path, "must not be empty");
    return value.flatMap((entry, index) => {
      const read = item(entry, `${path}[${index}]`, report);
      return read === undefined ? [] : [read];
    });
  });
}

/** An object with names of the user's own. Wrong entries are left out of the result. */
export function map<T>(entry: Reader<T>): Reader<Map<string, T>> {
  return known((value, path, report) => {
    if (!isObject(value)) return fail(report, path, `must be an object, not ${describe(value)}`);
    return new Map(
      Object.entries(value).flatMap(([key, item]): [string, T][] => {
        const read = entry(item, join(path, key), report);
        return read === undefined ? [] : [[key, read]];
      }),
    );
  });
}

/** An object with the properties of a table; others are refused by name. */
export function object<S>(fields: { [K in keyof S]-?: Field<S[K]> }): Reader<Partial<S>> {
  const names = Object.keys(fields).filter((key): key is keyof S & string => key in fields);
  return known((value, path, report) => {
    if (!isObject(value)) return fail(report, path, `must be an object, not ${describe(value)}`);
    for (const key of Object.keys(value)) {
      if (!Object.hasOwn(fields, key) && value[key] !== undefined) fail(report, join(path, key), stranger(key, names));
    }
    const result: Partial<S> = {};
    for (const key of names) {
      const given = value[key];
      if (given !== undefined) result[key] = fields[key].read(given, join(path, key), report);
      else if (fields[key].required) fail(report, join(path, key), "is required");
    }
    return result;
  });
}

function stranger(key: string, allowed: readonly string[]): string {
  const near = nearest(key, allowed);
  return near !== undefined
    ? `is not a property; did you mean ${near}?`
    : `is not a property; there are ${allowed.join(", ")}`;
}

/** Passes on to another reader by what the value is. */
export function either<A, B>(test: (value: unknown) => boolean, yes: Reader<A>, no: Reader<B>): Reader<A | B> {
  return (value, path, report) => (test(value) ? yes(value, path, report) : no(value, path, report));
}
