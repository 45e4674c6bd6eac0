import assert from "node:assert/strict";
import fc from "fast-check";
import { DatabaseError } from "pg";
import { type Blocker, LockTimeoutError } from "../../../postgres/errors";
import { type Clock, climb, DEFAULT_LADDER, ladderOf } from "../../../postgres/ladder";

/** Time passes only by sleeping. */
class FakeClock implements Clock {
  time = 0;
  now = () => this.time;
  random = () => 0.5;
  sleep = async (ms: number, signal?: AbortSignal) => {
    signal?.throwIfAborted();
    this.time += ms;
  };
}

const BLOCKER: Blocker = {
  pid: 42,
  user: "app",
  ageMs: 5000,
  granted: true,
  relation: '"s"."p"',
  mode: "ACCESS SHARE",
};

function databaseError(code: string): DatabaseError {
  const error = new DatabaseError("no", 2, "error");
  error.code = code;
  return error;
}

describe("lock ladder", () => {
  it("tries with longer and longer time-outs, never above a fifth of a second", async () => {
    const tried: number[] = [];
    const clock = new FakeClock();
    const result = await climb({
      ladder: DEFAULT_LADDER,
      clock,
      look: async () => [],
      run: async (ms) => {
        tried.push(ms);
        if (tried.length < 8) throw databaseError(tried.length % 2 ? "55P03" : "40P01");
        return "done";
      },
    });
    assert.equal(result, "done");
    assert.deepEqual(tried, [50, 100, 150, 200, 200, 200, 200, 200]);
  });

  it("does not queue while somebody stays, and looks less and less often", async () => {
    const clock = new FakeClock();
    const looks: number[] = [];
    let tries = 0;
    await climb({
      ladder: DEFAULT_LADDER,
      clock,
      look: async (ms) => {
        assert.equal(ms, 50);
        looks.push(clock.time);
        return clock.time < 10_000 ? [BLOCKER] : [];
      },
      run: async () => {
        tries += 1;
      },
    });
    assert.equal(tries, 1);
    const gaps = looks.slice(1).map((time, index) => time - (looks[index] ?? 0));
    assert.equal(gaps[0], 50);
    assert.equal(gaps.at(-1), 250);
  });

  it("ends within its budget and names who is in the way", async () => {
    const clock = new FakeClock();
    const climbing = climb({
      ladder: DEFAULT_LADDER,
      clock,
      look: async () => [BLOCKER],
      run: async () => assert.fail(),
    });
    await assert.rejects(climbing, (error: LockTimeoutError) => {
      assert.ok(error instanceof LockTimeoutError);
      assert.deepEqual([error.tries, error.blockers], [0, [BLOCKER]]);
      assert.match(error.message, /Session 42 \(user app, transaction 5\.0 s old\) holds ACCESS SHARE on "s"\."p"/);
      return true;
    });
    assert.ok(clock.time >= DEFAULT_LADDER.budget && clock.time < DEFAULT_LADDER.budget + DEFAULT_LADDER.look.most);
  });

  it("ends when tries fail for the whole budget, and asks then who it was", async () => {
    const clock = new FakeClock();
    const run = async (ms: number): Promise<void> => {
      clock.time += ms;
      throw databaseError("55P03");
    };
    const look = async (ms: number) => (ms === 0 ? [BLOCKER] : []);
    const climbing = climb({ ladder: { ...DEFAULT_LADDER, budget: 3000 }, clock, look, run });
    await assert.rejects(climbing, (error: LockTimeoutError) => error.tries > 3 && error.blockers[0] === BLOCKER);
  });

  it("passes other errors on at once", async () => {
    const climbing = climb({
      ladder: DEFAULT_LADDER,
      clock: new FakeClock(),
      look: async () => [],
      run: async () => {
        throw databaseError("23514");
      },
    });
    await assert.rejects(climbing, { code: "23514" });
  });

  it("stops when it is cancelled", async () => {
    const clock = new FakeClock();
    const controller = new AbortController();
    const onWait = () => controller.abort();
    const climbing = climb({
      ladder: DEFAULT_LADDER,
      clock,
      signal: controller.signal,
      look: async () => [BLOCKER],
      run: async () => assert.fail(),
      onWait,
    });
    await assert.rejects(climbing, { name: "AbortError" });
  });

  it("takes any longest step as it is configured", () => {
    fc.assert(
      fc.property(fc.integer({ min: 10, max: 900 }), (longest) => {
        const { steps } = ladderOf(longest, 1);
        assert.equal(steps.at(-1), longest);
        assert.deepEqual(
          steps,
          [...new Set(steps)].sort((a, b) => a - b),
        );
      }),
    );
  });
});
