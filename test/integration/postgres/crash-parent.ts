/** Runs plans in processes that are killed on the way. */
import type { Step } from "../../../topology/steps";
import { runWithFault } from "../../support/kills";
import type { TestDatabase } from "../../support/postgres";

/** Carries out the steps in a process of its own; gives the signal with which the fault has ended it. */
export function runChild({ connection }: TestDatabase, steps: Step[], fault: string): Promise<NodeJS.Signals | null> {
  return runWithFault(require.resolve("./crash-child"), [connection, steps], fault);
}
