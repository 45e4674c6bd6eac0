import assert from "node:assert/strict";
import * as fc from "fast-check";
import { pieceBytesOf, RateLimit } from "../../../archive/rate";

/** A clock that stands still but for the pauses. */
function clockAt(start: number) {
  const clock = {
    at: start,
    now: () => clock.at,
    pause: async (ms: number) => {
      clock.at += ms;
    },
  };
  return clock;
}

describe("a limit of bytes a second", () => {
  it("is kept whatever the pieces, and costs no more time than it has to", async () => {
    const pieces = fc.array(fc.integer({ min: 1, max: 100_000 }), { minLength: 1, maxLength: 50 });
    await fc.assert(
      fc.asyncProperty(pieces, fc.integer({ min: 1_000, max: 1_000_000 }), async (sizes, rate) => {
        const clock = clockAt(5_000);
        const limit = new RateLimit(rate, clock);
        for (const size of sizes) await limit.take(size);
        const seconds = (clock.at - 5_000) / 1000;
        const bytes = sizes.reduce((sum, size) => sum + size, 0);
        const slack = (0.011 * rate) / bytes;
        assert.ok(seconds >= (bytes / rate) * (1 - slack) - 1e-6, `${bytes} bytes in ${seconds} s`);
        assert.ok(seconds <= bytes / rate + 1e-6, `${bytes} bytes in ${seconds} s`);
      }),
    );
  });

  it("is asked in pieces that take a hundredth of a second, and no more than without it", () => {
    const pieces = [undefined, 1_000, 8 * 2 ** 20, 10 ** 9].map(pieceBytesOf);
    assert.deepEqual(pieces, [undefined, 16_384, 83_886, 262_144]);
  });

  it("is shared by those who read at the same time", async () => {
    const clock = clockAt(0);
    const limit = new RateLimit(1_000, clock);
    const waits: number[] = [];
    const concurrent = { ...clock, pause: async (ms: number) => void waits.push(ms) };
    const shared = new RateLimit(1_000, concurrent);
    await Promise.all([shared.take(500), shared.take(500), shared.take(1_000)]);
    assert.deepEqual(waits, [500, 1_000, 2_000]);
    await limit.take(1_000);
    assert.equal(clock.at, 1_000);
  });

  it("saves nothing up while nobody reads", async () => {
    const clock = clockAt(0);
    const limit = new RateLimit(1_000, clock);
    await limit.take(100);
    clock.at = 60_000;
    await limit.take(1_000);
    assert.equal(clock.at, 61_000);
  });
});
