/** Mocha's spec reporter, which also keeps the totals so far in a file for the program that started mocha. */
import { writeFileSync } from "node:fs";
import { relative } from "node:path";
import { Runner, reporters } from "mocha";
import { CHECKOUT } from "../paths";
import { TOTALS_FILE_VARIABLE, type Totals } from "./totals";

class TotalsReporter extends reporters.Spec {
  constructor(runner: Runner, options?: Mocha.MochaOptions) {
    super(runner, options);
    const { EVENT_RUN_END, EVENT_SUITE_END, EVENT_TEST_PASS, EVENT_TEST_FAIL, EVENT_TEST_PENDING } = Runner.constants;
    const failures: string[] = [];
    const seconds: Record<string, number> = {};
    const totals: Totals = { passed: 0, failed: 0, skipped: 0, failures, seconds };
    const file = process.env[TOTALS_FILE_VARIABLE];
    // At every test: what started mocha tells how far it is, and still knows what failed when mocha itself crashes.
    const keep = (name: "passed" | "failed" | "skipped") => {
      totals[name]++;
      if (file !== undefined) writeFileSync(file, JSON.stringify(totals));
    };
    runner.on(EVENT_TEST_PASS, () => keep("passed"));
    // A hook that fails counts as a failed test, as it does in mocha's own summary.
    runner.on(EVENT_TEST_FAIL, (test: Mocha.Test, error: Error) => {
      failures.push(`${test.fullTitle()}\n${indented(error.stack ?? error.message)}`);
      keep("failed");
    });
    runner.on(EVENT_TEST_PENDING, () => keep("skipped"));
    let ended = performance.now();
    runner.on(EVENT_SUITE_END, ({ file, parent }: Mocha.Suite) => {
      if (file === undefined || !parent?.root) return;
      const [name, now] = [relative(CHECKOUT, file), performance.now()];
      seconds[name] = (seconds[name] ?? 0) + (now - ended) / 1000;
      ended = now;
    });
    runner.once(EVENT_RUN_END, () => {
      if (file !== undefined) writeFileSync(file, JSON.stringify(totals));
    });
  }
}

const LINES_OF_AN_ERROR = 12;

function indented(text: string): string {
  const lines = text.split("\n").slice(0, LINES_OF_AN_ERROR);
  return lines.map((line) => `    ${line}`).join("\n");
}

export = TotalsReporter;
