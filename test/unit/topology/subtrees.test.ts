/** Plans for rows that change tables between partitions that are partitioned themselves. */
import assert from "node:assert/strict";
import { boundOf } from "../../../topology/level";
import type { ActualPartition, DesiredPartition, DesiredSet, PartitionBound } from "../../../topology/model";
import type { Plan } from "../../../topology/steps";
import { type Division, dividedAs } from "./division";
import { World } from "./world";

type Bounds = Record<string, [from: string, to: string] | "default">;

const boundFor = (bound: Bounds[string]): PartitionBound =>
  bound === "default" ? { default: true } : { from: bound[0], to: bound[1] };

function setOf(bounds: Bounds, division?: Division, more: Partial<DesiredSet> = {}): DesiredSet {
  const entries = Object.entries(bounds).map(([name, bound]): [string, DesiredPartition] => [
    name,
    { ...boundFor(bound), tier: "live", ...(division && dividedAs(division, name)) },
  ]);
  return {
    schema: "app",
    table: "t",
    strategy: "range",
    keyColumns: ["k"],
    keyTypes: ["integer"],
    partitions: Object.fromEntries(entries),
    unmanaged: "report",
    adopt: [],
    ...more,
  };
}

/** The same as one table each. */
function undivided(bounds: Bounds, more: Partial<DesiredSet> = {}): DesiredSet {
  const set = setOf(bounds, undefined, more);
  const entries = Object.entries(set.partitions).map(([name, entry]): [string, DesiredPartition] => [
    name,
    { ...entry, leaf: true },
  ]);
  return { ...set, partitions: Object.fromEntries(entries) };
}

/** A world that is as declared, with rows. */
function worldOf(desired: DesiredSet, keys: number[] = [1, 11]): World {
  const world = new World(desired);
  for (const [name, { partitions, ...entry }] of Object.entries(desired.partitions)) {
    const table = world.add(name, boundOf(entry));
    const inside = Object.entries(partitions ?? {}).map(([inner, one]) => ({ name: inner, bound: boundOf(one) }));
    if (inside.length > 0) world.divide(table, inside);
  }
  world.remember();
  for (const key of keys) assert(world.insert(String(key)));
  return world;
}

const ids = ({ steps }: Plan) => steps.map(({ id, method }) => `${id} ${method}`);
const reasons = ({ findings }: Plan) => findings.map(({ severity, path, reason }) => `${severity} ${path}: ${reason}`);

const YEAR: Bounds = { year: ["0", "20"] };
const HALVES: Bounds = { a: ["0", "10"], b: ["10", "20"] };

/** The inside of a child as somebody has changed it. */
function changed(world: World, change: (child: ActualPartition) => void): World {
  const actual = world.actual();
  for (const child of actual.children) change(child);
  world.actual = () => actual;
  return world;
}

