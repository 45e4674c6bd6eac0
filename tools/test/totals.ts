/** Counts of tests, as every part of `npm test` reports them. */

/** How many tests ended in which way. */
export interface Totals {
  passed: number;
  failed: number;
  skipped: number;
}

/** Environment variable that names the file into which the mocha reporter writes its totals. */
export const TOTALS_FILE_VARIABLE = "PGPARTITION_TEST_TOTALS";

/** The totals of several parts together. */
export function sum(parts: readonly Totals[]): Totals {
  const add = (name: keyof Totals) => parts.reduce((total, part) => total + part[name], 0);
  return { passed: add("passed"), failed: add("failed"), skipped: add("skipped") };
}

/** "12 passed, 0 failed, 1 skipped". */
export function describeTotals({ passed, failed, skipped }: Totals): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}
