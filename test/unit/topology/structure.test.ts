/** Random partitions with rows, and random declarations for them: what plans do to the rows, step by step. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { boundOf } from "../../../topology/level";
import type { DesiredPartition, DesiredSet, PartitionBound, Tier } from "../../../topology/model";
import { type Division, dividedAs } from "./division";
import { World } from "./world";

/** A way to divide the keys of a strategy, and the keys. */
interface Kind {
  type: string;
  keys: string[];
  bounds: fc.Arbitrary<PartitionBound[]>;
}

const END = 40;

const range: Kind = {
  type: "integer",
  keys: Array.from({ length: END }, (_, n) => String(n)),
  bounds: fc
    .record({
      cuts: fc.uniqueArray(fc.integer({ min: 1, max: END - 1 }), { maxLength: 6 }),
      without: fc.array(fc.nat({ max: 6 }), { maxLength: 2 }),
    })
    .map(({ cuts, without }) => {
      const ends = [0, ...cuts.sort((a, b) => a - b), END];
      const all = ends.slice(1).map((to, at) => ({ from: String(ends[at]), to: String(to) }));
      return all.filter((_, at) => !without.includes(at));
    }),
};

const LETTERS = ["a", "b", "c", "d", "e", "f", "g"];

const list: Kind = {
  type: "text",
  keys: LETTERS,
  bounds: fc.array(fc.nat({ max: 4 }), { minLength: LETTERS.length, maxLength: LETTERS.length }).map((groups) => {
    // Group 4 stands for "in none".
    const lists = [0, 1, 2, 3].map((group) => LETTERS.filter((_, at) => groups[at] === group));
    return lists.filter(({ length }) => length > 0).map((values) => ({ values }));
  }),
};

const hash: Kind = {
  type: "integer",
  keys: Array.from({ length: 48 }, (_, n) => String(n)),
  bounds: fc
    .integer({ min: 1, max: 8 })
    .map((modulus) => Array.from({ length: modulus }, (_, remainder) => ({ modulus, remainder }))),
};

const KINDS = { range, list, hash };

const tiers = fc.array(fc.constantFrom<Tier>("live", "live", "live", "live", "detached", "dropped"), {
  minLength: 8,
  maxLength: 8,
});

interface Case {
  kind: DesiredSet["strategy"];
  before: PartitionBound[];
  after: PartitionBound[];
  /** Names of the partitions that are there: those of the declared ones (`p0`), or others. */
  named: boolean;
  tiers: Tier[];
  defaultBefore: boolean;
  defaultAfter: boolean;
  rows: boolean[];
  /** Where a first run ends, which was to bring the table to `between`. */
  kill: "copying" | "swapped";
  between: PartitionBound[];
  /** How tables are divided themselves, by the number in their names. */
  dividedBefore: (Division | undefined)[];
  dividedAfter: (Division | undefined)[];
}

const divisions = fc.array(fc.constantFrom<(Division | undefined)[]>(undefined, undefined, "hash", "list"), {
  minLength: 8,
  maxLength: 8,
});

const cases = fc.constantFrom("range" as const, "list" as const, "hash" as const).chain((kind) =>
  fc.record<Case>({
    kind: fc.constant(kind),
    before: KINDS[kind].bounds,
    after: KINDS[kind].bounds,
    between: KINDS[kind].bounds,
    kill: fc.constantFrom("copying" as const, "swapped" as const),
    named: fc.boolean(),
    dividedBefore: divisions,
    dividedAfter: divisions,
    tiers: kind === "hash" ? fc.constant(Array<Tier>(8).fill("live")) : tiers,
    defaultBefore: kind === "hash" ? fc.constant(false) : fc.boolean(),
    defaultAfter: kind === "hash" ? fc.constant(false) : fc.boolean(),
    rows: fc.array(fc.boolean(), { minLength: KINDS[kind].keys.length, maxLength: KINDS[kind].keys.length }),
  }),
);

function desiredOf(one: Case): DesiredSet {
  const { kind, after, tiers: given, defaultBefore, defaultAfter, dividedAfter } = one;
  const partitions: Record<string, DesiredPartition> = {};
  for (const [at, bound] of after.entries())
    partitions[`p${at}`] = entryOf(`p${at}`, bound, given[at] ?? "live", dividedAfter[at]);
  if (defaultBefore || defaultAfter) partitions.rest = entryOf("rest", { default: true }, "live", dividedAfter[7]);
  return {
    schema: "app",
    table: "t",
    strategy: kind,
    keyColumns: ["k"],
    keyTypes: [KINDS[kind].type],
    partitions,
    unmanaged: "report",
    adopt: [],
  };
}

