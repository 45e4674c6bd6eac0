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

/** The template among these that gives the most names; the first of equal ones. Undefined when none gives any. */
export function bestTemplate<T extends string | undefined>(
  candidates: readonly T[],
  namesOf: (candidate: T) => readonly boolean[],
): { candidate: T; fits: readonly boolean[] } | undefined {
  let best: { candidate: T; fits: readonly boolean[]; count: number } | undefined;
  for (const candidate of candidates) {
    const tried = attempt(() => namesOf(candidate));
    if ("reason" in tried) continue;
    const count = tried.value.filter(Boolean).length;
    if (count > (best?.count ?? 0)) best = { candidate, fits: tried.value, count };
    if (count === tried.value.length) break;
  }
  return best;
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
