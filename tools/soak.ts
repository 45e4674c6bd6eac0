/**
 * `npm run soak -- [--sequences 20000] [--seed 1] [--major 18] [--path 12:0:1] [--killed]`: more random sequences of changes
 * than `npm test` runs, by a seed of their own, or the very one that a failure has printed. `--killed`: with updates that are
 * killed and begun again, and only these.
 */
import { parseArgs } from "node:util";
import { errorMessage } from "./processes";
import { startMocha, testFiles } from "./test/mocha";

const DEFAULT_SEQUENCES = "20000";

/** What the suite reads, by option. */
const VARIABLES = {
  sequences: "PGPARTITION_MODEL_SEQUENCES",
  seed: "PGPARTITION_MODEL_SEED",
  major: "PGPARTITION_TEST_MAJORS",
  path: "PGPARTITION_MODEL_PATH",
  killed: "PGPARTITION_MODEL_KILLED",
} as const;

async function main(args: string[]): Promise<void> {
  const option = { type: "string" } as const;
  const options = {
    sequences: option,
    seed: option,
    major: option,
    path: option,
    killed: { type: "boolean" },
  } as const;
  const { values } = parseArgs({ args, options });
  const given = { sequences: DEFAULT_SEQUENCES, seed: String(Math.floor(Math.random() * 2 ** 30)), ...values };
  for (const [name, variable] of Object.entries(VARIABLES)) {
    const value = given[name as keyof typeof VARIABLES];
    if (value !== undefined) process.env[variable] = String(value);
  }
  const { totals } = await (await startMocha(await testFiles("model"), [], "inherit")).end;
  process.exitCode = totals.failed === 0 ? 0 : 1;
}

main(process.argv.slice(2)).catch((error: unknown) => {
  process.exitCode = 1;
  process.stderr.write(`${errorMessage(error)}\n`);
});
