/** Random trees of policies against a catalog in memory: every plan leads to what is declared, and then to nothing more. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { boundsOverlap } from "../../../topology/bounds";
import { difference } from "../../../topology/difference";
import { levelKey, partitionKey } from "../../../topology/level";
import type {
  ActualLevel,
  ActualPartition,
  ActualSet,
  DesiredSet,
  KnownOids,
  NewLevel,
  PartitionBound,
  PartitionKey,
} from "../../../topology/model";
import { plan } from "../../../topology/plan";
import { expand } from "../../../topology/policy";
import type { Step } from "../../../topology/steps";
import type { Raw } from "./inputs";

const ROOT = 1;

interface Table {
  oid: number;
  name: string;
  /** Undefined: detached. */
  parent?: number;
  /** Its last bound and parent, which the state remembers. */
  bound: PartitionBound;
  of: number;
  divided?: PartitionKey;
}

/** PostgreSQL's rules about trees, as far as plans meet them. */
class Trees {
  tables: Table[] = [];
  known: KnownOids = {};
  private next = 100;

  constructor(private readonly desired: DesiredSet) {}

  below(parent: number): Table[] {
    return this.tables.filter((table) => table.parent === parent);
  }

  private make(name: string, bound: PartitionBound, parent: number, level?: NewLevel): void {
    assert(!this.tables.some((table) => table.name === name), `${name} is free`);
    const oid = this.next++;
    const divided = level && partitionKey({ ...level, keyTypes: [] });
    this.tables.push({ oid, name, bound, of: parent, ...(divided && { divided }) });
    for (const inside of level?.partitions ?? []) this.make(inside.name, inside.bound, oid, inside.level);
    this.attach(oid, parent, bound);
  }

  private attach(oid: number, parent: number, bound: PartitionBound): void {
    for (const other of this.below(parent)) assert(!boundsOverlap(other.bound, bound), `${other.name} is in the way`);
    Object.assign(this.byOid(oid), { parent, of: parent, bound });
  }

  byOid(oid: number | undefined): Table {
    const table = this.tables.find((one) => one.oid === oid);
    assert(table, `the relation ${oid} is there`);
    return table;
  }

  drop({ oid }: Table): void {
    for (const inside of this.below(oid)) this.drop(inside);
    this.tables = this.tables.filter((table) => table.oid !== oid);
  }

  apply(steps: Step[]): void {
    const done = new Set<string>();
    for (const step of steps) {
      for (const id of step.after) assert(done.has(id), `${step.id} comes after ${id}`);
      if (step.under !== undefined) this.checkUnder(step.under, step, steps);
      this.carryOut(step, step.under?.oid ?? ROOT);
      assert(!done.has(step.id), step.id);
      done.add(step.id);
    }
  }

  /** The table is there under its name, and what gives it name and place in this plan comes first, whatever fails. */
  private checkUnder(under: NonNullable<Step["under"]>, step: Step, steps: Step[]): void {
    assert.equal(this.byOid(under.oid).name, under.name);
    for (const { id, oid } of steps) if (oid === under.oid) assert(step.after.includes(id), `${step.id} follows ${id}`);
  }

  private carryOut(step: Step, parent: number): void {
    const { kind, oid, bound, partition, level } = step;
    if (kind === "create" && bound) {
      this.make(partition, bound, parent, level);
      return;
    }
    const table = this.byOid(oid);
    if (kind === "attach" && bound) {
      assert.equal(table.parent, undefined);
      this.attach(table.oid, parent, bound);
    } else if (kind === "rename") table.name = partition;
    else if (kind === "detach") {
      assert.equal(table.parent, parent, `${table.name} is detached from its own table`);
      table.parent = undefined;
    } else if (kind === "drop") {
      assert.equal(table.parent, undefined);
      this.drop(table);
    } else assert.fail(`${step.id} was not expected`);
  }

