import assert from "node:assert/strict";
import { expand } from "../../../topology/policy";

/** What an import reports: the partitions one by one, and no policy. */
const LISTED = {
  list: { table: "t", partitionBy: { list: { column: "k", type: "text" } }, partitions: { t_a: { values: ["a"] } } },
  hash: {
    table: "t",
    partitionBy: { hash: { columns: ["k"] } },
    partitions: { t_0: { modulus: 2, remainder: 0 }, t_1: { modulus: 2, remainder: 1 } },
  },
};

describe("a set whose partitions are listed one by one", () => {
  it("needs no policy, by LIST or by HASH", () => {
    for (const [strategy, inputs] of Object.entries(LISTED)) {
      const { desired, failures } = expand(inputs);
      assert.deepEqual(failures, [], strategy);
      assert.deepEqual(Object.keys(desired?.partitions ?? {}), Object.keys(inputs.partitions), strategy);
    }
  });

  it("gives its checked inputs again when they are checked again", () => {
    for (const [strategy, inputs] of Object.entries(LISTED)) {
      const { checked } = expand(inputs);
      assert.deepEqual(expand(checked).checked, checked, strategy);
    }
  });

  it("is refused when it lists none and has no policy either, under the policy's path", () => {
    const failuresOf = (partitionBy: unknown) =>
      expand({ table: "t", partitionBy }).failures.map(({ property }) => property);
    assert.deepEqual(failuresOf({ list: { column: "k" } }), ["partitionBy.list.values"]);
    assert.deepEqual(failuresOf({ hash: { columns: ["k"] } }), ["partitionBy.hash.partitions"]);
  });
});
