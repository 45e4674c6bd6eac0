/** Mocha's spec reporter, which also writes the totals into a file for the program that started mocha. */
import { writeFileSync } from "node:fs";
import { Runner, reporters } from "mocha";
import { TOTALS_FILE_VARIABLE, type Totals } from "./totals";

class TotalsReporter extends reporters.Spec {
  constructor(runner: Runner, options?: Mocha.MochaOptions) {
    super(runner, options);
    const { EVENT_RUN_END, EVENT_TEST_PASS, EVENT_TEST_FAIL, EVENT_TEST_PENDING } = Runner.constants;
    const totals: Totals = { passed: 0, failed: 0, skipped: 0 };
    runner.on(EVENT_TEST_PASS, () => totals.passed++);
    // A hook that fails counts as a failed test, as it does in mocha's own summary.
    runner.on(EVENT_TEST_FAIL, () => totals.failed++);
    runner.on(EVENT_TEST_PENDING, () => totals.skipped++);
    runner.once(EVENT_RUN_END, () => {
      const file = process.env[TOTALS_FILE_VARIABLE];
      if (file !== undefined) {
        writeFileSync(file, JSON.stringify(totals));
      }
    });
  }
}

export = TotalsReporter;
