import assert from "node:assert/strict";
import { desiredOf, ids, reasons, settle, worldOf } from "./sets";
import type { World } from "./world";

/** A table with its DEFAULT detached by hand, and one row in that. */
function detached(row: string): World {
  const world = worldOf(desiredOf({ a: ["0", "10"], rest: "default" }), { a: ["0", "10"], rest: "default" });
  assert(world.insert(row));
  const fallback = world.find("rest");
  assert(fallback);
  world.detach(fallback);
  return world;
}

describe("a DEFAULT that comes back with rows", () => {
  const desired = desiredOf({ a: ["0", "10"], b: ["10", "20"], rest: "default" });

  it("is attached before these are moved into their partition by the next run", () => {
    const world = detached("12");
    const first = world.up(desired);
    assert.deepEqual(ids(first), ["attach:rest attach"]);
    assert.deepEqual(reasons(first), [
      "error partitions.b: The DEFAULT partition app.rest was detached and holds rows of 10 … 20. It is attached again by this" +
        " update; run again, and they are moved.",
    ]);
    assert.deepEqual(reasons(settle(desired, world)), []);
    assert.deepEqual([...(world.find("b")?.rows ?? [])], ["12"]);
  });

  it("keeps nothing waiting that it has no rows of", () => {
    const world = detached("25");
    assert.deepEqual(ids(settle(desired, world)), ["create:b likeAttach", "attach:rest attach"]);
  });

  it("stays outside while rows of a partition that is there are in it", () => {
    const world = detached("12");
    world.add("b", { from: "10", to: "20" });
    const made = settle(desired, world);
    assert.deepEqual(ids(made), []);
    assert.match(
      reasons(made).join(),
      /^error partitions.rest: app.rest is detached and holds rows of 10 … 20, which app.b/,
    );
  });

  it("keeps waiting what would take over rows of others as well", () => {
    const wider = desiredOf({ a: ["0", "20"], rest: "default" });
    const world = detached("12");
    assert.deepEqual(ids(world.up(wider)), ["attach:rest attach"]);
    settle(wider, world);
    assert.deepEqual([...(world.find("a")?.rows ?? [])], ["12"]);
  });
});
