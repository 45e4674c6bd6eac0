/** Check and Diff of a PartitionSet: no I/O, no clock. */
import { difference } from "../../topology/difference";
import type { DesiredPartition } from "../../topology/model";
import { UNKNOWN } from "../../topology/unknown";
import type { DiffRequest, PropertyDifference } from "../handler";
import { formatPath } from "../paths";
import { isRecord, type Properties, sameValue } from "../values";
import type { RecordedPartition } from "./state";

/** Another parent is another set; its rows are guarded by `onDelete` when the old one goes. */
const REPLACING = new Set(["schema", "table"]);
/** Follow from other properties, or are compared partition by partition. */
const DERIVED = new Set(["partitions", "retired"]);

export function diffSet({ olds, oldInputs, news }: DiffRequest): {
  differences: PropertyDifference[];
  warnings: string[];
} {
  const actual = partitionsOf<RecordedPartition>(olds);
  const desired = partitionsOf<DesiredPartition>(news);
  const strangers = news.partitions === UNKNOWN ? [] : unmanaged(desired, actual, news);
  const refused = news.unmanaged === "refuse" ? strangers : [];
  return {
    differences: [
      ...policyDifferences(olds, oldInputs, news),
      ...partitionDifferences(desired, actual, news),
      ...refused.map((name): PropertyDifference => ({ path: formatPath(["partitions", name]), kind: "delete" })),
    ],
    warnings: news.unmanaged === "report" && strangers.length > 0 ? [unmanagedText(news, strangers)] : [],
  };
}

/**
 * The declared policy. After an import it is not compared: the imported inputs list partitions one by one, and a program
 * that says the same by a policy describes no change.
 */
function policyDifferences(olds: Properties, oldInputs: Properties, news: Properties): PropertyDifference[] {
  if (olds.imported === true) return [];
  const names = new Set([...Object.keys(oldInputs), ...Object.keys(news)]);
  return [...names]
    .filter((name) => !DERIVED.has(name) && !name.startsWith("__") && !sameValue(oldInputs[name], news[name]))
    .map((name) => ({ path: name, kind: policyKind(name, oldInputs, news), inputDiff: true }));
}

function policyKind(name: string, before: Properties, after: Properties): PropertyDifference["kind"] {
  if (REPLACING.has(name) && before[name] !== undefined && after[name] !== UNKNOWN) return "updateReplace";
  if (before[name] === undefined) return "add";
  return after[name] === undefined ? "delete" : "update";
}

function partitionDifferences(
  desired: Record<string, DesiredPartition>,
  actual: Record<string, RecordedPartition>,
  news: Properties,
): PropertyDifference[] {
  if (news.partitions === UNKNOWN) return [{ path: "partitions", kind: "update" }];
  return difference(desired, actual).map(({ path, kind }) => ({ path: formatPath(path), kind }));
}

/** Attached partitions that the program does not know of, and that its lifecycle has not given up either. */
function unmanaged(
  desired: Record<string, DesiredPartition>,
  actual: Record<string, RecordedPartition>,
  news: Properties,
): string[] {
  const retired = isRecord(news.retired) ? news.retired : undefined;
  return Object.entries(actual)
    .filter(([name, { tier }]) => tier === "live" && !Object.hasOwn(desired, name))
    .filter(([, bound]) => !(retired && "to" in bound && String(bound.to) <= String(retired.before)))
    .map(([name]) => name);
}

function unmanagedText(news: Properties, names: string[]): string {
  const shown = names.slice(0, 20).join(", ");
  const more = names.length > 20 ? ` and ${names.length - 20} more` : "";
  return (
    `${news.schema}.${news.table} has ${names.length} attached partition(s) that nobody declares: ${shown}${more}. ` +
    `Nothing is done to them. Declare them in \`partitions\`, or set \`unmanaged\` to "ignore" or "refuse".`
  );
}

function partitionsOf<T>(properties: Properties): Record<string, T> {
  return (isRecord(properties.partitions) ? properties.partitions : {}) as Record<string, T>;
}