  remember(): void {
    const isKnown = ({ oid, parent }: Table) => parent !== undefined || Object.values(this.known).includes(oid);
    this.known = Object.fromEntries(this.tables.filter(isKnown).map(({ name, oid }) => [name, oid]));
  }

  actual(): ActualSet {
    const { schema, table: name, strategy, keyColumns, keyTypes } = this.desired;
    const key = { strategy, keyColumns, keyTypes: keyTypes ?? [] };
    const { children, detached, ...level } = this.level(ROOT, key);
    return { source: "catalog", parent: { schema, name, oid: ROOT, ...level }, children, detached, strangers: [] };
  }

  private level(of: number, key: Pick<ActualLevel, "strategy" | "keyColumns" | "keyTypes">): ActualLevel {
    const oids = new Set(this.tables.map(({ oid }) => oid));
    const isLost = (table: Table) => of === ROOT && !oids.has(table.of);
    const known = new Set(Object.values(this.known));
    const loose = this.tables.filter((table) => table.parent === undefined && known.has(table.oid));
    const children = this.below(of).map((table) => this.partition(table, "live"));
    const fallback = children.find(({ bound }) => "default" in bound);
    return {
      ...key,
      references: [],
      referencedBy: [],
      children,
      detached: loose
        .filter((table) => table.of === of || isLost(table))
        .map((table) => this.partition(table, "detached")),
      ...(fallback && { defaultPartition: { ...fallback, bytes: 0 } }),
    };
  }

  private partition({ oid, name, bound, divided }: Table, state: ActualPartition["state"]): ActualPartition {
    const level = divided && this.level(oid, levelKey(divided));
    return { oid, schema: "public", name, bound, state, relkind: divided ? "p" : "r", ...(level && { level }) };
  }

  /** What Read would record. */
  recorded({ children, detached }: Pick<ActualLevel, "children" | "detached"> = this.actual()): Raw {
    return Object.fromEntries(
      [...children, ...detached].map(({ name, bound, state, level }) => [
        name,
        {
          ...bound,
          tier: state,
          ...(level && {
            partitionBy: partitionKey({ ...level, keyColumns: level.keyColumns.map(String) }),
            partitions: this.recorded(level),
          }),
        },
      ]),
    );
  }
}

/** A level at a month of its life; `column` makes its key differ from those above. */
type Level = (month: number, column: string) => Raw;

const months: fc.Arbitrary<Level> = fc
  .record({
    ahead: fc.integer({ min: 0, max: 2 }),
    detached: fc.integer({ min: 0, max: 2 }),
    gone: fc.integer({ min: 3, max: 4 }),
  })
  .map(({ ahead, detached, gone }) => (month, column) => ({
    partitionBy: { range: { column, type: "date", every: "month" } },
    window: { from: "2026-01", ahead },
    asOf: new Date(Date.UTC(2026, month, 9)).toISOString().slice(0, 10),
    lifecycle: [
      { after: `${detached} months`, tier: "detached" },
      { after: `${gone} months`, tier: "dropped" },
    ],
  }));

const lists: fc.Arbitrary<Level> = fc.boolean().map((defaultPartition) => (_, column) => ({
  partitionBy: { list: { column, type: "text", values: { a: ["x", "y"], b: ["z"] } } },
  defaultPartition,
}));

const hashes: fc.Arbitrary<Level> = fc
  .integer({ min: 1, max: 3 })
  .map((partitions) => (_, column) => ({ partitionBy: { hash: { columns: [column], partitions } } }));

const levels = fc.array(fc.oneof(months, lists, hashes), { minLength: 2, maxLength: 3 });

function policyAt(tree: readonly Level[], month: number): Raw {
  const nested = tree
    .map((level, depth) => level(month, `k${depth}`))
    .reduceRight((below, level) => ({ ...level, subPartitionBy: below }));
  return { table: "t", ...nested };
}

