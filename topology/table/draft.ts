/**
 * Inputs of a Table after their shapes were read: some values may be unknown or were wrong and are missing. Rules look
 * at a draft through these views, so that one bad input does not hide what is wrong with the others.
 */
import type { PartitionBy } from "./model";

export type Draft = Record<string, unknown>;

/** Names in a list, and whether all of them are known. */
export interface Names {
  known: { name: string; path: string }[];
  complete: boolean;
}

/** An entry of a list of objects. */
export interface Entry {
  draft: Draft;
  path: string;
}

export interface KeyColumns extends Names {
  strategy: "range" | "list" | "hash";
}

/** A column whose name is known. */
export interface DraftColumn extends Entry {
  name: string;
}

export function isObject(value: unknown): value is Draft {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The names in a list; a value that is no list has none and is incomplete. */
export function namesIn(value: unknown, path: string): Names {
  const entries = Array.isArray(value) ? value : [undefined];
  const known = entries.flatMap((entry, index) =>
    typeof entry === "string" ? [{ name: entry, path: `${path}[${index}]` }] : [],
  );
  return { known, complete: known.length === entries.length };
}

/** The objects in a list, with their places. */
export function entriesIn(draft: Draft, property: string): Entry[] {
  const value = draft[property];
  return (Array.isArray(value) ? value : []).flatMap((entry, index) =>
    isObject(entry) ? [{ draft: entry, path: `${property}[${index}]` }] : [],
  );
}

/** The columns with known names; incomplete when there may be others. */
export function columnsIn(draft: Draft): { columns: DraftColumn[]; complete: boolean } {
  const columns = entriesIn(draft, "columns").flatMap((entry) =>
    typeof entry.draft.name === "string" ? [{ ...entry, name: entry.draft.name }] : [],
  );
  return { columns, complete: Array.isArray(draft.columns) && draft.columns.length === columns.length };
}

/** The partition key; undefined while its strategy is unknown. `raw` tells in which form the columns were written. */
export function keyIn(draft: Draft, raw: Draft): KeyColumns | undefined {
  const partitionBy = draft.partitionBy;
  if (!isObject(partitionBy)) {
    return undefined;
  }
  const strategy = (["range", "list", "hash"] as const).find((candidate) => isObject(partitionBy[candidate]));
  if (strategy === undefined) {
    return undefined;
  }
  const given = (partitionBy as PartitionBy & Record<string, unknown>)[strategy];
  const columns = isObject(given) ? (given.columns ?? [given.column]) : undefined;
  const written = isObject(raw.partitionBy) ? raw.partitionBy[strategy] : undefined;
  const path = `partitionBy.${strategy}`;
  const names = namesIn(columns, `${path}.columns`);
  return isObject(written) && "column" in written
    ? { ...names, strategy, known: names.known.map(({ name }) => ({ name, path: `${path}.column` })) }
    : { ...names, strategy };
}

/** The columns of the primary key, at the path at which they were written; undefined without one. */
export function primaryKeyIn(draft: Draft, raw: Draft): Names | undefined {
  if (!isObject(draft.primaryKey)) {
    return undefined;
  }
  return namesIn(draft.primaryKey.columns, Array.isArray(raw.primaryKey) ? "primaryKey" : "primaryKey.columns");
}
