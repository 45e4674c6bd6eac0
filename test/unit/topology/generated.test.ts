/** Declared generation expressions: how they reach the map, the diff and the plan. */
import assert from "node:assert/strict";
import type { AttributeDifference } from "../../../topology/attributes";
import { difference } from "../../../topology/difference";
import { declaredAbove, ownExpressionsLost, withDeclaredExpressions } from "../../../topology/generated";
import { newLevel, setBelow } from "../../../topology/level";
import type { DesiredSet } from "../../../topology/model";
import { expand } from "../../../topology/policy";

const bound = { from: "0", to: "10" };
const inputs = (generated: unknown) => ({
  table: "p",
  partitionBy: { range: { column: "k", type: "integer" } },
  partitions: {
    a: {
      from: 0,
      to: 10,
      generated,
      partitionBy: { list: { column: "id", type: "integer" } },
      partitions: { a1: { values: [1], generated: { b: "y" } }, a2: { values: [2] } },
    },
  },
});

function declared(generated: unknown): DesiredSet {
  const { desired, failures } = expand(inputs(generated));
  assert.deepEqual(failures, []);
  assert.ok(desired);
  return desired;
}

const row = (found: string, more: Partial<AttributeDifference> = {}): AttributeDifference => ({
  attribute: "generatedColumns",
  column: "b",
  expected: "the parent's",
  found,
  obstacle: "stored",
  ...more,
});

const stored = { parameters: {}, tablespace: "", accessMethod: "", inherited: { tablespace: "", accessMethod: "" } };
const server = { expressions: { b: "the parent's" }, refused: [], unalterable: [] };

describe("generation expressions of a partition's own", () => {
  it("stand in the entry, and in what is made for it and below it", () => {
    const set = declared({ b: "x" });
    assert.deepEqual(set.partitions.a?.generated, { b: "x" });
    const inside = setBelow(set, "a");
    assert.deepEqual(inside?.generated, { b: "x" });
    const made = newLevel(set.partitions.a!, inside)?.partitions.map(({ name, generated }) => [name, generated]);
    assert.deepEqual(made, [
      ["a1", { b: "y" }],
      ["a2", undefined],
    ]);
  });

  it("are texts by column", () => {
    for (const [wrong, property] of [
      ["x", "partitions.a.generated"],
      [{ b: 1 }, "partitions.a.generated.b"],
    ] as const)
      assert.deepEqual(
        expand(inputs(wrong)).failures.map((one) => one.property),
        [property],
      );
  });

  it("are compared column by column with what the last update declared, of attached partitions only", () => {
    const now = { a: { ...bound, tier: "live" as const, generated: { b: "x", c: "z" } } };
    const before = { a: { ...bound, tier: "live", generated: { b: "w", d: "v" } } };
    assert.deepEqual(difference(now, before), [
      { path: ["partitions", "a", "generated", "b"], kind: "update" },
      { path: ["partitions", "a", "generated", "c"], kind: "add" },
      { path: ["partitions", "a", "generated", "d"], kind: "delete" },
    ]);
    const gone = { a: { ...now.a, tier: "detached" as const } };
    assert.deepEqual(difference(gone, { a: { ...before.a, tier: "detached" } }), []);
  });

  it("take the parent's place in the comparison, on every level", () => {
    const set = { ...declared({ b: "x" }), server };
    const found = (name: string, differences: AttributeDifference[], within: DesiredSet = set) =>
      withDeclaredExpressions(within, name, { relkind: "r", stored, differences }).map(
        (one) => `${one.found} instead of ${one.expected}${one.remake ? ", made anew" : ""}`,
      );
    assert.deepEqual(found("a", [row("x")]), []);
    assert.deepEqual(found("a", [row("w")]), ["w instead of x, made anew"]);
    assert.deepEqual(found("a", []), ["the parent's instead of x, made anew"]);
    assert.deepEqual(found("other", [row("w")]), ["w instead of the parent's"]);
    const inside = setBelow(set, "a");
    assert.ok(inside);
    assert.deepEqual(found("a2", [], inside), []);
    assert.deepEqual(found("a1", [], inside), ["x instead of y, made anew"]);
    assert.deepEqual(found("a2", [row("w")], inside), ["w instead of x, made anew"]);
  });

  it("are not compared where no server could be asked", () => {
    const unasked = { ...declared({ b: "x" }), server: { refused: [], unalterable: [] } };
    assert.deepEqual(withDeclaredExpressions(unasked, "a", { relkind: "r", stored, differences: [row("w")] }), []);
  });

  it("that a move would change are known, unless they are declared for what takes the rows", () => {
    const source = { differences: [row("w")] };
    assert.deepEqual(ownExpressionsLost(source, [{ generated: { b: "x" } }, {}]), ["b"]);
    assert.deepEqual(ownExpressionsLost(source, [{ generated: { b: "x" } }]), []);
    assert.deepEqual(declaredAbove({ generated: { b: "x", c: "z" } }, [source]), { b: "x" });
  });
});
