/**
 * `npm test [-- <suite>… [mocha arguments]]`: all suites, or the named ones, then what failed, what took longest, and one
 * line of totals at the end. Exit status 0 when no test failed; a suite that cannot run on this machine counts as skipped, with the reason.
 */
import { cpus } from "node:os";
import { errorMessage } from "./processes";
import { deal, startMocha, testFiles } from "./test/mocha";
import { type Part, runSideBySide } from "./test/side-by-side";
import { buildAsOneTest, SUITES, type Suite } from "./test/suites";
import { describeLongest, describeTotals, sum, type Totals } from "./test/totals";

interface Result {
  suite: Suite;
  totals: Totals;
  /** Why it was skipped. */
  reason?: string;
}

const print = (line: string) => process.stdout.write(`${line}\n`);

async function main(args: readonly string[]): Promise<void> {
  const firstMochaArgument = args.findIndex((argument) => argument.startsWith("-"));
  const names = firstMochaArgument < 0 ? args : args.slice(0, firstMochaArgument);
  const mochaArgs = firstMochaArgument < 0 ? [] : args.slice(firstMochaArgument);
  const unknown = names.filter((name) => !SUITES.some((suite) => suite.name === name));
  if (unknown.length > 0) {
    throw new Error(`Unknown suite: ${unknown.join(", ")}; there are ${SUITES.map(({ name }) => name).join(", ")}`);
  }
  const wanted = SUITES.filter(({ name }) => names.length === 0 || names.includes(name));
  const [began, work] = [performance.now(), workOfProcessors()];
  const results = await runAll(wanted, mochaArgs);
  const worked = workOfProcessors();
  const busy = (worked.busy - work.busy) / (worked.all - work.all);
  print(
    `\n${((performance.now() - began) / 60_000).toFixed(1)} min; the processors were busy ${(100 * busy).toFixed(0)} % of them.`,
  );
  tell(wanted.flatMap((suite) => results.filter((result) => result.suite === suite)));
}

/** Milliseconds of all processors since the machine began: below 100 % some of a run's time goes into waiting. */
function workOfProcessors(): { busy: number; all: number } {
  const times = cpus().map((processor) => processor.times);
  const all = times.flatMap((time) => Object.values(time)).reduce((total, time) => total + time, 0);
  return { busy: all - times.reduce((total, { idle }) => total + idle, 0), all };
}

/** First what runs alone, then what is in parts; narrowed by arguments of mocha's, everything runs at this terminal. */
async function runAll(suites: readonly Suite[], mochaArgs: readonly string[]): Promise<Result[]> {
  const results: Result[] = [];
  const beside: Suite[] = [];
  let built = false;
  for (const suite of suites) {
    print(`\n== ${suite.title}`);
    const skipped = await prepare(suite);
    if (skipped !== undefined) {
      results.push(skipped);
      continue;
    }
    if (suite.tests?.onBuild && !built && !suites.some(({ name }) => name === "build")) {
      const totals = await buildAsOneTest();
      if (totals.failed > 0) return [...results, { suite, totals }];
      built = true;
    }
    if (suite.tests?.parts !== undefined && mochaArgs.length === 0) beside.push(suite);
    else results.push({ suite, totals: await runAlone(suite, mochaArgs) });
  }
  return [...results, ...(await runBeside(beside))];
}

async function prepare(suite: Suite): Promise<Result | undefined> {
  try {
    await suite.prepare?.(print);
    return undefined;
  } catch (error) {
    const reason = errorMessage(error);
    print(`Skipped: ${reason}`);
    return { suite, totals: { passed: 0, failed: 0, skipped: 1 }, reason: reason.split("\n")[0] };
  }
}

async function runAlone({ name, check, tests }: Suite, mochaArgs: readonly string[]): Promise<Totals> {
  const checked = check === undefined ? [] : [await check()];
  if (tests === undefined) return sum(checked);
  const run = await startMocha(await testFiles(name), mochaArgs, "inherit");
  return sum([...checked, (await run.end).totals]);
}

async function runBeside(suites: readonly Suite[]): Promise<Result[]> {
  if (suites.length === 0) return [];
  const parts: Part[] = [];
  for (const { name, title, tests } of suites) {
    const hands = deal(await testFiles(name), tests?.parts ?? 1);
    for (const [place, files] of hands.entries()) {
      parts.push({
        suite: name,
        title: `${title} (${place + 1} of ${hands.length})`,
        files,
      });
    }
  }
  print(`These run beside each other in ${parts.length} parts; each part's output follows when it has ended.`);
  const ended = await runSideBySide(parts, print);
  return suites.map((suite) => ({
    suite,
    totals: sum(ended.filter(({ part }) => part.suite === suite.name).map(({ totals }) => totals)),
  }));
}

function tell(results: readonly Result[]): void {
  const total = sum(results.map(({ totals }) => totals));
  for (const failure of total.failures ?? []) print(`\nFAILED ${failure}`);
  const longest = describeLongest(total, 15);
  if (longest.length > 0) print(["\nLongest files:", ...longest].join("\n"));
  print("");
  for (const { suite, totals, reason } of results) {
    print(`${suite.title}: ${describeTotals(totals)}${reason === undefined ? "" : ` (${reason})`}`);
  }
  print(describeTotals(total));
  process.exitCode = total.failed === 0 ? 0 : 1;
}

main(process.argv.slice(2)).catch((error: unknown) => {
  process.exitCode = 1;
  process.stderr.write(`${errorMessage(error)}\n`);
});
