/** Counts of tests, as every part of `npm test` reports them. */

/** How many tests ended in which way. */
export interface Totals {
  passed: number;
  failed: number;
  skipped: number;
  /** Title and error of each test that failed, as far as a test runner tells them. */
  failures?: string[];
}

/** Environment variable that names the file into which the mocha reporter writes its totals. */
export const TOTALS_FILE_VARIABLE = "PGPARTITION_TEST_TOTALS";

/** The totals of several parts together. */
export function sum(parts: readonly Totals[]): Totals {
  const add = (name: "passed" | "failed" | "skipped") => parts.reduce((total, part) => total + part[name], 0);
  const failures = parts.flatMap((part) => part.failures ?? []);
  return { passed: add("passed"), failed: add("failed"), skipped: add("skipped"), failures };
}

/** "12 passed, 0 failed, 1 skipped". */
export function describeTotals({ passed, failed, skipped }: Totals): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}
