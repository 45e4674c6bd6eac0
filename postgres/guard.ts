import type { Step } from "../topology/steps";

/** Name of the CHECK that keeps rows of coming partitions out of DEFAULT, or proves that there are none in it. */
export const GUARD_NAME = "pgpartition_guard";

/** Done whatever else has failed: the CHECK that it takes away would go on refusing rows. */
export function takesGuardOff({ kind }: Pick<Step, "kind">): boolean {
  return kind === "unguardDefault" || kind === "unproveBound";
}
