/** Finds the template that the names of existing partitions follow. */
import { attempt } from "../values";

/** A partition with a name, and the text that each placeholder has for it. */
export interface NamedExample {
  name: string;
  /** In the order in which they are tried. */
  values: readonly (readonly [placeholder: string, text: string])[];
}

/** More ways of reading a name than this are a coincidence of digits. */
const MOST_TEMPLATES = 400;

/**
 * Templates that give the example's name, those with the most placeholders first: every text of a placeholder in the name
 * may be that placeholder, once, or stand for itself.
 */
export function templatesOf({ name, values }: NamedExample, table: string): string[] {
  if (/[{}]/.test(name)) return [];
  const prefixed = name.startsWith(table);
  const found: string[] = [];
  read(prefixed ? name.slice(table.length) : name, values, prefixed ? "{table}" : "", found);
  return found.filter((text) => /\{(?!table\})/.test(text));
}

function read(rest: string, values: NamedExample["values"], before: string, found: string[]): void {
  if (found.length >= MOST_TEMPLATES) return;
  if (rest === "") {
    found.push(before);
    return;
  }
  for (const [placeholder, text] of values) {
    if (text === "" || !rest.startsWith(text)) continue;
    const left = values.filter(([other]) => other !== placeholder);
    read(rest.slice(text.length), left, `${before}{${placeholder}}`, found);
  }
  read(rest.slice(1), values, before + rest[0], found);
}

/** A first look at each candidate is at so many of the names, spread over all. */
const SAMPLE = 8;

/** Candidates that are looked at in full. */
const LOOKED_AT = 3;

/** The candidate that gives the most names; the first of equal ones. Undefined when none gives any. */
export function bestTemplate<T extends string | undefined, P>(
  candidates: readonly T[],
  items: readonly P[],
  names: (candidate: T) => (item: P) => boolean,
): { candidate: T; fits: readonly boolean[] } | undefined {
  const step = Math.max(1, Math.floor(items.length / SAMPLE));
  const sample = items.filter((_, at) => at % step === 0 || at === items.length - 1);
  return ranked(candidates, sample, names)
    .slice(0, LOOKED_AT)
    .flatMap(({ candidate }) => ranked([candidate], items, names))
    .sort((a, b) => b.count - a.count)[0];
}

/** Candidates that give at least one name, the best first. */
function ranked<T extends string | undefined, P>(
  candidates: readonly T[],
  items: readonly P[],
  names: (candidate: T) => (item: P) => boolean,
): { candidate: T; fits: boolean[]; count: number }[] {
  const tried = candidates.flatMap((candidate) => {
    const fits = attempt(() => items.map(names(candidate)));
    return "value" in fits ? [{ candidate, fits: fits.value, count: fits.value.filter(Boolean).length }] : [];
  });
  return tried.filter(({ count }) => count > 0).sort((a, b) => b.count - a.count);
}

/** The text of each placeholder, by a way of rendering one. */
export function valuesBy(
  placeholders: readonly string[],
  render: (placeholder: string) => string,
): (readonly [string, string])[] {
  return placeholders.map((placeholder) => [placeholder, render(placeholder)] as const);
}

/** What stands before the part in which names differ: `orders_` for `orders_eu` and `orders_us`. */
export function commonBegin(names: readonly string[], table: string): string {
  const usual = `${table}_`;
  if (names.every((name) => name.startsWith(usual) && name.length > usual.length)) return usual;
  const [first = ""] = names;
  let length = 0;
  while (length < first.length && names.every((name) => name[length] === first[length])) length++;
  // A word is not cut in two: of `t_east` and `t_eu` only `t_` is common.
  return names.length < 2 ? "" : first.slice(0, first.slice(0, length).lastIndexOf("_") + 1);
}
