import assert from "node:assert/strict";
import fc from "fast-check";
import { difference } from "../../../topology/difference";
import type { DesiredSet, PartitionBound } from "../../../topology/model";
import { expand } from "../../../topology/policy";
import type { Raw } from "./inputs";
import { World } from "./world";

/** A policy at a month of its life. */
type Policy = (month: number) => Raw;

const dates: fc.Arbitrary<Policy> = fc
  .record({
    every: fc.constantFrom("month", "week", "quarter", "10 days"),
    type: fc.constantFrom("date", "timestamptz"),
    ahead: fc.integer({ min: 0, max: 3 }),
    detached: fc.integer({ min: 0, max: 3 }),
    dropped: fc.integer({ min: 4, max: 6 }),
    defaultPartition: fc.boolean(),
  })
  .map(({ every, type, ahead, detached, dropped, defaultPartition }) => (month) => ({
    table: "t",
    partitionBy: { range: { column: "at", type, every } },
    window: { from: "2026-01", ahead },
    asOf: new Date(Date.UTC(2026, month, 9)).toISOString().slice(0, 10),
    lifecycle: [
      { after: `${detached} months`, tier: "detached" },
      { after: `${dropped} months`, tier: "dropped" },
    ],
    defaultPartition,
    unmanaged: "ignore",
  }));

const numbers: fc.Arbitrary<Policy> = fc.integer({ min: 1, max: 4 }).map((ahead) => (month) => ({
  table: "t",
  partitionBy: { range: { column: "n", type: "integer", every: 10 } },
  window: { from: 0, ahead },
  asOf: month * 15,
  lifecycle: [{ after: 40, tier: "dropped" }],
}));

const lists: fc.Arbitrary<Policy> = fc.boolean().map((defaultPartition) => (month) => ({
  table: "t",
  partitionBy: { list: { column: "r", values: { a: ["x", "y"], b: [null], ...(month % 2 ? { c: ["z"] } : {}) } } },
  defaultPartition,
}));

const hashes: fc.Arbitrary<Policy> = fc.integer({ min: 1, max: 6 }).map((partitions) => () => ({
  table: "t",
  partitionBy: { hash: { columns: ["k"], partitions } },
}));

const policies = fc.oneof({ weight: 4, arbitrary: dates }, numbers, lists, hashes);

/** What people do by hand; `at` chooses the relation. */
const DRIFTS: Record<string, (world: World, at: number) => void> = {
  drop: (world, at) => {
    const relation = pick(world, at);
    if (relation === undefined) return;
    if (relation.bound !== undefined) world.detach(relation);
    world.drop(relation);
  },
  detach: (world, at) => {
    const relation = pick(world, at);
    if (relation?.bound !== undefined) world.detach(relation);
  },
  rename: (world, at) => {
    const relation = pick(world, at);
    if (relation !== undefined) relation.name = `renamed_${relation.oid}`;
  },
  move: (world, at) => {
    const relation = pick(world, at);
    if (relation !== undefined) relation.schema = "elsewhere";
  },
  interrupt: (world, at) => {
    const relation = pick(world, at);
    const beside = world.relations.some(({ bound, pending }) => pending || (bound && "default" in bound));
    if (relation?.bound !== undefined && !beside) relation.pending = true;
  },
  narrow: (world, at) => {
    const relation = pick(world, at);
    if (relation?.bound === undefined || relation.pending || !("from" in relation.bound)) return;
    const { bound } = relation;
    world.detach(relation);
    world.attach(relation, narrowed(bound));
  },
};

function narrowed(bound: Extract<PartitionBound, { from: unknown }>): PartitionBound {
  if (/^-?\d+$/.test(String(bound.from))) return { from: String(Number(bound.from) + 1), to: bound.to };
  return { from: String(bound.from).replace(/^(\d{4}-\d{2})-01/, "$1-02"), to: bound.to };
}

