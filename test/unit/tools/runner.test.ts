import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { deal, startMocha, testFiles } from "../../../tools/test/mocha";
import { describeLongest, sum } from "../../../tools/test/totals";

describe("the runner of the tests", () => {
  it("deals every file out once, in parts that differ by one file at most", () => {
    const names = fc.uniqueArray(fc.string({ minLength: 1 }));
    fc.assert(
      fc.property(names, fc.integer({ min: 1, max: 9 }), (files, parts) => {
        const hands = deal(files, parts);
        assert.deepEqual(hands.flat().sort(), [...files].sort());
        const sizes = hands.map(({ length }) => length);
        assert.ok(sizes.every((size) => size > 0 && size >= Math.max(...sizes) - 1));
      }),
    );
  });

  it("finds the tests of a suite, this one among them", async () => {
    const files = await testFiles("unit");
    assert.ok(files.includes(join("test", "unit", "tools", "runner.test.ts")));
    assert.ok(files.every((file) => file.endsWith(".test.ts")));
  });

  describe("of a file", () => {
    let directory: string;
    before(async () => {
      directory = await mkdtemp(join(tmpdir(), "runner-test-"));
    });
    after(() => rm(directory, { recursive: true }));

    const totalsOf = async (text: string) => {
      const file = join(directory, `${text.length}.test.js`);
      await writeFile(file, text);
      return (await (await startMocha([file], [], "capture")).end).totals;
    };

    it("counts what passed, failed and was skipped, and keeps the title and the error of a failure", async () => {
      const totals = await totalsOf(`describe("a suite", () => {
        it("passes", () => {}); it("later"); it("breaks", () => { throw new Error("two is not three"); });
        describe("unprepared", () => { before(() => { throw new Error("no server"); }); it("never runs", () => {}); });
      });`);
      assert.deepEqual([totals.passed, totals.failed, totals.skipped], [1, 2, 1]);
      assert.equal(Object.keys(totals.seconds ?? {}).length, 1);
      const [test, hook] = totals.failures ?? [];
      assert.match(test ?? "", /^a suite breaks\n {4}Error: two is not three/);
      assert.match(hook ?? "", /^a suite unprepared .*hook.*\n {4}Error: no server/);
    });

    it("counts a file that cannot be loaded, and a mocha that is killed, as failed", async () => {
      assert.equal((await totalsOf("this is no program")).failed, 1);
      const killed = await totalsOf(`it("passes", () => {}); it("kills", () => process.kill(process.pid, "SIGKILL"));`);
      assert.deepEqual([killed.passed, killed.failed], [1, 1]);
    });
  });

  it("names the files that took longest", () => {
    const totals = { passed: 0, failed: 0, skipped: 0, seconds: { short: 0.4, longest: 1234.5, long: 7 } };
    assert.deepEqual(describeLongest(totals, 2), [" 1235 s  longest", "    7 s  long"]);
  });

  it("adds parts up, failures and durations too", () => {
    const part = { passed: 1, failed: 1, skipped: 2, failures: ["a"], seconds: { x: 2 } };
    const other = { ...part, failures: ["b"], seconds: { x: 1, y: 4 } };
    assert.deepEqual(sum([part, { passed: 5, failed: 0, skipped: 0 }, other]), {
      passed: 7,
      failed: 2,
      skipped: 4,
      failures: ["a", "b"],
      seconds: { x: 3, y: 4 },
    });
  });
});
