/** Diff of a Partition: declared properties, and the drift that the last refresh found. */
import { UNKNOWN } from "../../topology/unknown";
import type { Difference, PropertyDifference } from "../difference";
import type { DiffRequest } from "../handler";
import { sameValue } from "../values";

/** Another parent or another name is another table, whose rows are guarded by `onDelete`. */
const REPLACING = new Set(["schema", "table", "name"]);

export function diffPartition({ olds, oldInputs, news }: DiffRequest): Difference {
  const names = new Set([...Object.keys(oldInputs), ...Object.keys(news)]);
  const declared = [...names]
    .filter((name) => !name.startsWith("__") && !sameValue(oldInputs[name], news[name]))
    .map((name): PropertyDifference => {
      const replaces = REPLACING.has(name) && oldInputs[name] !== undefined && news[name] !== UNKNOWN;
      if (replaces) return { path: name, kind: "updateReplace", inputDiff: true };
      if (oldInputs[name] === undefined) return { path: name, kind: "add", inputDiff: true };
      return { path: name, kind: news[name] === undefined ? "delete" : "update", inputDiff: true };
    });
  const shown = new Set(declared.map(({ path }) => path));
  const drift = (Array.isArray(olds.drift) ? olds.drift : [])
    .map((path): PropertyDifference => ({ path: String(path), kind: "update" }))
    .filter(({ path }) => !shown.has(path));
  return { differences: [...declared, ...drift] };
}
