/**
 * `npm test [-- <suite>… [mocha arguments]]`: all suites, or the named ones, and one line of totals at the end. Exit
 * status 0 when no test failed; a suite that cannot run on this machine counts as skipped, with the reason.
 */
import { errorMessage } from "./processes";
import { SUITES, type Suite } from "./test/suites";
import { describeTotals, sum, type Totals } from "./test/totals";

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
  const results: { title: string; totals: Totals; reason?: string }[] = [];
  for (const suite of wanted) {
    print(`\n== ${suite.title}`);
    results.push({ title: suite.title, ...(await runSuite(suite, mochaArgs)) });
  }
  print("");
  for (const { title, totals, reason } of results) {
    print(`${title}: ${describeTotals(totals)}${reason === undefined ? "" : ` (${reason})`}`);
  }
  const total = sum(results.map(({ totals }) => totals));
  print(describeTotals(total));
  process.exitCode = total.failed === 0 ? 0 : 1;
}

async function runSuite(suite: Suite, mochaArgs: readonly string[]): Promise<{ totals: Totals; reason?: string }> {
  try {
    await suite.prepare(print);
  } catch (error) {
    const reason = errorMessage(error);
    print(`Skipped: ${reason}`);
    return { totals: { passed: 0, failed: 0, skipped: 1 }, reason: reason.split("\n")[0] };
  }
  return { totals: await suite.run(mochaArgs) };
}

main(process.argv.slice(2)).catch((error: unknown) => {
  process.exitCode = 1;
  process.stderr.write(`${errorMessage(error)}\n`);
});