describe("a plan for partitions that are partitioned themselves", () => {
  it("says what is below each source, and what is made below each target", () => {
    const desired = setOf(HALVES, "list");
    const [step] = worldOf(setOf(YEAR, "hash")).plan(desired).steps;
    assert(step?.reorganization);
    const { sources, targets } = step.reorganization;
    assert.deepEqual(
      sources.map(({ name, below }) => [name, below?.map((inner) => [inner.name, inner.leaf])]),
      [
        [
          "year",
          [
            ["year_h0", true],
            ["year_h1", true],
          ],
        ],
      ],
    );
    assert.deepEqual(
      targets.map(({ name, level }) => [name, level?.strategy, level?.partitions.map((inner) => inner.name)]),
      [
        ["a", "list", ["a_a", "a_rest"]],
        ["b", "list", ["b_a", "b_rest"]],
      ],
    );
  });

  it("divides a table in its place, and gives it another key", () => {
    const desired = setOf(YEAR, "hash");
    for (const before of [undefined, "list"] as const) {
      const made = worldOf(setOf(YEAR, before)).plan(desired);
      assert.deepEqual(ids(made), ["reorganize:year moveInOneTransaction"]);
      assert.match(
        made.steps[0]!.reason,
        before === undefined
          ? /^app\.year is an undivided table, but is declared as partitioned by HASH \(i\); small enough/
          : /^app\.year is partitioned by LIST \(j\), but is declared as partitioned by HASH \(i\); small enough/,
      );
    }
  });

  it("makes one table of what was declared as divided, and is not any more", () => {
    for (const before of ["hash", "list"] as const) {
      const world = worldOf(setOf(YEAR, before));
      const made = world.up(undivided(YEAR));
      assert.deepEqual(ids(made), ["reorganize:year moveInOneTransaction"]);
      assert.match(
        made.steps[0]!.reason,
        /^app\.year is partitioned by (HASH|LIST) \([ij]\), but is declared as an undivided table; small enough/,
      );
      assert.deepEqual(ids(world.plan(undivided(YEAR))), []);
    }
  });

  it("moves rows at the same time when the bounds are others, too", () => {
    const wider = undivided({ year: ["0", "30"] });
    assert.deepEqual(ids(worldOf(setOf(YEAR, "hash")).plan(wider)), ["reorganize:year moveInOneTransaction"]);
  });

  it("makes one table of a divided DEFAULT by a copy: in one transaction it would keep its table", () => {
    const bounds: Bounds = { ...YEAR, rest: "default" };
    const made = worldOf(setOf(bounds, "hash")).plan(undivided(bounds));
    assert.deepEqual(ids(made), ["reorganize:year moveInOneTransaction", "reorganize:rest copyAndSwap"]);
  });

  it("makes no table of divided ones when told not to move rows, or when others have partitions there", () => {
    const refused = worldOf(setOf(YEAR, "hash")).plan(undivided(YEAR, { reorganize: "refuse" }));
    assert.deepEqual(refused.steps, []);
    assert.match(
      reasons(refused)[0]!,
      /^error partitions\.year: .* reorganize is "refuse"\. .* or leave what is below it alone, partitions: \{"year": \{…, leaf: false\}\}/,
    );
    const another = changed(worldOf(setOf(YEAR, "list")), ({ level }) => {
      level!.children.push({ ...level!.children[0]!, oid: 7, name: "theirs", bound: { values: ["b"] } });
    });
    const made = another.plan(undivided(YEAR, { unmanaged: "ignore" }));
    assert.deepEqual(made.steps, []);
    assert.match(reasons(made)[0]!, /and app\.theirs is below it: unmanaged is "ignore"/);
  });

  it("makes one table of a divided one, and divides one, that comes back, after it is attached", () => {
    for (const [before, after] of [
      [setOf(YEAR, "hash"), undivided(YEAR)],
      [setOf(YEAR), setOf(YEAR, "hash")],
    ] as const) {
      const world = worldOf(before);
      world.detach(world.find("year")!);
      const made = world.plan(after);
      assert.deepEqual(ids(made), ["attach:year attach", "reorganize:year moveInOneTransaction"]);
      assert.deepEqual(
        made.steps.map(({ madeBy }) => madeBy),
        [undefined, "attach:year"],
      );
      assert.deepEqual(reasons(made), []);
      world.up(after);
      assert.deepEqual(ids(world.plan(after)), []);
    }
  });

  it("attaches what comes back and is divided otherwise, but moves no rows when told not to", () => {
    const world = worldOf(setOf(YEAR));
    world.detach(world.find("year")!);
    const made = world.plan(setOf(YEAR, "hash", { reorganize: "refuse" }));
    assert.deepEqual(ids(made), ["attach:year attach"]);
    assert.match(reasons(made)[0]!, /^error partitions\.year: .* reorganize is "refuse"/);
  });

  it("leaves partitions alone of which nothing was ever said", () => {
    const made = worldOf(setOf(YEAR, "hash")).plan(setOf(YEAR));
    assert.deepEqual(made.steps, []);
    assert.match(reasons(made)[0]!, /^warning partitions\.year: app\.year is itself partitioned by HASH \(i\)/);
  });

  it("copies a DEFAULT that is to be divided: in one transaction it would keep its table", () => {
    const bounds: Bounds = { ...YEAR, rest: "default" };
    const made = worldOf(setOf(bounds)).plan(setOf(bounds, "hash"));
    assert.deepEqual(ids(made), ["reorganize:year moveInOneTransaction", "reorganize:rest copyAndSwap"]);
    const taken = worldOf(setOf({ rest: "default" })).plan(setOf({ ...HALVES, rest: "default" }, "hash"));
    assert.deepEqual(ids(taken), ["reorganize:a copyAndSwap"]);
  });

  it("moves rows out of DEFAULT into a partition with partitions", () => {
    const desired = setOf({ ...HALVES, rest: "default" }, "hash");
    const made = worldOf(setOf({ rest: "default" }, "hash")).plan(desired);
    assert.deepEqual(ids(made), ["reorganize:a moveInOneTransaction"]);
  });

  it("divides nothing when told not to move rows, and says how to declare what is there", () => {
    const made = worldOf(setOf(YEAR)).plan(setOf(YEAR, "hash", { reorganize: "refuse" }));
    assert.deepEqual(made.steps, []);
    assert.match(
      reasons(made)[0]!,
      /^error partitions\.year: .* reorganize is "refuse"\. .* Declare it as it is, partitions: \{"year": \{…, leaf: true\}\}/,
    );
  });

  it("moves no rows of a subtree with a foreign table or with another owner's partition", () => {
    const foreign = changed(worldOf(setOf(YEAR, "hash")), ({ level }) => {
      level!.children[1]!.relkind = "f";
    });
    assert.match(
      reasons(foreign.plan(setOf(HALVES)))[0]!,
      /and app\.year_h1 is a foreign table: its rows are not moved/,
    );
    const another = changed(worldOf(setOf(YEAR, "list")), ({ level }) => {
      level!.children.push({ ...level!.children[0]!, oid: 7, name: "theirs", bound: { values: ["b"] } });
    });
    const made = another.plan(setOf(HALVES, "list", { unmanaged: "ignore" }));
    assert.deepEqual(made.steps, []);
    assert.match(reasons(made)[0]!, /and app\.theirs is below it: unmanaged is "ignore"/);
  });

  it("ends first what was interrupted below a source", () => {
    const world = changed(worldOf(setOf(YEAR, "hash")), ({ level }) => {
      level!.children[1]!.state = "pending";
    });
    const made = world.plan(setOf(HALVES, "hash"));
    assert.deepEqual(ids(made), ["finalizeDetach:year_h1 finalize", "reorganize:a moveInOneTransaction"]);
    const [finalize, move] = made.steps;
    assert.equal(finalize!.under?.name, "year");
    assert.deepEqual(move!.after, [finalize!.id]);
    assert.deepEqual(
      move!.reorganization!.sources[0]!.below!.map(({ name }) => name),
      ["year_h0"],
    );
  });

  it("does not take the place of a table that bears the name of a partition to be made, unless it gives way", () => {
    const world = worldOf(setOf(YEAR));
    world.add("a_h0");
    const desired = setOf(HALVES, "hash");
    const actual = world.actual();
    actual.strangers = [{ oid: 9, schema: "app", name: "a_h0", relkind: "r", rows: 0, bytes: 0, misfits: [] }];
    world.actual = () => actual;
    const made = world.plan(desired);
    assert.deepEqual(made.steps, []);
    assert.match(
      reasons(made)[0]!,
      /a is made with all its partitions, but app\.a_h0 stands in the place of one of them/,
    );
    const giving = worldOf(setOf({ a: ["0", "20"] }, "hash")).plan(desired);
    assert.deepEqual(ids(giving), ["reorganize:a moveInOneTransaction"]);
  });
});
