/** Diff of a Table: declared properties, and the drift that the last refresh found. */
import { UNKNOWN } from "../../topology/unknown";
import type { Difference, PropertyDifference } from "../difference";
import type { DiffRequest } from "../handler";
import { isRecord, type Properties, sameValue } from "../values";

/** Another name is another table; the old one is guarded by `onDelete`. */
const REPLACING = new Set(["schema", "name"]);

export function diffTable({ olds, oldInputs, news }: DiffRequest): Difference {
  const names = new Set([...Object.keys(oldInputs), ...Object.keys(news)]);
  // An import knows the table's key only. What a program declares beyond that is no change, but not compared either.
  const imported = olds.imported === true;
  const declared = [...names]
    .filter((name) => !name.startsWith("__") && !sameValue(oldInputs[name], news[name]))
    .filter((name) => !imported || oldInputs[name] !== undefined)
    .map((name): PropertyDifference => {
      const replaces = REPLACING.has(name) && oldInputs[name] !== undefined && news[name] !== UNKNOWN;
      if (replaces) return { path: name, kind: "updateReplace", inputDiff: true };
      if (oldInputs[name] === undefined) return { path: name, kind: "add", inputDiff: true };
      return { path: name, kind: news[name] === undefined ? "delete" : "update", inputDiff: true };
    });
  const shown = new Set(declared.map(({ path }) => path));
  const drift = (Array.isArray(olds.drift) ? olds.drift : [])
    .filter(isRecord)
    .map(({ path }): PropertyDifference => ({ path: String(path), kind: "update" }))
    .filter(({ path }) => !shown.has(path));
  const uncompared = imported && oldInputs.columns === undefined && news.columns !== undefined;
  return { differences: [...declared, ...drift], warnings: uncompared ? [uncomparedText(news)] : [] };
}

function uncomparedText({ schema, name }: Properties): string {
  return (
    `${schema}.${name} was imported. Whether its columns, keys and indexes are as declared is looked at by the next ` +
    "`pulumi refresh`, which shows every difference."
  );
}