/** Plans and carries out; gives back what there was to do and what stood in the way. */
function up(world: Trees, desired: DesiredSet): { steps: string[]; errors: string[] } {
  const made = plan(desired, world.actual(), world.known);
  world.apply(made.steps);
  world.remember();
  const errors = made.findings.filter(({ severity }) => severity === "error").map(({ reason }) => reason);
  return { steps: made.steps.map(({ id }) => id), errors };
}

function expanded(raw: Raw, old?: Raw): { desired: DesiredSet; checked: Raw } {
  const { desired, checked, failures } = expand(raw, old);
  assert.deepEqual(failures, []);
  assert(desired);
  return { desired, checked };
}

const NOTHING = { steps: [], errors: [] };

describe("plans of trees carried out", () => {
  it("make the declared tree, roll it forward on every level, and then have nothing to do", () => {
    const moves = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(levels, moves, (tree, steps) => {
        let month = 1;
        let old: Raw | undefined;
        let world: Trees | undefined;
        for (const move of [0, ...steps]) {
          month += move;
          const { desired, checked } = expanded(policyAt(tree, month), old);
          world ??= new Trees(desired);
          assert.deepEqual(up(world, desired).errors, []);
          assert.deepEqual(up(world, desired), NOTHING);
          assert.deepEqual(difference(desired.partitions, world.recorded() as never, desired), []);
          old = checked;
        }
      }),
      { numRuns: 100 },
    );
  });

  it("give up what is older than a level keeps, even when the run that should have done it never came", () => {
    const months = {
      partitionBy: { range: { column: "at", type: "date", every: "month" } },
      window: { from: "2026-01", ahead: 0 },
    };
    const policy = (asOf: string): Raw => ({
      table: "t",
      partitionBy: { list: { column: "r", type: "text", values: { a: ["a"] } } },
      asOf,
      subPartitionBy: { ...months, lifecycle: [{ after: "1 months", tier: "dropped" }] },
    });
    const first = expanded(policy("2026-02"));
    const world = new Trees(first.desired);
    up(world, first.desired);
    const missed = expanded(policy("2026-04"), first.checked);
    const { desired } = expanded(policy("2026-05"), missed.checked);
    const shown = difference(desired.partitions, world.recorded() as never, desired);
    assert.deepEqual(
      shown.filter(({ kind }) => kind === "delete").map(({ path }) => path.join(".")),
      ["partitions.t_a.partitions.t_a_2026_01", "partitions.t_a.partitions.t_a_2026_02"],
    );
    assert.deepEqual(
      up(world, desired).steps.filter((id) => id.startsWith("drop")),
      ["drop:t_a_2026_01", "drop:t_a_2026_02"],
    );
    assert.deepEqual(up(world, desired), NOTHING);
  });

  it("put right what was dropped, detached or renamed by hand on any level, or say what stands in the way", () => {
    const drift = fc.tuple(fc.constantFrom("drop", "detach", "rename"), fc.nat({ max: 60 }), fc.boolean());
    fc.assert(
      fc.property(levels, fc.array(drift, { minLength: 1, maxLength: 3 }), (tree, drifts) => {
        const { desired } = expanded(policyAt(tree, 2));
        const world = new Trees(desired);
        up(world, desired);
        for (const [kind, at, refreshed] of drifts) {
          const table = world.tables[at % world.tables.length];
          if (table === undefined) continue;
          if (kind === "drop") world.drop(table);
          else if (kind === "detach") table.parent = undefined;
          else table.name = `renamed_${table.oid}`;
          if (refreshed) world.remember();
        }
        up(world, desired);
        const second = up(world, desired);
        const third = up(world, desired);
        assert.deepEqual(third.steps, [], "converges");
        if (second.errors.length > 0 || third.errors.length > 0) return;
        assert.deepEqual(difference(desired.partitions, world.recorded() as never, desired), []);
      }),
      { numRuns: 200 },
    );
  });
});
