/** Names of the parts of an index. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { partNames, replacementName } from "../../../topology/index/names";

const name = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 40 })
  .filter((text) => Buffer.byteLength(text) <= 63);

describe("names of an index's parts", () => {
  it("put the partition's name in the place of the table's", () => {
    assert.equal(
      partNames("events_user_idx", "events", { schema: "s", name: "events_2026_01" })[0],
      "events_2026_01_user_idx",
    );
    assert.equal(partNames("by_user", "events", { schema: "s", name: "events_2026_01" })[0], "events_2026_01_by_user");
  });

  it("fit into 63 bytes and are whole characters", () => {
    fc.assert(
      fc.property(name, name, name, (index, table, partition) => {
        const names = [...partNames(index, table, { schema: "s", name: partition }), replacementName(index)];
        for (const candidate of names) {
          assert.ok(Buffer.byteLength(candidate) <= 63, candidate);
          assert.ok(!candidate.includes("\uFFFD") || index.includes("\uFFFD") || partition.includes("\uFFFD"));
        }
      }),
    );
  });

  it("of two parts share the first at most", () => {
    fc.assert(
      fc.property(name, name, name, name, (one, other, first, second) => {
        fc.pre(one !== other || first !== second);
        const [a, b] = [
          partNames(one, "t", { schema: "s", name: first }),
          partNames(other, "t", { schema: "s", name: second }),
        ];
        const later = new Set(a.slice(-4));
        assert.ok(!b.slice(-4).some((candidate) => later.has(candidate)));
      }),
    );
  });

  it("are the same in every run", () => {
    const long = "a".repeat(63);
    assert.deepEqual(
      partNames(long, "t", { schema: "s", name: long }),
      partNames(long, "t", { schema: "s", name: long }),
    );
  });
});
