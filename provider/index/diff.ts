/** Diff of an Index: declared properties, and the drift that the last refresh found. */
import { UNKNOWN } from "../../topology/unknown";
import type { Difference, PropertyDifference } from "../difference";
import type { DiffRequest } from "../handler";
import { formatPath } from "../paths";
import { isRecord, sameValue } from "../values";

/** An index stays with its table; everything else is changed in place, its name included. */
const REPLACING = new Set(["schema", "table"]);

export function diffIndex({ olds, oldInputs, news }: DiffRequest): Difference {
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
  const incomplete = Object.keys(isRecord(olds.incomplete) ? olds.incomplete : {}).map(
    (partition): PropertyDifference => ({ path: formatPath(["incomplete", partition]), kind: "delete" }),
  );
  return { differences: [...declared, ...drift, ...incomplete] };
}
