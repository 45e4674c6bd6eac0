/** Check and Diff of a PartitionSet: no I/O, no clock. */
import { type Comparison, difference, replacedBy } from "../../topology/difference";
import { entriesOf, levelKey, type PlacedEntry } from "../../topology/level";
import type { DesiredPartition } from "../../topology/model";
import { comparisonFromChecked } from "../../topology/policy";
import { isAttached } from "../../topology/tiers";
import { UNKNOWN } from "../../topology/unknown";
import { declaredDifferences, type PropertyDifference } from "../difference";
import type { DiffRequest } from "../handler";
import { formatPath } from "../paths";
import { isRecord, type Properties } from "../values";
import { type RecordedPartition, withNewNames } from "./state";

/** Another parent is another set; its rows are guarded by `onDelete` when the old one goes. */
const REPLACING = new Set(["schema", "table"]);
/** Follow from other properties, or are compared partition by partition. */
const DERIVED = new Set(["partitions", "retired"]);

export function diffSet({ olds, oldInputs, news }: DiffRequest): {
  differences: PropertyDifference[];
  warnings: string[];
} {
  const policy = policyDifferences(olds, oldInputs, news);
  if (news.partitions === UNKNOWN) {
    return { differences: [...policy, { path: "partitions", kind: "update" }], warnings: [] };
  }
  const actual = partitionsOf<RecordedPartition>(olds);
  const desired = partitionsOf<DesiredPartition>(news);
  const comparison = comparisonFromChecked(news);
  const partitions = difference(desired, actual, comparison).map(
    ({ path, kind }): PropertyDifference => ({ path: formatPath(path), kind }),
  );
  const gone = (places: PlacedEntry<RecordedPartition>[]) =>
    places.map(({ path }): PropertyDifference => ({ path: formatPath(path), kind: "delete" }));
  const renamed = gone(renamedOutside(desired, actual, withNewNames(olds, oldInputs, news)));
  const known = new Set([...partitions, ...renamed].map(({ path }) => path));
  // With another division all that is below the table changes; the line of its key says it.
  const divided = (path: string[]) => formatPath([...path.slice(0, -TOP_LEVEL), "partitionBy"]);
  const undeclared = unmanaged(desired, actual).filter(
    ({ path }) => !known.has(formatPath(path)) && !known.has(divided(path)),
  );
  const moving = news.unmanaged !== "refuse" && news.reorganize !== "refuse";
  const giving = moving ? replaced(undeclared, desired, actual, comparison) : [];
  const strangers = undeclared.filter((place) => !giving.includes(place));
  const refused = news.unmanaged === "refuse" ? gone(strangers) : [];
  const names = strangers.map(({ name }) => name);
  return {
    differences: [...policy, ...partitions, ...renamed, ...gone(giving), ...refused],
    warnings: news.unmanaged === "report" && names.length > 0 ? [unmanagedText(news, names)] : [],
  };
}

/**
 * The declared policy. Right after an import only the names are compared: a program that says what the import found in other
 * words, such as a list of the partitions, describes no change. The imported inputs have not been through Check, which would have
 * filled in `onDelete`.
 */
function policyDifferences(olds: Properties, oldInputs: Properties, news: Properties): PropertyDifference[] {
  const fresh = olds.imported === true && oldInputs.onDelete === undefined;
  const compared = (name: string) => !DERIVED.has(name) && (!fresh || REPLACING.has(name));
  return declaredDifferences(oldInputs, news, REPLACING, compared);
}

/**
 * Partitions that bear another name than the declared one by which the state knows them. A detached one that is to stay
 * detached is left under its name, like everything else of it.
 */
function renamedOutside(
  desired: Record<string, DesiredPartition>,
  actual: Record<string, RecordedPartition>,
  { oids }: Properties,
): PlacedEntry<RecordedPartition>[] {
  const recorded = isRecord(oids) ? oids : {};
  const tiers = new Map([...entriesOf(desired, "")].map(({ name, entry }) => [name, entry.tier]));
  const declared = new Map(
    Object.entries(recorded).flatMap(([name, oid]) => {
      const tier = tiers.get(name);
      return tier === undefined ? [] : [[oid, tier] as const];
    }),
  );
  return [...entriesOf(actual, "")].filter(({ name, entry }) => {
    const tier = declared.get(recorded[name]);
    return !tiers.has(name) && tier !== undefined && !(tier === "detached" && entry.tier === tier);
  });
}

/** Attached partitions that the program does not know of, where they are. */
function unmanaged(
  desired: Record<string, DesiredPartition>,
  actual: Record<string, RecordedPartition>,
): PlacedEntry<RecordedPartition>[] {
  const declared = new Set([...entriesOf(desired, "")].map(({ path }) => formatPath(path)));
  return [...entriesOf(actual, "")].filter(
    ({ path, entry }) =>
      isAttached(entry.tier) &&
      !declared.has(formatPath(path)) &&
      (path.length === TOP_LEVEL || declared.has(formatPath(path.slice(0, -TOP_LEVEL)))),
  );
}

/** Parts of the path of a partition of the set's own table; each level below has as many more. */
const TOP_LEVEL = 2;

/** Those whose rows go to partitions that are missing beside them, under the same table. */
function replaced(
  undeclared: PlacedEntry<RecordedPartition>[],
  desired: Record<string, DesiredPartition>,
  actual: Record<string, RecordedPartition>,
  { keyTypes }: Comparison,
): PlacedEntry<RecordedPartition>[] {
  const levels = new Map<string, PlacedEntry<RecordedPartition>[]>();
  for (const place of undeclared) {
    const level = formatPath(place.path.slice(0, -TOP_LEVEL));
    levels.set(level, [...(levels.get(level) ?? []), place]);
  }
  return [...levels.values()].flatMap((places) => {
    const above = places[0]?.path.slice(0, -TOP_LEVEL) ?? [];
    const table = tableAt<DesiredPartition>({ partitions: desired }, above);
    const types = table?.partitionBy === undefined ? keyTypes : levelKey(table.partitionBy).keyTypes;
    const there = tableAt<RecordedPartition>({ partitions: actual }, above)?.partitions ?? {};
    const names = replacedBy(
      table?.partitions ?? {},
      there,
      places.map(({ name }) => name),
      types,
    );
    return places.filter(({ name }) => names.includes(name));
  });
}

/** What a table is divided into. */
type Divided<T> = { partitions?: Record<string, T>; partitionBy?: DesiredPartition["partitionBy"] };

/** The table at a path from the set, such as `partitions`, `events_eu`; the set itself for none. */
function tableAt<T extends Divided<T>>(table: Divided<T>, path: readonly string[]): Divided<T> | undefined {
  const [, name, ...rest] = path;
  if (name === undefined) return table;
  const { partitions = {} } = table;
  const next = Object.hasOwn(partitions, name) ? partitions[name] : undefined;
  return next === undefined ? undefined : tableAt(next, rest);
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
