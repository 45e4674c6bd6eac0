/** What has to be known about PostgreSQL's types before a table is made. Everything else is PostgreSQL's to say. */
import type { Strategy } from "../model";

const SERIAL = new Set(["serial", "serial2", "serial4", "serial8", "smallserial", "bigserial"]);
const IDENTITY = new Set(["smallint", "int2", "integer", "int", "int4", "bigint", "int8"]);

/** Built-in types without an operator class that a partition key of the strategy needs (btree, or hash). */
const NO_ORDER = ["json", "xml", "point", "line", "lseg", "box", "path", "polygon", "circle", "cid", "xid"];
const NO_KEY: Record<Strategy, Set<string>> = {
  range: new Set(NO_ORDER),
  list: new Set(NO_ORDER),
  hash: new Set([
    ...NO_ORDER.filter((type) => !type.endsWith("id")),
    "money",
    "bit",
    "bit varying",
    "varbit",
    "tsvector",
    "tsquery",
  ]),
};

/** `Numeric (10, 2)` → `numeric`: the type's name without modifiers, in lower case unless quoted. */
function baseName(type: string): string {
  return type
    .replace(/^pg_catalog\./i, "")
    .replace(/\(.*$/s, "")
    .trim()
    .replace(/\s+/g, " ")
    .toLowerCase();
}

/** `serial` and its kin: an integer column with a sequence of its own. */
export function isSerial(type: string): boolean {
  return SERIAL.has(baseName(type));
}

/** Types that an identity column may have. */
export function canBeIdentity(type: string): boolean {
  return IDENTITY.has(baseName(type));
}

/** False for built-in types that cannot be a partition key column. */
export function canBeKey(type: string, strategy: Strategy): boolean {
  return !NO_KEY[strategy].has(baseName(type));
}
