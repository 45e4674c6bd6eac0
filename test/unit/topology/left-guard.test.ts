/** The CHECK with which a killed run has kept rows of coming partitions out of DEFAULT. */
import assert from "node:assert/strict";
import { GUARD_DEFAULT_BYTES, plan } from "../../../topology/plan";
import { AB, desiredOf, type Spec, worldOf } from "./sets";

describe("a CHECK that an interrupted run has left on DEFAULT", () => {
  const steps = (wanted: Spec, bytes: number, guarded: boolean) => {
    const there: Spec = { ...AB, rest: "default" };
    const world = worldOf(desiredOf(there), there);
    const { parent, ...actual } = world.actual();
    const fallback = actual.children.find(({ name }) => name === "rest");
    assert.ok(parent !== undefined && fallback !== undefined);
    const defaultPartition = { schema: fallback.schema, name: fallback.name, oid: fallback.oid, bytes, guarded };
    return plan(desiredOf(wanted), { ...actual, parent: { ...parent, defaultPartition } }, {}).steps.map(
      ({ id }) => id,
    );
  };
  const same: Spec = { ...AB, rest: "default" };
  const more: Spec = { ...same, c: ["20", "30"] };

  it("is taken away although nothing else is to be done", () => {
    assert.deepEqual(steps(same, 0, true), ["unguardDefault:rest"]);
    assert.deepEqual(steps(same, 0, false), []);
  });

  it("is taken away after partitions are made, and made anew when they need one", () => {
    assert.deepEqual(steps(more, 0, true), ["create:c", "unguardDefault:rest"]);
    assert.deepEqual(steps(more, GUARD_DEFAULT_BYTES + 1, true), [
      "guardDefault:rest",
      "create:c",
      "unguardDefault:rest",
    ]);
  });
});
