/** Diff of an Index: declared properties, and the drift that the last refresh found. */
import { type Difference, declaredDifferences, driftDifferences, type PropertyDifference } from "../difference";
import type { DiffRequest } from "../handler";
import { formatPath } from "../paths";
import { isRecord } from "../values";

/** An index stays with its table; everything else is changed in place, its name included. */
const REPLACING = new Set(["schema", "table"]);

export function diffIndex({ olds, oldInputs, news }: DiffRequest): Difference {
  const declared = declaredDifferences(oldInputs, news, REPLACING);
  const incomplete = Object.keys(isRecord(olds.incomplete) ? olds.incomplete : {}).map(
    (partition): PropertyDifference => ({ path: formatPath(["incomplete", partition]), kind: "delete" }),
  );
  return { differences: [...declared, ...driftDifferences(olds.drift, declared), ...incomplete] };
}
