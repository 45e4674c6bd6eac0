/** Carries out one step that moves rows. Each part looks at what is there first, so that a run can go on from any point. */
import type { ReorganizationMethod, Step } from "../../topology/steps";
import { hasSqlstate, IdentityError, ReorganizationError, SQLSTATE } from "../errors";
import { CopyRun } from "./copying";
import { moveAtOnce } from "./moving";
import { reorganizationObstacles } from "./obstacles";
import { renderingOf } from "./rendering";
import { isReached, readState } from "./state";
import { type ReorganizationContext, Transactions } from "./transactions";

export type { CopyProgress } from "./transactions";

const METHODS: Record<ReorganizationMethod, true> = { moveInOneTransaction: true, copyAndSwap: true, abandon: true };

export function isReorganization(step: Step): boolean {
  return Object.hasOwn(METHODS, step.method);
}

/**
 * `reached`: all of it was done already.
 * @throws LockTimeoutError when somebody stays in the way: what is copied is kept for the next run. Any other error of the
 * server ends a copy, which is taken away so that its capture is in nobody's way.
 */
export async function reorganize(context: ReorganizationContext): Promise<"done" | "reached"> {
  const { session, parent, step } = context;
  const rendering = renderingOf(step, parent);
  const transactions = new Transactions(context);
  const state = await readState(session, parent.oid, rendering.layout);
  const copy = new CopyRun(rendering, transactions);
  if (step.method === "abandon") {
    if (state === undefined) return "reached";
    if (state.phase === "swapped")
      throw new IdentityError(`${step.id}: the rows are exchanged already; run again to finish.`);
    await copy.abandon();
    return "done";
  }
  if (state === undefined && (await isReached(session, parent.oid, rendering.layout))) return "reached";
  if (state?.phase !== "swapped") insistOnPossibility(step, parent);
  if (state === undefined && step.method === "moveInOneTransaction") {
    try {
      await moveAtOnce(rendering, transactions);
      return "done";
    } catch (error) {
      if (!hasSqlstate(error, SQLSTATE.queryCanceled) || context.signal?.aborted) throw error;
      if (rendering.copying.key.length === 0) throw tooSlow(step);
    }
  }
  await copy.run(state);
  return "done";
}

/** What the preflight said may have become true since. */
function insistOnPossibility(step: Step, parent: ReorganizationContext["parent"]): void {
  const [obstacle] = step.reorganization ? reorganizationObstacles(step.method, step.reorganization, parent) : [];
  if (obstacle !== undefined) throw new ReorganizationError(`${step.id}: ${obstacle}`);
}

function tooSlow(step: Step): ReorganizationError {
  return new ReorganizationError(
    `${step.id}: the rows could not be moved in the time for which the table may be locked, and without a primary key ` +
      "(or a unique key of columns that are NOT NULL) they cannot be copied beside the application. Add such a key.",
  );
}
