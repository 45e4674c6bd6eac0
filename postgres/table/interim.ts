/** Names of constraints that exist only while a change is under way, by which the next run knows what it finds. Pure. */
import { createHash } from "node:crypto";
import { MAX_NAME_BYTES, nameWithSuffix } from "../identifiers";

const PREFIXES = { notNull: "pgpartition_not_null_", check: "pgpartition_check_" } as const;

/** How a name that is cut is told from another one cut at the same place. */
const HASH_CHARACTERS = 8;

/** The CHECK by which a column is proven to hold no NULL. */
export function notNullProof(column: string): string {
  return named(PREFIXES.notNull + column);
}

/** The CHECK that will take the place, and the name, of another one. */
export function replacementOf(check: string): string {
  return named(PREFIXES.check + check);
}

/** True for the names above, and for no constraint that somebody declares. */
export function isInterim(name: string): boolean {
  return Object.values(PREFIXES).some((prefix) => name.startsWith(prefix));
}

function named(name: string): string {
  if (Buffer.byteLength(name, "utf8") <= MAX_NAME_BYTES) return name;
  const hash = createHash("sha256").update(name).digest("hex").slice(0, HASH_CHARACTERS);
  return nameWithSuffix(name, `_${hash}`);
}
