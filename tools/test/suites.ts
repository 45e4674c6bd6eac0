/** The parts of `npm test`: what each needs, and what runs it. */
import { delimiter, join } from "node:path";
import { build } from "../build";
import { CHECKOUT, NODE_PROGRAMS } from "../paths";
import { ensurePostgres, MAJORS } from "../postgres";
import { errorMessage, type Log, runToEnd } from "../processes";
import { ensurePulumi } from "../pulumi";
import { ensureS3Server } from "../s3";
import type { Totals } from "./totals";

/** One part of `npm test`. */
export interface Suite {
  /** What one types to run only this: `npm test -- <name>`. */
  name: string;
  title: string;
  /** Gets what the suite needs onto this machine; when it fails, the suite is skipped and the reason told. */
  prepare?(log: Log): Promise<void>;
  /** A check that counts as one test. */
  check?(): Promise<Totals>;
  /** Files of tests. */
  tests?: TestFiles;
}

/** The tests below `test/<name>`. */
export interface TestFiles {
  /** Into how many processes they are dealt out, which run beside those of other suites. Default: one process, which runs alone. */
  parts?: number;
  /** They start the compiled provider. */
  onBuild?: boolean;
}

/** Every suite, in the order in which they begin: the cheap ones, then of those in parts the ones with the longest parts. */
export const SUITES: readonly Suite[] = [
  { name: "typecheck", title: "Type check", check: () => asOneTest("tsc", ["-p", "tsconfig.json"]) },
  { name: "lint", title: "Lint", check: () => asOneTest("biome", ["check", "."]) },
  { name: "build", title: "Build", check: buildAsOneTest },
  { name: "unit", title: "Unit tests", tests: {} },
  {
    name: "model",
    title: "Random sequences of changes on PostgreSQL 14 to 18",
    prepare: preparePostgres,
    tests: { parts: 1 },
  },
  {
    name: "integration",
    title: "Integration tests on PostgreSQL 14 to 18",
    prepare: preparePostgresAndS3,
    tests: { parts: 6, onBuild: true },
  },
  {
    name: "e2e",
    title: "End-to-end tests through the Pulumi engine",
    prepare: prepareAll,
    tests: { parts: 6, onBuild: true },
  },
];

async function preparePostgres(log: Log): Promise<void> {
  for (const major of MAJORS) {
    await ensurePostgres(major, log);
  }
}

/** Where the S3 server cannot be had, only its tests are skipped, and say so. */
async function preparePostgresAndS3(log: Log): Promise<void> {
  await preparePostgres(log);
  await ensureS3Server(log).catch((error) => log(`Without the S3 server: ${errorMessage(error)}`));
}

async function prepareAll(log: Log): Promise<void> {
  await preparePostgresAndS3(log);
  const { binDir } = await ensurePulumi(log);
  process.env.PATH = [binDir, process.env.PATH].join(delimiter);
}

async function asOneTest(program: string, args: readonly string[]): Promise<Totals> {
  const { status } = await runToEnd(join(NODE_PROGRAMS, program), args, { cwd: CHECKOUT, output: "inherit" });
  return oneTest(status === 0);
}

/** Compiles the product, and counts as one test. */
export async function buildAsOneTest(): Promise<Totals> {
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
