/** Diff of a Table: declared properties, and the drift that the last refresh found. */
import { type Difference, declaredDifferences, driftDifferences } from "../difference";
import type { DiffRequest } from "../handler";
import { isRecord, type Properties } from "../values";

/** Another name is another table; the old one is guarded by `onDelete`. */
const REPLACING = new Set(["schema", "name"]);

export function diffTable({ olds, oldInputs, news }: DiffRequest): Difference {
  // An import knows the table's key only. What a program declares beyond that is no change, but not compared either.
  const imported = olds.imported === true;
  const compared = (name: string) => !imported || oldInputs[name] !== undefined;
  const declared = declaredDifferences(oldInputs, news, REPLACING, compared);
  const found = (Array.isArray(olds.drift) ? olds.drift : []).filter(isRecord).map(({ path }) => path);
  const uncompared = imported && oldInputs.columns === undefined && news.columns !== undefined;
  return {
    differences: [...declared, ...driftDifferences(found, declared)],
    warnings: uncompared ? [uncomparedText(news)] : [],
  };
}

function uncomparedText({ schema, name }: Properties): string {
  return (
    `${schema}.${name} was imported. Whether its columns, keys and indexes are as declared is looked at by the next ` +
    "`pulumi refresh`, which shows every difference."
  );
}
