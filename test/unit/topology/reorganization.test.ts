import assert from "node:assert/strict";
import type { Reorganization } from "../../../topology/model";
import { reorganizationId } from "../../../topology/reorganization";

const SPLIT: Reorganization = {
  sources: [{ schema: "s", name: "y", oid: 7, bound: { from: "0", to: "20" } }],
  targets: [
    { name: "a", bound: { from: "0", to: "10" } },
    { name: "b", bound: { from: "10", to: "20" } },
  ],
};

describe("the id of a reorganization", () => {
  const id = reorganizationId(1, SPLIT);

  it("is the same whatever the order and the names of sources", () => {
    const again = {
      sources: SPLIT.sources.map((source) => ({ ...source, name: "renamed", rows: 5 })),
      targets: [...SPLIT.targets].reverse(),
    };
    assert.equal(reorganizationId(1, again), id);
    assert.match(id, /^[0-9a-f]{12}$/);
  });

  it("is another one for another parent, source, bound or target", () => {
    const [source] = SPLIT.sources;
    assert.ok(source);
    const others: [number, Reorganization][] = [
      [2, SPLIT],
      [1, { ...SPLIT, sources: [{ ...source, oid: 8 }] }],
      [1, { ...SPLIT, sources: [{ ...source, bound: { from: "0", to: "30" } }] }],
      [1, { ...SPLIT, targets: SPLIT.targets.slice(1) }],
    ];
    assert.equal(new Set([id, ...others.map(([parent, one]) => reorganizationId(parent, one))]).size, 5);
  });
});
