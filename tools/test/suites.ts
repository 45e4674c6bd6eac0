/** The parts of `npm test`, in the order in which they run: the cheap ones first. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { build } from "../build";
import { CHECKOUT, NODE_PROGRAMS } from "../paths";
import { ensurePostgres, MAJORS } from "../postgres";
import { type Log, runToEnd } from "../processes";
import { ensurePulumi } from "../pulumi";
import { TOTALS_FILE_VARIABLE, type Totals } from "./totals";

/** One part of `npm test`. */
export interface Suite {
  /** What one types to run only this: `npm test -- <name>`. */
  name: string;
  title: string;
  /** Gets what the suite needs onto this machine; when it fails, the suite is skipped and the reason told. */
  prepare(log: Log): Promise<void>;
  /** Runs the suite; `mochaArgs` narrow it where it is one of mocha's. */
  run(mochaArgs: readonly string[]): Promise<Totals>;
}

/** An end-to-end test runs the engine several times, each time for seconds. */
const E2E_DEFAULTS = ["--timeout", "600000"];

/** Every suite. */
export const SUITES: readonly Suite[] = [
  { name: "typecheck", title: "Type check", prepare: nothing, run: () => asOneTest("tsc", ["-p", "tsconfig.json"]) },
  { name: "lint", title: "Lint", prepare: nothing, run: () => asOneTest("biome", ["check", "."]) },
  { name: "build", title: "Build", prepare: nothing, run: buildAsOneTest },
  mochaSuite("unit", "Unit tests", nothing),
  suiteOnBuild(mochaSuite("integration", "Integration tests on PostgreSQL 14 to 18", preparePostgres)),
  suiteOnBuild(mochaSuite("e2e", "End-to-end tests through the Pulumi engine", preparePostgresAndPulumi, E2E_DEFAULTS)),
];

async function nothing(): Promise<void> {}

async function preparePostgres(log: Log): Promise<void> {
  for (const major of MAJORS) {
    await ensurePostgres(major, log);
  }
}

async function preparePostgresAndPulumi(log: Log): Promise<void> {
  await preparePostgres(log);
  const { binDir } = await ensurePulumi(log);
  process.env.PATH = [binDir, process.env.PATH].join(delimiter);
}

function mochaSuite(name: string, title: string, prepare: Suite["prepare"], defaults: readonly string[] = []): Suite {
  const files = `test/${name}/**/*.test.ts`;
  return { name, title, prepare, run: (mochaArgs) => runMocha(files, [...defaults, ...mochaArgs]) };
}

/** A suite that starts the compiled provider; narrowed to itself, it must not run what an earlier build left. */
function suiteOnBuild(suite: Suite): Suite {
  const run: Suite["run"] = async (mochaArgs) => {
    const built = await buildAsOneTest();
    return built.failed > 0 ? built : suite.run(mochaArgs);
  };
  return { ...suite, run };
}

async function runMocha(files: string, mochaArgs: readonly string[]): Promise<Totals> {
  const directory = await mkdtemp(join(tmpdir(), "pgpartition-test-"));
  const totalsFile = join(directory, "totals.json");
  try {
    const { status } = await runToEnd(
      join(NODE_PROGRAMS, "mocha"),
      ["--reporter", join(__dirname, "reporter.ts"), ...mochaArgs, files],
      { cwd: CHECKOUT, env: { ...process.env, [TOTALS_FILE_VARIABLE]: totalsFile }, output: "inherit" },
    );
    const totals = await readTotals(totalsFile);
    // Mocha that ends badly without a failed test has crashed, or could not load a file.
    return status !== 0 && totals.failed === 0 ? { ...totals, failed: 1 } : totals;
  } finally {
    await rm(directory, { recursive: true });
  }
}

async function readTotals(file: string): Promise<Totals> {
  try {
    return JSON.parse(await readFile(file, "utf8")) as Totals;
  } catch {
    return { passed: 0, failed: 1, skipped: 0 };
  }
}

async function asOneTest(program: string, args: readonly string[]): Promise<Totals> {
  const { status } = await runToEnd(join(NODE_PROGRAMS, program), args, { cwd: CHECKOUT, output: "inherit" });
  return oneTest(status === 0);
}

async function buildAsOneTest(): Promise<Totals> {
  try {
    await build(() => undefined);
    return oneTest(true);
  } catch (error) {
    process.stdout.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return oneTest(false);
  }
}

function oneTest(passed: boolean): Totals {
  return { passed: passed ? 1 : 0, failed: passed ? 0 : 1, skipped: 0 };
}
