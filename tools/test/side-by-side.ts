/** Runs the parts of suites beside each other: most tests wait for servers, locks and the engine most of their time. */
import { availableParallelism } from "node:os";
import type { Log } from "../processes";
import { type MochaRun, startMocha } from "./mocha";
import { describeTotals, sum, type Totals } from "./totals";

/** Some files of one suite. */
export interface Part {
  suite: string;
  /** "Integration tests (2 of 4)". */
  title: string;
  files: readonly string[];
}

/** One process more than there are cores. */
const AT_ONCE = availableParallelism() + 1;

/** The totals of each part. What a part has written is printed when it ends, so that lines of two never mix. */
export async function runSideBySide(parts: readonly Part[], log: Log): Promise<{ part: Part; totals: Totals }[]> {
  const results: { part: Part; totals: Totals }[] = [];
  const waiting = [...parts];
  const running = new Map<Part, MochaRun>();
  const lane = async () => {
    for (let part = waiting.shift(); part !== undefined; part = waiting.shift()) {
      const run = await startMocha(part.files, [], "capture");
      running.set(part, run);
      const { totals, written } = await run.end;
      running.delete(part);
      log(`\n== ${part.title}\n${written.trimEnd()}`);
      results.push({ part, totals });
    }
  };
  const told = async () => {
    const all = await Promise.all([...running.values()].map((run) => run.soFar()));
    const ended = results.map(({ totals }) => totals);
    return `${describeTotals(sum([...all, ...ended]))}; running: ${[...running.keys()].map(({ title }) => title).join(", ")}`;
  };
  const ticker = setInterval(() => void told().then(log), TICK_MS);
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, lane));
  } finally {
    clearInterval(ticker);
  }
  return results;
}

const TICK_MS = 60_000;
