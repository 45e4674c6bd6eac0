/** Random declarations and random steps. Everything generated is plain data, so that a counterexample can be read. */
import fc from "fast-check";
import type { At } from "./keys";
import { RANGE_KEYS, WORDS } from "./keys";
import { GROUPS, type HashLevel, type Level, type ListLevel, type RangeLevel, type Spec } from "./spec";

const small = (max: number) => fc.nat({ max });
const maybe = (max: number) => fc.option(small(max), { nil: undefined, freq: 2 });

/** Objects without a prototype would be printed as such in every counterexample. */
const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record<T>(model, { noNullPrototype: true });

const range: fc.Arbitrary<RangeLevel> = record({
  key: fc.constantFrom(...Object.keys(RANGE_KEYS)),
  every: small(7),
  shifted: fc.boolean(),
  oldest: fc.boolean(),
  from: small(31),
  past: small(45),
  ahead: small(3),
  detached: maybe(2),
  dropped: maybe(2),
  pin: maybe(60),
  naming: small(3),
  fallback: fc.boolean(),
}).map(({ past, ...level }) => ({ strategy: "range", ...level, asOf: level.from + past }));

const list: fc.Arbitrary<ListLevel> = record({
  strategy: fc.constant("list"),
  groups: fc.array(small(GROUPS.length), { minLength: WORDS.length, maxLength: WORDS.length }),
  naming: small(1),
  fallback: fc.boolean(),
});

const hash = (most: number): fc.Arbitrary<HashLevel> =>
  record({
    strategy: fc.constant("hash"),
    columns: fc.constantFrom(1, 2),
    partitions: fc.integer({ min: 1, max: most }),
    naming: small(1),
  });

const top: fc.Arbitrary<Level> = fc.oneof(
  { weight: 5, arbitrary: range },
  { weight: 2, arbitrary: list },
  { weight: 2, arbitrary: hash(6) },
);

/** Levels below the top are small, since there is one in each partition. */
const below: fc.Arbitrary<Level> = fc.oneof(
  hash(3),
  list,
  range.map((level) => ({ ...level, every: 0, from: 0, asOf: level.asOf % 31, ahead: level.ahead % 2 })),
);

const levels: fc.Arbitrary<Level[]> = fc.oneof(
  { weight: 20, arbitrary: top.map((level) => [level]) },
  { weight: 5, arbitrary: fc.tuple(top, below).map((both) => [...both]) },
  { weight: 1, arbitrary: fc.tuple(hash(2), below, hash(2)).map((all) => [...all]) },
);

const specs: fc.Arbitrary<Spec> = record({
  levels,
  reorganize: fc.constantFrom("online", "online", "online", "online", "online", "online", "refuse"),
  described: fc.constantFrom(false, false, true),
  references: fc.constantFrom("nothing", "nothing", "nothing", "nothing", "nothing", "out", "out", "out", "in", "both"),
  large: fc.boolean(),
});

/** Numbers that choose among what is possible when their turn comes. */
export interface Choice {
  kind: number;
  a: number;
  b: number;
}

const choice: fc.Arbitrary<Choice> = record({ kind: small(1000), a: small(1000), b: small(1000) });

/** A new row by its places on the keys of each level. */
export type NewRow = [At, At, At];

const at: fc.Arbitrary<At> = record({ place: fc.integer({ min: -20, max: 130 }), fine: small(7) });

const rows = (most: number): fc.Arbitrary<NewRow[]> => fc.array(fc.tuple(at, at, at), { maxLength: most });

/** What happens before one `up`. */
export interface Step {
  /** Something done by hand. */
  drift?: Choice;
  /** Whether `pulumi refresh` has looked. */
  refresh: boolean;
  /** Another declaration. */
  change?: Choice;
  /** Whether `pulumi preview` runs before the update. */
  preview: boolean;
  /** After how many of its statements an update before this one is killed. */
  kill?: number;
  rows: NewRow[];
}

const steps: fc.Arbitrary<Step> = record({
  drift: fc.option(choice, { nil: undefined, freq: 2 }),
  refresh: fc.boolean(),
  change: fc.option(choice, { nil: undefined, freq: 4 }),
  preview: fc.constantFrom(false, false, true),
  rows: rows(6),
});

export interface Sequence {
  spec: Spec;
  /** The change by which `spec` differs from what is there, made by others, before the first `up`. */
  adopted?: Choice;
  rows: NewRow[];
  steps: Step[];
}

/** In some updates a provider sends so many statements, in some it has ended before. */
const kill = fc.option(small(120), { nil: undefined, freq: 2 });

/** The same with updates that are killed and begun again. */
export const interrupted = (): fc.Arbitrary<Sequence> =>
  fc.tuple(sequences, fc.tuple(kill, kill, kill)).map(([{ steps: all, ...sequence }, kills]) => ({
    ...sequence,
    steps: all.map((step, at) => ({ ...step, kill: kills[at] })),
  }));

export const sequences: fc.Arbitrary<Sequence> = record({
  spec: specs,
  adopted: fc.option(choice, { nil: undefined, freq: 3 }),
  rows: rows(14),
  steps: fc.array(steps, { minLength: 1, maxLength: 3 }),
});
