import assert from "node:assert/strict";
import { viewRows } from "../../../provider/partitionSet/rows";
import { rowOperation } from "../../../provider/views";

const march = { from: "2026-03-01", to: "2026-04-01", tier: "live" };
const april = { from: "2026-04-01", to: "2026-05-01", tier: "live" };

describe("view rows", () => {
  it("name only what the engine's state holds as old", () => {
    assert.equal(rowOperation({ name: "a", state: march }, {}), "create");
    assert.equal(rowOperation({ name: "a", state: april }, { a: march }), "update");
    assert.equal(rowOperation({ name: "a", state: { ...march } }, { a: march }), undefined);
    assert.equal(rowOperation({ name: "a" }, { a: march }), "delete");
    assert.equal(rowOperation({ name: "a" }, {}), undefined);
  });

  it("carry the set's name only when it is not the table's", () => {
    const outputs = { table: "events", partitions: { events_2026_03: march } };
    assert.deepEqual(viewRows("events", outputs, {}), [{ name: "events_2026_03", state: march }]);
    assert.deepEqual(viewRows("eu", outputs, {}), [{ name: "eu/events_2026_03", state: march }]);
  });

  it("are taken away when the set outgrows its limit", () => {
    const outputs = { table: "events", viewLimit: 1, partitions: { a: march, b: april } };
    assert.deepEqual(viewRows("events", outputs, { a: march }), [{ name: "a" }]);
    assert.deepEqual(viewRows("events", { ...outputs, viewLimit: 2 }, {}).length, 2);
  });
});