function pick(world: World, at: number) {
  return world.relations.length === 0 ? undefined : world.relations[at % world.relations.length];
}

function expanded(raw: Raw, old?: Raw): { desired: DesiredSet; checked: Raw } {
  const { desired, checked, failures } = expand(raw, old);
  assert.deepEqual(failures, []);
  assert(desired);
  return { desired, checked };
}

/** Plans and carries out; gives back whether there was anything to do, and whether anything stood in the way. */
function up(world: World, desired: DesiredSet): { steps: number; errors: string[] } {
  const made = world.up(desired);
  const errors = made.findings.filter(({ severity }) => severity === "error").map(({ reason }) => reason);
  return { steps: made.steps.length, errors };
}

/** What Read would record. */
function recorded(world: World, desired: DesiredSet) {
  const { children, detached } = world.actual(desired);
  const tier = { live: "live", pending: "detaching", detached: "detached" };
  return Object.fromEntries(
    [...children, ...detached].map(({ name, bound, state }) => [name, { ...bound, tier: tier[state] }]),
  );
}

describe("plans carried out", () => {
  it("make the declared set, roll it forward, and then have nothing to do", () => {
    fc.assert(
      fc.property(
        policies,
        fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 5 }),
        (policy, moves) => {
          let month = 1;
          let old: Raw | undefined;
          let world: World | undefined;
          for (const move of [0, ...moves]) {
            month += move;
            const { desired, checked } = expanded(policy(month), old);
            world ??= new World(desired);
            assert.deepEqual(up(world, desired).errors, []);
            assert.deepEqual(up(world, desired), { steps: 0, errors: [] });
            assert.deepEqual(difference(desired.partitions, recorded(world, desired), desired), []);
            const live = Object.entries(desired.partitions).filter(([, { tier }]) => tier === "live");
            for (const [name] of live) assert(world.attached().includes(name), `${name} is attached`);
            old = checked;
          }
        },
      ),
      { numRuns: 150 },
    );
  });

  it("put hand-made changes right, or say what stands in the way", () => {
    const drift = fc.tuple(fc.constantFrom(...Object.keys(DRIFTS)), fc.nat({ max: 30 }), fc.boolean());
    fc.assert(
      fc.property(
        policies,
        fc.array(drift, { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 0, max: 2 }),
        (policy, drifts, move) => {
          const first = expanded(policy(5));
          const world = new World(first.desired);
          up(world, first.desired);
          for (const [kind, at, refreshed] of drifts) {
            DRIFTS[kind]?.(world, at);
            if (refreshed) world.remember();
          }
          const { desired } = expanded(policy(5 + move), first.checked);
          up(world, desired);
          const second = up(world, desired);
          const third = up(world, desired);
          assert.equal(third.steps, 0, "converges");
          if (third.errors.length > 0 || second.errors.length > 0) return;
          const live = Object.entries(desired.partitions).filter(([, { tier }]) => tier === "live");
          for (const [name] of live) assert(world.attached().includes(name), `${name} is attached`);
        },
      ),
      { numRuns: 300 },
    );
  });

  it("put each single change right without anything in the way", () => {
    const policy: Raw = {
      table: "t",
      partitionBy: { range: { column: "at", type: "date", every: "month" } },
      window: { from: "2026-01", ahead: 2 },
      asOf: "2026-03",
    };
    for (const [kind, change] of Object.entries(DRIFTS)) {
      const { desired } = expanded(policy);
      const world = new World(desired);
      up(world, desired);
      change(world, 1);
      assert(difference(desired.partitions, recorded(world, desired)).length > 0 || kind === "move", kind);
      const repaired = up(world, desired);
      assert.deepEqual(repaired.errors, [], kind);
      assert(repaired.steps > 0, kind);
      assert.deepEqual(up(world, desired), { steps: 0, errors: [] }, kind);
      assert.deepEqual(difference(desired.partitions, recorded(world, desired)), [], kind);
    }
  });
});
