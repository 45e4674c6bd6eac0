import assert from "node:assert/strict";
import type { DesiredSet } from "../../../topology/model";
import { AB, desiredOf, ids, reasons, type Spec, settle, worldOf } from "./sets";
import type { World } from "./world";

/** A table of this name that is detached, or half detached. */
function without(world: World, name: string, how: "detached" | "pending"): void {
  const relation = world.find(name);
  assert(relation);
  if (how === "pending") relation.pending = true;
  else world.detach(relation);
}

function filled(desired: DesiredSet, spec: Spec, keys: string[]): World {
  const world = worldOf(desired, spec);
  for (const key of keys) assert(world.insert(key));
  return world;
}

const WARNING =
  "warning partitions.b: app.year is detached and holds rows of 10 … 20, which is declared to be in b; it was 0 … 30 before" +
  " that, and its rows are in no partition. Insert them into the table by hand, or drop it if they are not needed.";

describe("rows of tables that are no partitions any more", () => {
  const desired = desiredOf({ ...AB, c: ["20", "30"] });

  for (const how of ["detached", "pending"] as const) {
    it(`are reported where the program has them in partitions: ${how}`, () => {
      const world = filled(desired, { year: ["0", "30"] }, ["12"]);
      without(world, "year", how);
      assert.deepEqual(reasons(world.plan(desired)), [WARNING]);
      settle(desired, world);
      assert.deepEqual(reasons(world.plan(desired)), [WARNING], "until somebody has done something");
    });
  }

  it("are not missed when there are none", () => {
    const world = filled(desired, { year: ["0", "30"] }, []);
    without(world, "year", "detached");
    assert.deepEqual(reasons(settle(desired, world)), []);
  });

  it("are reported for a DEFAULT, too", () => {
    const world = filled(desired, { rest: "default" }, ["12"]);
    without(world, "rest", "detached");
    assert.match(reasons(world.plan(desired)).join(), /app.rest is detached and holds rows of 10 … 20/);
  });

  it("are reported where the program has them in DEFAULT, since it has no partition for them any more", () => {
    const withDefault = desiredOf({ a: ["0", "10"], rest: "default" });
    const world = filled(desiredOf({ ...AB, rest: "default" }), { ...AB, rest: "default" }, ["12"]);
    without(world, "b", "detached");
    const told = /app.b is detached and holds rows of 10 … 20, which is declared to be in rest/;
    assert.match(reasons(settle(withDefault, world)).join(), told);
    const left = desiredOf({ a: ["0", "10"], b: ["10", "20", "detached"], rest: "default" });
    assert.deepEqual(reasons(settle(left, world)), []);
  });

  it("are as declared in a partition whose tier is detached, and come back with one that is live", () => {
    const world = filled(desiredOf(AB), AB, ["12"]);
    const kept = desiredOf({ a: ["0", "10"], b: ["10", "20", "detached"] });
    assert.deepEqual(reasons(settle(kept, world)), []);
    assert.deepEqual(reasons(world.plan(kept)), []);
    assert.deepEqual(ids(settle(desiredOf(AB), world)), ["attach:b attach"]);
  });
});
