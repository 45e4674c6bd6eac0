/** Diff of a Partition: declared properties, and the drift that the last refresh found. */
import { type Difference, declaredDifferences, driftDifferences } from "../difference";
import type { DiffRequest } from "../handler";

/** Another parent or another name is another table, whose rows are guarded by `onDelete`. */
const REPLACING = new Set(["schema", "table", "name"]);

export function diffPartition({ olds, oldInputs, news }: DiffRequest): Difference {
  const declared = declaredDifferences(oldInputs, news, REPLACING);
  return { differences: [...declared, ...driftDifferences(olds.drift, declared)] };
}