function entryOf(name: string, bound: PartitionBound, tier: Tier, division: Division | undefined): DesiredPartition {
  return { ...bound, tier, ...(division === undefined ? { leaf: true } : dividedAs(division, name)) };
}

function worldOf(one: Case, desired: DesiredSet): World {
  const world = new World(desired);
  const add = (name: string, bound: PartitionBound, division: Division | undefined) => {
    const table = world.add(name, bound);
    const { partitions = {} } = division === undefined ? {} : dividedAs(division, name);
    if (division !== undefined)
      world.divide(
        table,
        Object.entries(partitions).map(([inner, inside]) => ({ name: inner, bound: boundOf(inside) })),
      );
  };
  for (const [at, bound] of one.before.entries()) add(one.named ? `p${at}` : `q${at}`, bound, one.dividedBefore[at]);
  if (one.defaultBefore) add("rest", { default: true }, one.dividedBefore[7]);
  world.remember();
  for (const [at, key] of KINDS[one.kind].keys.entries()) if (one.rows[at]) world.insert(key);
  return world;
}

/** The rows of `keys` that the declaration keeps attached. */
function kept(desired: DesiredSet, keys: readonly string[]): string[] {
  const model = new World(desired);
  const leaving = new World(desired);
  for (const [name, partition] of Object.entries(desired.partitions))
    (partition.tier === "live" ? model : leaving).add(name, boundOf(partition));
  return keys.filter((key) => leaving.route(key) === undefined && model.route(key) !== undefined);
}

/** Sees to it that no commit takes a row that is to stay out of sight, or its place. */
function watch(world: World, desired: DesiredSet, keys: readonly string[]): void {
  const staying = kept(desired, world.visible());
  const open = kept(desired, keys).filter((key) => world.route(key) !== undefined);
  world.onCommit = () => {
    const seen = new Set(world.visible());
    for (const key of staying) assert(seen.has(key), `row ${key} is seen`);
    for (const key of open) assert(world.route(key), `a row ${key} would be taken`);
  };
}

/** Runs until nothing is left to do; gives back the errors. */
function settle(world: World, desired: DesiredSet): string[] {
  const { findings } = world.up(desired);
  assert.deepEqual(world.plan(desired).steps, [], "a second plan has nothing to do");
  return findings.filter(({ severity }) => severity === "error").map(({ reason }) => reason);
}

function assertDeclared(world: World, desired: DesiredSet): void {
  for (const [name, { tier, partitions, ...entry }] of Object.entries(desired.partitions)) {
    const table = world.find(name);
    if (tier === "live") assert.deepEqual(table?.bound, boundOf(entry), `${name} is as declared`);
    else assert.equal(table?.bound, undefined, `${name} is not attached`);
    if (tier === "live")
      assert.deepEqual(
        table?.inside?.map((inner) => inner.name).sort(),
        partitions && Object.keys(partitions).sort(),
        `${name} is divided as declared`,
      );
  }
}

describe("structural change", () => {
  const holdsFor = (name: string, run: (one: Case) => void, numRuns: number) =>
    it(name, () => fc.assert(fc.property(cases, run), { numRuns }));

  holdsFor(
    "keeps every row in sight at every commit, and comes to the declaration or says why not",
    (one) => {
      const desired = desiredOf(one);
      const world = worldOf(one, desired);
      const rows = world.visible();
      watch(world, desired, KINDS[one.kind].keys);
      if (settle(world, desired).length > 0) return;
      assertDeclared(world, desired);
      assert.deepEqual(
        kept(desired, rows).filter((key) => !world.visible().includes(key)),
        [],
      );
    },
    1000,
  );

  holdsFor(
    "does so from where a run was interrupted that had something else in mind",
    (one) => {
      const first = desiredOf({ ...one, after: one.between, tiers: [] });
      const desired = desiredOf(one);
      const world = worldOf(one, first);
      world.killedAt = one.kill;
      world.apply(world.plan(first));
      world.killedAt = undefined;
      watch(world, desired, KINDS[one.kind].keys);
      if (settle(world, desired).length > 0) return;
      assert.deepEqual(world.unfinished, [], "nothing unfinished is left");
      assertDeclared(world, desired);
    },
    500,
  );
});
