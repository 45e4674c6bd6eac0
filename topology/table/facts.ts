/** What the rules know about a draft, and the two failures that many of them report. */
import type { InputFailure } from "../model";
import { type Draft, type Entry, type KeyColumns, type Names, namesIn } from "./draft";

/** Everything a rule looks at. */
export interface Facts {
  draft: Draft;
  raw: Draft;
  /** By name; the last one of a name. */
  columns: Map<string, Entry>;
  /** True when `columns` holds every column that there will be. */
  columnsComplete: boolean;
  key?: KeyColumns;
  primaryKey?: Names;
}

/** A failure for every name that was there before. */
export function repeated(names: Names["known"], reason: string): InputFailure[] {
  const seen = new Set<string>();
  return names.flatMap(({ name, path }) => {
    const before = seen.has(name);
    seen.add(name);
    return before ? [{ property: path, reason: `"${name}" ${reason}` }] : [];
  });
}

/** A failure for every name that is no column. */
export function unknownColumns(names: Names, { columns, columnsComplete }: Facts): InputFailure[] {
  if (!columnsComplete) {
    return [];
  }
  return names.known
    .filter(({ name }) => !columns.has(name))
    .map(({ name, path }) => ({
      property: path,
      reason: `"${name}" is not one of the declared columns (${[...columns.keys()].join(", ")})`,
    }));
}

/** The names under `columns` of an entry. */
export function columnsOf({ draft, path }: Entry): Names {
  return namesIn(draft.columns, `${path}.columns`);
}
