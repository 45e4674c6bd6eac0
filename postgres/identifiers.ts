/** Text that goes into SQL: identifiers and literals, quoted always and cut never. */
import { escapeIdentifier, escapeLiteral } from "pg";
import type { RelationName } from "../topology/model";

/** PostgreSQL cuts longer names silently (NAMEDATALEN - 1), so that two names could become one. */
export const MAX_NAME_BYTES = 63;

/**
 * A name as a quoted identifier.
 * @throws RangeError when PostgreSQL could not store the name as it is: empty, NUL inside, more than 63 bytes.
 */
export function quoteIdent(name: string): string {
  if (name === "") throw new RangeError("A name must not be empty.");
  refuseNul(name);
  const bytes = Buffer.byteLength(name, "utf8");
  if (bytes > MAX_NAME_BYTES) {
    throw new RangeError(`The name ${JSON.stringify(name)} has ${bytes} bytes; PostgreSQL keeps ${MAX_NAME_BYTES}.`);
  }
  return escapeIdentifier(name);
}

/**
 * A text as a literal of unknown type.
 * @throws RangeError when there is a NUL inside, which no PostgreSQL text can hold.
 */
export function quoteLiteral(text: string): string {
  refuseNul(text);
  return escapeLiteral(text).trimStart();
}

/** `"schema"."name"`. */
export function qualified(relation: RelationName): string {
  return `${quoteIdent(relation.schema)}.${quoteIdent(relation.name)}`;
}

/** The first bytes of a name, cut between characters, followed by a suffix; at most 63 bytes. */
export function nameWithSuffix(name: string, suffix: string): string {
  const room = MAX_NAME_BYTES - Buffer.byteLength(suffix, "utf8");
  let kept = "";
  let used = 0;
  for (const character of name) {
    used += Buffer.byteLength(character, "utf8");
    if (used > room) break;
    kept += character;
  }
  return kept + suffix;
}

function refuseNul(text: string): void {
  if (text.includes("\0")) throw new RangeError("PostgreSQL cannot store a NUL character.");
}
