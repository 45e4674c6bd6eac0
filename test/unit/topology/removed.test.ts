import assert from "node:assert/strict";
import { expand } from "../../../topology/policy";
import { failure, monthly, partitionsOf, type Raw } from "./inputs";

const groups = (values: Raw, more: Raw = {}): Raw => ({
  schema: "app",
  table: "o",
  partitionBy: { list: { column: "r", values } },
  ...more,
});

const BOTH = { eu: ["de", "fr"], us: ["us"] };

/** What is declared after each of the programs, each checked against the one before. */
function checkedAfter(...programs: Raw[]): Raw {
  let checked: Raw = {};
  for (const program of programs) checked = expand(program, checked).checked;
  return checked.partitions as Raw;
}

describe("a LIST partition that the program leaves out", () => {
  const gone = (removed: string) => groups({ us: ["us"] }, { removed });
  const us = { values: ["us"], tier: "live" };

  it("stays in the map with the tier that the level says, by default it does not", () => {
    assert.deepEqual(checkedAfter(groups(BOTH), groups({ us: ["us"] })), { o_us: us });
    assert.deepEqual(checkedAfter(groups(BOTH), gone("live")), { o_us: us });
    for (const tier of ["detached", "dropped"])
      assert.deepEqual(checkedAfter(groups(BOTH), gone(tier)), {
        o_eu: { values: ["de", "fr"], tier, removed: true },
        o_us: us,
      });
  });

  it("stays there as long as it is left out, in case its step has failed, and follows a change of mind", () => {
    const dropped = { values: ["de", "fr"], tier: "dropped", removed: true };
    assert.deepEqual(checkedAfter(groups(BOTH), gone("dropped"), gone("dropped")), { o_eu: dropped, o_us: us });
    assert.deepEqual(checkedAfter(groups(BOTH), gone("dropped"), gone("live")), { o_us: us });
    assert.deepEqual(checkedAfter(groups(BOTH), gone("dropped"), groups(BOTH, { removed: "dropped" })), {
      o_eu: { values: ["de", "fr"], tier: "live" },
      o_us: us,
    });
  });

  it("gives up no value that another partition takes", () => {
    const moved = groups({ us: ["us", "fr", "de"] }, { removed: "dropped" });
    assert.deepEqual(Object.keys(checkedAfter(groups(BOTH), moved)), ["o_us"]);
    const half = checkedAfter(groups(BOTH), groups({ us: ["us", "fr"] }, { removed: "dropped" }));
    assert.deepEqual(half.o_eu, { values: ["de"], tier: "dropped", removed: true });
    const renamed = groups({ europe: ["de", "fr"], us: ["us"] }, { removed: "dropped" });
    assert.deepEqual(Object.keys(checkedAfter(groups(BOTH), renamed)), ["o_europe", "o_us"]);
  });

  it("is another table's, or was never live, and then says nothing", () => {
    assert.deepEqual(checkedAfter(groups(BOTH), groups({}, { table: "p", removed: "dropped", partitions: {} })), {});
    assert.deepEqual(checkedAfter(groups(BOTH), groups({}, { schema: "b", removed: "dropped", partitions: {} })), {});
    const listed = groups({ us: ["us"] }, { partitions: { o_eu: { values: ["de"], tier: "detached" } } });
    assert.deepEqual(checkedAfter(listed, gone("dropped")), { o_us: us });
  });

  it("leaves on the level below as its own policy says", () => {
    const months = (values: Raw, removed: string): Raw => ({
      ...monthly({ window: { from: "2026-11", ahead: 0 } }),
      subPartitionBy: { partitionBy: { list: { column: "r", values } }, removed },
    });
    const { events_2026_11: month } = checkedAfter(months(BOTH, "live"), months({ us: ["us"] }, "detached")) as Record<
      string,
      { partitions: Raw }
    >;
    assert.deepEqual(month?.partitions, {
      events_2026_11_eu: { values: ["de", "fr"], tier: "detached", removed: true },
      events_2026_11_us: us,
    });
  });

  it("is for LIST only", () => {
    assert.equal(failure(monthly({ removed: "dropped" })), "removed: is for LIST policies, not RANGE");
    assert.equal(Object.keys(partitionsOf(groups(BOTH, { removed: "dropped" }))).length, 2);
  });
});
