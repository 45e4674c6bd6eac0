/** How a declaration changes from one `up` to the next. */
import type { Choice } from "./generate";
import { WORDS } from "./keys";
import { GROUPS, type HashLevel, type Level, type ListLevel, type RangeLevel, type Spec } from "./spec";

type Change<L extends Level> = (level: L, a: number, b: number) => L;

const RANGE: Record<string, Change<RangeLevel>> = {
  "asOf moves on": (level, a) => ({ ...level, asOf: level.asOf + 1 + (a % 31) }),
  "asOf moves on a little": (level, a) => ({ ...level, asOf: level.asOf + 1 + (a % 8) }),
  "more or fewer ahead": (level, a) => ({ ...level, ahead: (level.ahead + 1 + (a % 3)) % 4 }),
  "window begins elsewhere": (level, a) => ({ ...level, from: a % (level.asOf + 1) }),
  "another interval": (level, a) => ({ ...level, every: level.every + 1 + (a % 4) }),
  "another interval from a date on": ({ change: _, ...level }, a, b) => ({
    ...level,
    change: { from: level.asOf + (a % 60), every: b % 6 },
  }),
  "no change of the interval": ({ change: _, ...level }) => level,
  "another age for detached": (level, a) => ({ ...level, detached: a % 3 }),
  "another age for dropped": (level, a) => ({ ...level, dropped: a % 3 }),
  "nothing is detached": ({ detached: _, ...level }) => level,
  "a pin": (level, a) => ({ ...level, pin: a % 60 }),
  "no pin": ({ pin: _, ...level }) => level,
  "periods begin elsewhere": (level) => ({ ...level, shifted: !level.shifted }),
  "an oldest partition or none": (level) => ({ ...level, oldest: !level.oldest }),
  "other names": (level, a) => ({ ...level, naming: level.naming + 1 + (a % 2) }),
  "DEFAULT or none": (level) => ({ ...level, fallback: !level.fallback }),
};

const moved: Change<ListLevel> = (level, a, b) => ({
  ...level,
  groups: level.groups.map((group, at) => (at === a % WORDS.length ? b % (GROUPS.length + 1) : group)),
});

const LIST: Record<string, Change<ListLevel>> = {
  "a value moves": moved,
  "values move": (level, a, b) => moved(moved(level, a, b), a + 1, Math.floor(b / 7)),
  "groups are merged": (level, a) => ({
    ...level,
    groups: level.groups.map((group) => (group === a % GROUPS.length ? (group + 1) % GROUPS.length : group)),
  }),
  "other names": (level) => ({ ...level, naming: level.naming + 1 }),
  "DEFAULT or none": (level) => ({ ...level, fallback: !level.fallback }),
};

const HASH: Record<string, Change<HashLevel>> = {
  "twice as many": (level) => ({ ...level, partitions: Math.min(level.partitions * 2, 8) }),
  "half as many": (level) => ({ ...level, partitions: Math.max(1, Math.floor(level.partitions / 2)) }),
  "any number": (level, a) => ({ ...level, partitions: 1 + (a % 6) }),
  "other names": (level) => ({ ...level, naming: level.naming + 1 }),
};

/** The declaration after the change, and what the change was. */
export function changed(spec: Spec, { kind, a, b }: Choice): { spec: Spec; what: string } {
  // The top level more often: what is below can change in fewer ways.
  const depth = b % 3 === 0 ? spec.levels.length - 1 : 0;
  const level = spec.levels[depth];
  if (level === undefined) throw new Error("a declaration has a level");
  const { name, next } = changedLevel(level, kind, a, b);
  return { spec: { ...spec, levels: spec.levels.with(depth, next) }, what: `level ${depth}: ${name}` };
}

function changedLevel(level: Level, kind: number, a: number, b: number): { name: string; next: Level } {
  if (level.strategy === "range") return apply(RANGE, level, kind, a, b);
  if (level.strategy === "list") return apply(LIST, level, kind, a, b);
  return apply(HASH, level, kind, a, b);
}

function apply<L extends Level>(
  changes: Record<string, Change<L>>,
  level: L,
  kind: number,
  a: number,
  b: number,
): { name: string; next: Level } {
  const names = Object.keys(changes);
  const name = names[kind % names.length] ?? "";
  return { name, next: changes[name]?.(level, a, b) ?? level };
}
