/** Runs files of tests with mocha in a process of their own, and reads from it how they went. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CHECKOUT, NODE_PROGRAMS } from "../paths";
import { runToEnd } from "../processes";
import { TOTALS_FILE_VARIABLE, type Totals } from "./totals";

/** Where mocha writes: to this terminal, or into what {@link MochaRun.end} gives. */
export type Output = "inherit" | "capture";

/** Mocha at work. */
export interface MochaRun {
  /** How many tests have ended so far. */
  soFar(): Promise<Totals>;
  end: Promise<{ totals: Totals; written: string }>;
}

const NOTHING_YET: Totals = { passed: 0, failed: 0, skipped: 0 };

/** Starts mocha on the files, which are relative to the checkout. */
export async function startMocha(files: readonly string[], args: readonly string[], output: Output): Promise<MochaRun> {
  const directory = await mkdtemp(join(tmpdir(), "pgpartition-test-"));
  const file = join(directory, "totals.json");
  const soFar = async () => (await readTotals(file)) ?? NOTHING_YET;
  const end = async () => {
    try {
      const { status, stdout, stderr } = await runToEnd(
        join(NODE_PROGRAMS, "mocha"),
        ["--reporter", join(__dirname, "reporter.ts"), ...args, ...files],
        { cwd: CHECKOUT, env: { ...process.env, [TOTALS_FILE_VARIABLE]: file }, output },
      );
      const totals = (await readTotals(file)) ?? { ...NOTHING_YET, failed: 1 };
      // Mocha that ends badly without a failed test has crashed, or could not load a file.
      const crashed = status !== 0 && totals.failed === 0;
      return { totals: crashed ? { ...totals, failed: 1 } : totals, written: stdout + stderr };
    } finally {
      await rm(directory, { recursive: true });
    }
  };
  return { soFar, end: end() };
}

/** Undefined while no test has ended, or while the reporter is just writing. */
async function readTotals(file: string): Promise<Totals | undefined> {
  try {
    return JSON.parse(await readFile(file, "utf8")) as Totals;
  } catch {
    return undefined;
  }
}

/** The files of tests below a folder of `test/`, in a fixed order. */
export async function testFiles(folder: string): Promise<string[]> {
  const names = await readdir(join(CHECKOUT, "test", folder), { recursive: true });
  const files = names.filter((name) => name.endsWith(".test.ts")).map((name) => join("test", folder, name));
  return files.sort();
}

/** Deals files out to parts that can run beside each other; no part is empty. */
export function deal(files: readonly string[], parts: number): string[][] {
  const hands = Array.from({ length: parts }, (_, part) => files.filter((_file, place) => place % parts === part));
  return hands.filter((hand) => hand.length > 0);
}
