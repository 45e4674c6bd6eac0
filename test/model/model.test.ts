/**
 * Random topologies with rows and random sequences of changes: what a run must leave behind is said once, in
 * `sequence.ts`, and holds for all of them. A failure prints the sequence, made as short as it gets, and how to run it
 * again. `npm run soak` runs more of them.
 */
import "../support/in-memory";
import assert from "node:assert/strict";
import { describeOnEachPostgres, testMajors } from "../support/postgres";
import { prepareStatements } from "../support/prepared";
import { makeMortal } from "./kill";
import { runSequences } from "./run";

/** The same ones in every build, so that what fails is what was changed; `npm run soak` chooses others. */
const SEQUENCES = Number(process.env.PGPARTITION_MODEL_SEQUENCES ?? 500);
const SEED = Number(process.env.PGPARTITION_MODEL_SEED ?? 2026);
const PATH = process.env.PGPARTITION_MODEL_PATH;

/** As many of all sequences once more with updates that are killed; those take longer. */
const KILLED_SHARE = 5;

/** Fewer than this say nothing about how often something happens. */
const MANY = 50;

prepareStatements();
makeMortal();

describeOnEachPostgres(`random sequences of changes, seed ${SEED}`, (server) => {
  const share = Math.ceil(SEQUENCES / testMajors().length);
  const only = process.env.PGPARTITION_MODEL_KILLED;

  async function expectSequences(sequences: number, killed: boolean): Promise<void> {
    const tally = await runSequences(server(), { seed: SEED, sequences, path: PATH, killed });
    const { ups, refused } = tally;
    console.log(
      `      ${tally.sequences} sequences, ${ups} updates, ${refused} of them refused, ${tally.killed} killed before`,
    );
    if (ups > MANY) assert.ok(refused < ups / 3, "most of what is declared can be had");
  }

  if (only === undefined)
    it(`${share} sequences end as they are declared`, async function () {
      this.timeout(0);
      await expectSequences(share, false);
    });

  if (only !== undefined || PATH === undefined) {
    const some = only === undefined ? Math.ceil(share / KILLED_SHARE) : share;
    it(`${some} sequences, with updates that are killed and begun again, do as well`, async function () {
      this.timeout(0);
      await expectSequences(some, true);
    });
  }
});
