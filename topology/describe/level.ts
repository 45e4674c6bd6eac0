/** One partitioned table of a tree in words: a policy where there is one, explicit partitions for the rest. */
import { isMomentType, isNumberType, keyClass } from "../keys";
import { partitionKey, plainType } from "../level";
import type { ActualLevel, ActualPartition, PartitionBound, RelationName } from "../model";
import { hashPolicy, listPolicy, listValue } from "./groups";
import type { DescribedLevel, DescribeOptions, FoundPolicy, LevelDescription, Note, Properties } from "./model";
import { numberIfSafe, rangePolicy } from "./range";

/** A key that cannot be declared, such as an expression. */
export class Undeclarable extends Error {}

/** Which partitions can be declared: live ones, of each name one. */
export type Selection = (partition: ActualPartition) => boolean;

/** What is the same for all levels. */
export interface Describing {
  selected: Selection;
  options: DescribeOptions;
  /** What is below a partition, described once. */
  known: Map<ActualPartition, LevelDescription>;
}

/** The level of a table, as far as it is to be declared; `schema` is where its partitions are, or most of them. */
export function levelToDescribe(
  { schema, name: table }: RelationName,
  { strategy, keyColumns, keyTypes, children }: Pick<ActualLevel, "strategy" | "keyColumns" | "keyTypes" | "children">,
  selected: Selection,
  rangeColumns: string[] = [],
): DescribedLevel {
  const columns = keyColumns.map((column) => {
    if (column !== null) return column;
    throw new Undeclarable(
      `The partition key of ${table} has an expression. No declaration has a word for that in this version: leave the ` +
        "table as it is, or make a new one whose key is a (generated) column's own values and move the rows.",
    );
  });
  return { table, schema, strategy, keyColumns: columns, keyTypes, children: children.filter(selected), rangeColumns };
}

/** The smallest description. `exact`: every partition is listed, no policy is looked for. */
export function describeLevel(level: DescribedLevel, describing: Describing, exact = false): LevelDescription {
  const found = exact ? undefined : policyFor(level, describing.options);
  const below = exact ? undefined : commonDivision(level, describing);
  const fallback = found && defaultNaming(level, found.policy);
  const policy: Properties = {
    ...(found?.policy ?? { partitionBy: plainKey(level) }),
    ...fallback,
    ...(below === undefined ? {} : { subPartitionBy: below.policy }),
  };
  const covered = new Set([...(found?.covered ?? []), ...(fallback === undefined ? [] : defaultNames(level))]);
  const partitions = Object.fromEntries(
    level.children.flatMap((child): [string, Properties][] => {
      const inside = insideOf(child, level, below, describing);
      const place = child.schema === level.schema ? undefined : { schema: child.schema };
      if (covered.has(child.name) && inside === undefined && place === undefined) return [];
      return [[child.name, { ...writtenBound(child.bound, level), ...place, ...inside }]];
    }),
  );
  return { policy, partitions, notes: distinct([...(found?.notes ?? []), ...(below?.notes ?? [])]) };
}

function distinct(notes: readonly Note[]): Note[] {
  return [...new Map(notes.map((note) => [note.text, note])).values()];
}

function policyFor(level: DescribedLevel, options: DescribeOptions): FoundPolicy | undefined {
  if (level.strategy === "range") return rangePolicy(level, options);
  return level.strategy === "list" ? listPolicy(level) : hashPolicy(level);
}

function plainKey({ strategy, keyColumns, keyTypes }: DescribedLevel): unknown {
  return partitionKey({ strategy, keyColumns, keyTypes: keyTypes.map(plainType) });
}

function defaultNames({ children }: DescribedLevel): string[] {
  return children.filter(({ bound, level }) => "default" in bound && level === undefined).map(({ name }) => name);
}

/** `defaultPartition` with its name, beside a policy. One that is divided is listed. */
function defaultNaming(level: DescribedLevel, { naming }: Properties): Properties | undefined {
  const [name] = defaultNames(level);
  if (name === undefined || /[{}]/.test(name)) return undefined;
  if (name === `${level.table}_default`) return { defaultPartition: true };
  const template = name.startsWith(level.table) ? `{table}${name.slice(level.table.length)}` : name;
  return {
    defaultPartition: true,
    naming: { ...(naming === undefined ? {} : { partitions: naming }), default: template },
  };
}

/** The bound of an explicit partition as a program would write it. */
export function writtenBound(bound: PartitionBound, { keyTypes }: Pick<DescribedLevel, "keyTypes">): Properties {
  if ("values" in bound) return { values: bound.values.map((value) => listValue(keyTypes[0], value)) };
  if (!("from" in bound)) return { ...bound };
  const end = (datum: string | string[]) => {
    const written = [datum].flat().map((text, index) => rangeValue(keyTypes[index], text));
    return typeof datum === "string" ? written[0] : written;
  };
  return { from: end(bound.from), to: end(bound.to) };
}

function rangeValue(type: string | undefined, text: string): string | number {
  const kind = keyClass(type);
  return isNumberType(kind) && kind !== "numeric" && !isMomentType(kind) ? numberIfSafe(text) : text;
}

/** How most partitions of a level are divided further. */
interface Division {
  policy: Properties;
  /** The policy as text, by which equal ones are told. */
  text: string;
  notes: Note[];
}

function commonDivision(level: DescribedLevel, describing: Describing): Division | undefined {
  const counts = new Map<string, Division & { count: number }>();
  for (const child of level.children) {
    if (child.level === undefined || "default" in child.bound) continue;
    const { policy, notes } = described(child, child.level, level, describing);
    const text = JSON.stringify(policy);
    const known = counts.get(text);
    counts.set(text, { policy, text, notes, count: (known?.count ?? 0) + 1 });
  }
  return [...counts.values()].sort((a, b) => b.count - a.count)[0];
}

function described(
  child: ActualPartition,
  inside: ActualLevel,
  above: DescribedLevel,
  describing: Describing,
  exact = false,
): LevelDescription {
  const before = exact ? undefined : describing.known.get(child);
  if (before !== undefined) return before;
  const rangeColumns = [...above.rangeColumns, ...(above.strategy === "range" ? above.keyColumns : [])];
  const level = levelToDescribe(child, inside, describing.selected, rangeColumns);
  const description = describeLevel(level, describing, exact);
  if (!exact) describing.known.set(child, description);
  return description;
}

/** What an explicit entry has to say about the partition's own partitions; undefined when the level says it. */
function insideOf(
  child: ActualPartition,
  level: DescribedLevel,
  common: Division | undefined,
  describing: Describing,
): Properties | undefined {
  const isDefault = "default" in child.bound;
  if (child.level === undefined) return common === undefined || isDefault ? undefined : { leaf: true };
  if (common !== undefined && !isDefault) {
    const { policy, partitions } = described(child, child.level, level, describing);
    if (JSON.stringify(policy) === common.text)
      return Object.keys(partitions).length === 0 ? undefined : { partitions };
  }
  const { policy, partitions } = described(child, child.level, level, describing, true);
  return { partitionBy: policy.partitionBy, partitions };
}
