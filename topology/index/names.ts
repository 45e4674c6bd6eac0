/** Names of the parts of an index: the same in every run, at most 63 bytes, and no two alike. */
import { createHash } from "node:crypto";
import type { RelationName } from "../model";
import { MAX_NAME_BYTES } from "../names";

/** How many further names are thought of for a part whose first ones are taken. */
const SPARE_NAMES = 4;

/**
 * Names for the part of an index on one partition, best first: the index's name with the partition's in the place of the
 * table's, then with a hash of both. Two parts may share their first name, never a later one.
 */
export function partNames(index: string, table: string, partition: RelationName): string[] {
  const rest = index.startsWith(`${table}_`) ? index.slice(table.length) : `_${index}`;
  const plain = partition.name + rest;
  const hashed = Array.from({ length: SPARE_NAMES }, (_, number) => {
    const suffix = `_${hash([index, partition.schema, partition.name, String(number)])}`;
    return cut(plain, MAX_NAME_BYTES - suffix.length) + suffix;
  });
  return Buffer.byteLength(plain) <= MAX_NAME_BYTES ? [plain, ...hashed] : hashed;
}

/** The name of an index while it is built beside the one that it replaces. */
export function replacementName(index: string): string {
  const suffix = `_new_${hash([index])}`;
  return cut(index, MAX_NAME_BYTES - suffix.length) + suffix;
}

function hash(parts: string[]): string {
  return createHash("sha256").update(parts.join("\0")).digest("hex").slice(0, 8);
}

/** At most so many bytes, cut between characters. */
function cut(name: string, bytes: number): string {
  let kept = "";
  let used = 0;
  for (const character of name) {
    used += Buffer.byteLength(character);
    if (used > bytes) break;
    kept += character;
  }
  return kept;
}
