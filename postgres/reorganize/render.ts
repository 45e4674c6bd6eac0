/** The statements of a step that moves rows, in the order in which they run; batches stand there once. */
import type { ReorganizationMethod, Step } from "../../topology/steps";
import type { ParentFacts } from "../parent";
import type { Statement } from "../statement";
import { captureStatements, dropCapture } from "./capture";
import { dropSourceStatements, dropStagingStatements, dropTargetKeys, renameParts } from "./cleanup";
import { batchStatements, compareStatement } from "./copy";
import { moveStatements } from "./move";
import { copiesOf, leavesOf } from "./names";
import { dropGuard, guardStatements, prepareStatements } from "./prepare";
import { bystandingDefault, type ReorganizationRendering, renderingOf } from "./rendering";
import { foreignKeyStatements, swapStatements } from "./swap";

/** @throws RangeError when the step does not say what is reorganized. */
export function renderReorganization(step: Step, method: ReorganizationMethod, parent: ParentFacts): Statement[] {
  return METHODS[method](renderingOf(step, parent));
}

const METHODS: Record<ReorganizationMethod, (rendering: ReorganizationRendering) => Statement[]> = {
  moveInOneTransaction: (rendering) => {
    const { proof, statements } = moveStatements(rendering);
    return [...proof, ...statements];
  },
  copyAndSwap: (rendering) => {
    const leaves = rendering.layout.sources.flatMap(leavesOf);
    return [
      ...prepareStatements(rendering),
      ...guardStatements(rendering),
      ...leaves.flatMap((leaf) => captureStatements(rendering, leaf)),
      ...leaves.flatMap((leaf) => batchStatements(rendering, leaf)),
      ...rendering.layout.targets.flatMap((target) =>
        foreignKeyStatements(rendering, target).flatMap(({ add, validate }) => [add, ...(validate ? [validate] : [])]),
      ),
      compareStatement(rendering),
      ...swapStatements(rendering),
      ...rendering.layout.sources.flatMap((source) => dropSourceStatements(rendering, source)),
      ...rendering.layout.targets.flatMap(renameParts),
      ...dropStagingStatements(rendering, []),
    ];
  },
  abandon: (rendering) => {
    const bystander = bystandingDefault(rendering);
    const { sources, targets } = rendering.layout;
    return [
      ...sources.flatMap(leavesOf).flatMap((leaf) => dropCapture(rendering, leaf)),
      ...(bystander === undefined ? [] : [dropGuard(rendering, bystander)]),
      ...targets.flatMap((target) => dropTargetKeys(rendering, target)),
      ...dropStagingStatements(rendering, copiesOf(rendering.layout)),
    ];
  },
};
