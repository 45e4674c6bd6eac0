import assert from "node:assert/strict";
import { difference } from "../../../topology/difference";
import type { DesiredPartition } from "../../../topology/model";
import { expand } from "../../../topology/policy";
import type { Raw } from "./inputs";

const regions = (more: Raw = {}): Raw => ({
  schema: "app",
  table: "o",
  partitionBy: { list: { column: "r", values: { eu: ["de", "fr"], us: ["us"] } } },
  ...more,
});

const hash: Raw = { partitionBy: { hash: { columns: ["id"], partitions: 2 } } };
const months: Raw = {
  partitionBy: { range: { column: "at", type: "date", every: "month" } },
  window: { from: "2026-01", ahead: 0 },
  asOf: "2026-01-05",
};

/** What is declared after each of the programs, each checked against the one before. */
function checkedAfter(...programs: Raw[]): Record<string, DesiredPartition> {
  let checked: Raw = {};
  for (const program of programs) checked = expand(program, checked).checked;
  return checked.partitions as Record<string, DesiredPartition>;
}

/** Names of the partitions of a level that are declared to be undivided. */
const leaves = (partitions: Record<string, DesiredPartition> = {}) =>
  Object.keys(partitions).filter((name) => partitions[name]?.leaf);

const divided = regions({ subPartitionBy: hash });

describe("a partition that is not divided any more", () => {
  it("is declared to be one table, and stays so, in case its step has failed", () => {
    assert.deepEqual(leaves(checkedAfter(regions())), [], "nothing says who has divided it");
    assert.deepEqual(leaves(checkedAfter(divided, regions())), ["o_eu", "o_us"]);
    assert.deepEqual(leaves(checkedAfter(divided, regions(), regions())), ["o_eu", "o_us"]);
    assert.deepEqual(leaves(checkedAfter(divided, regions(), divided)), []);
  });

  it("is known by its bound when it gets another name with it", () => {
    const naming = "{table}_of_{value}";
    assert.deepEqual(leaves(checkedAfter(divided, regions({ naming }))), ["o_of_eu", "o_of_us"]);
  });

  it("is another one than those that are new, of another table, or not live", () => {
    const more = regions({ partitions: { o_asia: { values: ["jp"] }, o_us: { values: ["us"], tier: "detached" } } });
    assert.deepEqual(leaves(checkedAfter(divided, more)), ["o_eu"]);
    assert.deepEqual(leaves(checkedAfter(divided, regions({ schema: "other" }))), []);
  });

  it("is found on each level", () => {
    const three = regions({ subPartitionBy: { ...months, subPartitionBy: hash } });
    const { o_eu } = checkedAfter(three, regions({ subPartitionBy: months }));
    assert.equal(o_eu?.leaf, undefined);
    assert.deepEqual(leaves(o_eu?.partitions), ["o_eu_2026_01"]);
    assert.deepEqual(leaves(checkedAfter(three, regions())), ["o_eu", "o_us"]);
    assert.deepEqual(leaves(checkedAfter(three, regions({ subPartitionBy: hash })).o_eu?.partitions), []);
  });

  it("is what an entry says, who takes its own partitions away, or says that others may have divided it", () => {
    const entry = (says: Raw) => ({ partitions: { o_eu: { values: ["de", "fr"], ...says } } });
    const own = entry({ ...hash, partitions: { o_eu_0: { modulus: 1, remainder: 0 } } });
    assert.deepEqual(leaves(checkedAfter(regions(own), regions(entry({})))), ["o_eu"]);
    assert.deepEqual(leaves(checkedAfter(regions(entry({ leaf: true })))), ["o_eu"]);
    assert.deepEqual(leaves(checkedAfter(divided, regions(entry({ leaf: false })))), ["o_us"]);
  });

  it("is one line of the diff while there is something below it", () => {
    const before = checkedAfter(divided);
    const after = checkedAfter(divided, regions());
    assert.deepEqual(
      difference(after, before as never).map(({ path, kind }) => `${kind} ${path.join(".")}`),
      ["delete partitions.o_eu.partitionBy", "delete partitions.o_us.partitionBy"],
    );
    assert.deepEqual(difference(after, checkedAfter(regions()) as never), []);
  });
});
