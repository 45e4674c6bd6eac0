/** What a Partition makes of the outputs of its set of one. */
import assert from "node:assert/strict";
import { diffPartition } from "../../../provider/partition/diff";
import { outputsFromSet } from "../../../provider/partition/state";
import type { Properties } from "../../../provider/values";
import { checkPartition, setOfOne } from "../../../topology/onePartition";

const inputs = checkPartition({ table: "events", name: "june", bound: { from: "2026-06", to: "2026-07-01" } }).checked;
const { partition } = checkPartition({ ...inputs, bound: { from: "2026-06-01", to: "2026-07-01" } });
const key = { range: { column: "at", type: "timestamptz" } };
const { desired } = setOfOne(partition!, key);
const bound = { from: "2026-06-01 00:00:00+00", to: "2026-07-01 00:00:00+00" };

function driftOf(partitions: Properties, oids: Properties): unknown[] {
  const checked = { ...inputs, bound: partition!.bound };
  const olds = outputsFromSet(checked, desired!, { partitions, oids, identity: undefined });
  return diffPartition({ id: "", olds, oldInputs: checked, news: checked }).differences.map(({ path }) => path);
}

describe("outputs of a Partition", () => {
  it("have no drift when the bound is the declared one in PostgreSQL's spelling", () => {
    assert.deepEqual(driftOf({ june: { ...bound, tier: "live" } }, { june: 7 }), []);
  });

  const cases: Record<string, [Properties, Properties, string[]]> = {
    detached: [{ june: { ...bound, tier: "detached" } }, { june: 7 }, ["tier"]],
    gone: [{}, {}, ["tier"]],
    renamed: [{ juni: { ...bound, tier: "live" } }, { june: 7, juni: 7 }, ["name"]],
    "in another schema": [
      { "other.june": { ...bound, tier: "live", schema: "other" } },
      { june: 7, "other.june": 7 },
      ["partitionSchema"],
    ],
    "with another bound": [{ june: { ...bound, to: "2026-08-01 00:00:00+00", tier: "live" } }, { june: 7 }, ["bound"]],
    "with another owner": [
      { june: { ...bound, tier: "live", differs: { owner: "x" } } },
      { june: 7 },
      ["differs.owner"],
    ],
  };
  for (const [what, [partitions, oids, expected]] of Object.entries(cases)) {
    it(`show drift of a partition that is ${what}`, () => assert.deepEqual(driftOf(partitions, oids), expected));
  }

  it("leave other partitions out", () => {
    const other = { values: ["x"], tier: "live" };
    const checked = { ...inputs, bound: partition!.bound };
    const set = { partitions: { june: { ...bound, tier: "live" }, other }, oids: { june: 7, other: 8 } };
    const { partitions, oids } = outputsFromSet(checked, desired!, set);
    assert.deepEqual([Object.keys(partitions as object), oids], [["june"], { june: 7 }]);
  });
});

describe("inputs of a Partition", () => {
  const failures = (over: object) =>
    checkPartition({ table: "t", name: "p", bound: { values: [1] }, ...over }).failures;

  it("take one form of bound", () => {
    for (const bad of [{}, { from: "1" }, { values: [1], default: true }, { default: false }, { modulus: 4 }]) {
      assert.deepEqual(
        failures({ bound: bad }).map(({ property }) => property),
        ["bound"],
        JSON.stringify(bad),
      );
    }
    for (const good of [{ values: [null] }, { from: 1, to: ["2"] }, { modulus: 4, remainder: 0 }, { default: true }]) {
      assert.deepEqual(failures({ bound: good }), [], JSON.stringify(good));
    }
  });

  it("are refused under their own paths where the bound does not fit the parent's key", () => {
    const { failures: found } = setOfOne({ ...partition!, bound: { from: "x", to: "2026-07-01" } }, key);
    assert.deepEqual(
      found.map(({ property }) => property),
      ["bound.from"],
    );
  });
});
