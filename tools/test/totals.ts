/** Counts of tests, as every part of `npm test` reports them. */

/** How many tests ended in which way. */
export interface Totals {
  passed: number;
  failed: number;
  skipped: number;
  /** Title and error of each test that failed, as far as a test runner tells them. */
  failures?: string[];
  /** How long each file of tests took, hooks included. */
  seconds?: Record<string, number>;
}

/** Environment variable that names the file into which the mocha reporter writes its totals. */
export const TOTALS_FILE_VARIABLE = "PGPARTITION_TEST_TOTALS";

/** The totals of several parts together. */
export function sum(parts: readonly Totals[]): Totals {
  const add = (name: "passed" | "failed" | "skipped") => parts.reduce((total, part) => total + part[name], 0);
  const failures = parts.flatMap((part) => part.failures ?? []);
  const seconds: Record<string, number> = {};
  for (const [file, took] of parts.flatMap((part) => Object.entries(part.seconds ?? {}))) {
    seconds[file] = (seconds[file] ?? 0) + took;
  }
  return { passed: add("passed"), failed: add("failed"), skipped: add("skipped"), failures, seconds };
}

/** One line for each of the files that took longest, the longest first: "  312 s  test/unit/x.test.ts". */
export function describeLongest({ seconds = {} }: Totals, lines: number): string[] {
  const longest = Object.entries(seconds).sort(([, one], [, other]) => other - one);
  return longest.slice(0, lines).map(([file, took]) => `${took.toFixed(0).padStart(5)} s  ${file}`);
}

/** "12 passed, 0 failed, 1 skipped". */
export function describeTotals({ passed, failed, skipped }: Totals): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}
