import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import * as fc from "fast-check";
import { nextMonth } from "../../../tools/dev/next-month";
import { toShell } from "../../../tools/dev/shell";

describe("the development environment", () => {
  it("moves a point in time on by a month, in its own notation", () => {
    const cases = {
      "2026-11": "2026-12",
      "2026-12": "2027-01",
      "2026-01-31": "2026-02-28",
      "2024-01-31": "2024-02-29",
    };
    for (const [from, to] of Object.entries({ ...cases, "2026-12-15": "2027-01-15" })) {
      assert.equal(nextMonth(from), to);
    }
  });

  it("refuses what is no point in time", () => {
    for (const text of ["", "2026", "2026-13", "2026-00", "tomorrow", "2026-11-15T00:00:00Z"]) {
      assert.throws(() => nextMonth(text), /expected YYYY-MM or YYYY-MM-DD/);
    }
  });

  it("is written so that a shell reads exactly the same values", () => {
    const value = fc.string({ unit: fc.constantFrom(..."a '\"$`\\\n!*~;&|(){}é") });
    fc.assert(
      fc.property(value, value, (secret, directory) => {
        const text = toShell({ variables: { SECRET: secret }, path: [directory, "/second"] });
        const script = `${text}\n/usr/bin/printf '%s\\0%s\\0' "$SECRET" "$PATH"`;
        const output = execFileSync("/bin/sh", ["-c", script], { env: { PATH: "/usr/bin" }, encoding: "utf8" });
        assert.deepEqual(output.split("\0"), [secret, `${directory}:/second:/usr/bin`, ""]);
      }),
      { numRuns: 40 },
    );
  });
});
