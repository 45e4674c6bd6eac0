/**
 * Reading loosely typed inputs: each parser checks one shape, reports what is wrong under its property path, and gives
 * the value back in its one normal form. A value that is not known yet passes every parser untouched.
 */
import type { InputFailure } from "../model";
import { MAX_NAME_BYTES } from "../names";
import { UNKNOWN } from "../unknown";
import { nearest } from "../values";
import { type FragmentKind, fragmentProblem } from "./fragment";

/** Where a value stands, and where its failures go. */
export interface Place {
  path: string;
  failures: InputFailure[];
}

export type Parser = (value: unknown, place: Place) => unknown;

/** A property of an object. */
export interface Field {
  parse: Parser;
  required?: boolean;
  /** The value of a property that is not given. */
  fallback?: unknown;
}

/** Records a failure at a place and gives undefined. */
export function fail(place: Place, reason: string): undefined {
  place.failures.push({ property: place.path, reason });
  return undefined;
}

function known(parse: Parser): Parser {
  return (value, place) => (value === UNKNOWN ? value : parse(value, place));
}

function describe(value: unknown): string {
  return Array.isArray(value) ? "a list" : value === null ? "null" : `${typeof value} ${JSON.stringify(value)}`;
}

/** Any text but one with NUL, which PostgreSQL cannot store. */
export const text: Parser = known((value, place) => {
  if (typeof value !== "string") {
    return fail(place, `must be a text, not ${describe(value)}`);
  }
  return value.includes("\0") ? fail(place, "must not contain the character NUL") : value;
});

/** The name of something in PostgreSQL, as it is: case counts, no quoting. */
export const name: Parser = known((value, place) => {
  const given = text(value, place);
  if (given === "") {
    return fail(place, "must not be empty");
  }
  const bytes = typeof given === "string" ? Buffer.byteLength(given) : 0;
  if (bytes > MAX_NAME_BYTES) {
    return fail(place, `"${given}" has ${bytes} bytes; PostgreSQL keeps only the first ${MAX_NAME_BYTES} of a name`);
  }
  return given;
});

/** A fragment of SQL that is whole by itself. */
export function sql(kind: FragmentKind): Parser {
  return known((value, place) => {
    if (typeof value !== "string") {
      return fail(place, `must be SQL as a text, not ${describe(value)}`);
    }
    const problem = fragmentProblem(value, kind);
    return problem === undefined ? value.trim() : fail(place, problem);
  });
}

export const flag: Parser = known((value, place) =>
  typeof value === "boolean" ? value : fail(place, `must be true or false, not ${describe(value)}`),
);

export function integer(least: number, most: number): Parser {
  return known((value, place) =>
    typeof value === "number" && Number.isInteger(value) && value >= least && value <= most
      ? value
      : fail(place, `must be a whole number from ${least} to ${most}, not ${describe(value)}`),
  );
}

/** One of some words; case does not count when all of them are in lower case. */
export function oneOf(words: readonly string[]): Parser {
  return known((value, place) => {
    const match = words.find((word) => word === value || (typeof value === "string" && word === value.toLowerCase()));
    return match ?? fail(place, `must be one of ${words.map((w) => `"${w}"`).join(", ")}, not ${describe(value)}`);
  });
}

/** A list of at least so many entries. */
export function list(parse: Parser, atLeast = 0): Parser {
  return known((value, place) => {
    if (!Array.isArray(value)) {
      return fail(place, `must be a list, not ${describe(value)}`);
    }
    if (value.length < atLeast) {
      return fail(place, `must have at least ${atLeast === 1 ? "one entry" : `${atLeast} entries`}`);
    }
    return value.map((entry, index) => parse(entry, { ...place, path: `${place.path}[${index}]` }));
  });
}

/** An object with these properties and no others but `ignored`, which are left out of the result. */
export function object(fields: Record<string, Field>, ignored: readonly string[] = []): Parser {
  return known((value, place) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      return fail(place, `must be an object, not ${describe(value)}`);
    }
    const given = Object.entries(value).filter(([, entry]) => entry !== undefined && entry !== null);
    for (const [key] of given.filter(([key]) => !(key in fields) && !ignored.includes(key))) {
      fail(at(place, key), unknownProperty(key, Object.keys(fields)));
    }
    const properties = new Map(given);
    return Object.fromEntries(
      Object.entries(fields)
        .map(([key, field]) => [key, property(field, properties.get(key), at(place, key))])
        .filter(([, entry]) => entry !== undefined),
    );
  });
}

function property(field: Field, value: unknown, place: Place): unknown {
  if (value !== undefined) {
    return field.parse(value, place);
  }
  return field.required ? fail(place, "is required") : field.fallback;
}

/** The place of a property of the value at `place`. */
export function at(place: Place, key: string): Place {
  return { ...place, path: place.path === "" ? key : `${place.path}.${key}` };
}

function unknownProperty(key: string, allowed: string[]): string {
  const close = nearest(key, allowed);
  const hint = close === undefined ? "" : `did you mean "${close}"? `;
  return `"${key}" is not a property here; ${hint}allowed: ${allowed.join(", ")}`;
}
