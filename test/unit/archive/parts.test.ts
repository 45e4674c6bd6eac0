import assert from "node:assert/strict";
import fc from "fast-check";
import { partsOf } from "../../../archive/parts";

const BLOCK = 8_192;
const GIB = 2 ** 30;

describe("parts of a table", () => {
  it("are 1 GiB each, without TOAST", () => {
    const blocks = (3 * GIB) / BLOCK;
    assert.deepEqual(partsOf({ blocks, bytes: blocks * BLOCK }), [
      { from: 0, to: 131_072 },
      { from: 131_072, to: 262_144 },
      { from: 262_144 },
    ]);
  });

  it("are one for an empty table", () => {
    assert.deepEqual(partsOf({ blocks: 0, bytes: 0 }), [{ from: 0 }]);
  });

  it("follow one upon the other from the first block to the end, and none is large because of its TOAST", () => {
    const table = fc.record({
      blocks: fc.integer({ min: 1, max: 1_000_000 }),
      toast: fc.integer({ min: 0, max: 1_000 }),
    });
    fc.assert(
      fc.property(table, ({ blocks, toast }) => {
        const bytes = blocks * BLOCK * (1 + toast);
        const parts = partsOf({ blocks, bytes });
        assert.equal(parts[0]?.from, 0);
        for (const [at, { to }] of parts.entries()) assert.equal(to, parts[at + 1]?.from);
        const largest = Math.max(...parts.map(({ from, to = blocks }) => to - from));
        assert.ok(largest === 1 || (largest * bytes) / blocks <= GIB, `${largest} blocks`);
      }),
    );
  });

  it("keep their borders while a table grows a little", () => {
    const borders = (bytes: number) => partsOf({ blocks: 200_000, bytes: 200_000 * bytes }).map(({ from }) => from);
    assert.deepEqual(borders(9_000), borders(9_500));
  });
});
