/**
 * From what is there to the smallest declaration of it. What is found is a guess until it has been expanded and planned
 * against what it was made from: only a declaration after which nothing is left to do is given.
 */
import { ATTRIBUTES, type AttributeGroup } from "../attributes";
import { entriesOf } from "../level";
import type { ActualLevel, ActualPartition, ActualSet, RelationName } from "../model";
import { plan } from "../plan";
import { expand } from "../policy";
import { DEFAULTS } from "../policy/inputs";
import type { Finding, Plan } from "../steps";
import { describeLevel, levelToDescribe, type Selection, Undeclarable } from "./level";
import type { DescribeOptions, LevelDescription, Note, Properties } from "./model";

/** Inputs of a PartitionSet, or the reasons why there can be none. */
export type Description = { inputs: Properties; notes: Note[] } | { reasons: string[] };

/** Describes a partitioned table with everything below it. Pure. */
export function describeSet(actual: ActualSet, options: DescribeOptions): Description {
  const { parent } = actual;
  if (parent === undefined) return { reasons: ["There is no partitioned table of this name."] };
  const described = new Set(nameable(parent, actual.children));
  const selected: Selection = (partition) => described.has(partition);
  const set: Placed = { schema: parent.schema, table: parent.name, ...placeOfMost(parent, actual.children) };
  const place = { schema: set.partitionSchema ?? set.schema, name: set.table };
  try {
    const level = levelToDescribe(place, { ...parent, children: actual.children }, selected);
    const attempts = [false, true].map((exact) => () => {
      const found = describeLevel(level, { selected, options, known: new Map() }, exact);
      return settled(inputsOf(set, found), found.notes, actual, selected);
    });
    return firstSettled(attempts, notesAbout(actual, selected));
  } catch (error) {
    if (error instanceof Undeclarable) return { reasons: [error.message] };
    throw error;
  }
}

/** Properties that say where tables are. */
interface Placed {
  schema: string;
  table: string;
  partitionSchema?: string;
}

/** The schema of most partitions, when that is not their table's. */
function placeOfMost({ schema }: RelationName, children: readonly ActualPartition[]): Pick<Placed, "partitionSchema"> {
  const counts = new Map([[schema, 0]]);
  for (const child of children)
    if (child.state === "live") counts.set(child.schema, (counts.get(child.schema) ?? 0) + 1);
  const [[most] = [schema]] = [...counts].sort(([, a], [, b]) => b - a);
  return most === schema ? {} : { partitionSchema: most };
}

/** Live partitions of all levels whose names tell them apart: a declaration knows each by its name alone. */
function nameable(parent: RelationName, children: readonly ActualPartition[]): ActualPartition[] {
  const taken = new Set([parent.name]);
  const from = (level: readonly ActualPartition[]): ActualPartition[] =>
    level.flatMap((partition) => {
      if (partition.state !== "live" || taken.has(partition.name)) return [];
      taken.add(partition.name);
      return [partition, ...from(partition.level?.children ?? [])];
    });
  return from(children);
}

function inputsOf({ schema, table, ...place }: Placed, described: LevelDescription): Properties {
  const { policy, partitions } = described;
  return {
    ...(schema === DEFAULTS.schema ? {} : { schema }),
    table,
    ...place,
    ...policy,
    ...(Object.keys(partitions).length === 0 && !needsList(policy) ? {} : { partitions }),
  };
}

/** A LIST or HASH of which neither a policy nor any partition is known still has to say that it lists them. */
function needsList({ partitionBy }: Properties): boolean {
  const by = partitionBy as { list?: { values?: unknown }; hash?: { partitions?: unknown } };
  return (
    (by.list !== undefined && by.list.values === undefined) ||
    (by.hash !== undefined && by.hash.partitions === undefined)
  );
}

function firstSettled(attempts: readonly (() => Description)[], about: Note[]): Description {
  let last: Description = { reasons: [] };
  for (const attempt of attempts) {
    last = attempt();
    if ("inputs" in last) return { inputs: last.inputs, notes: [...last.notes, ...about] };
  }
  return last;
}

/** The inputs with what they need beside the policy so that nothing is left to do; reasons when something is. */
function settled(inputs: Properties, notes: Note[], actual: ActualSet, selected: Selection): Description {
  const placed = undescribed(actual, selected).length > 0 ? { ...inputs, unmanaged: "ignore" } : inputs;
  const first = planOf(placed, actual);
  if ("reasons" in first) return first;
  const children = toleratedGroups(first.plan, actual);
  const tolerated = Object.keys(children).length > 0;
  const final = tolerated ? { ...placed, children } : placed;
  const second = tolerated ? planOf(final, actual) : first;
  if ("reasons" in second) return second;
  const { steps, findings } = second.plan;
  const left = steps.filter(({ kind }) => kind !== "finalizeDetach" && kind !== "abandonReorganization");
  const errors = findings.filter(({ severity }) => severity === "error");
  // What is not declared is left alone, so that no step shows it.
  const declaresLess = second.declared < all(actual.children).filter(selected).length;
  if (left.length > 0 || errors.length > 0 || declaresLess)
    return { reasons: [...left.map(({ id, reason }) => `${id}: ${reason}`), ...errors.map(({ reason }) => reason)] };
  return { inputs: final, notes: [...notes, ...attributeNotes(findings), ...groupNotes(children)] };
}

/** The plan of a declaration, and how many partitions it declares on all levels. */
function planOf(inputs: Properties, actual: ActualSet): { plan: Plan; declared: number } | { reasons: string[] } {
  const { desired, failures } = expand(inputs);
  if (desired === undefined) return { reasons: failures.map(({ property, reason }) => `${property}: ${reason}`) };
  const declared = [...entriesOf(desired.partitions, desired.table)].length;
  return { plan: plan(desired, actual, {}), declared };
}

/** Live partitions that no declaration can name; what is below them is left with them. */
function undescribed({ children }: Pick<ActualLevel, "children">, selected: Selection): ActualPartition[] {
  return children.flatMap((child) => {
    if (child.state !== "live") return [];
    return selected(child) ? undescribed(child.level ?? { children: [] }, selected) : [child];
  });
}

/** Groups in which partitions differ from their parent: their differences are to be shown, not put right. */
function toleratedGroups({ steps, indexes = [] }: Plan, actual: ActualSet): Record<string, string> {
  const differing = new Set(
    steps.flatMap(({ differences = [] }) => differences.map(({ attribute }) => ATTRIBUTES[attribute].group)),
  );
  if (indexes.length > 0) differing.add("indexes");
  // One that is too large to be put right is refused instead of planned.
  for (const { differences = [] } of all(actual.children))
    for (const { attribute } of differences)
      if (attribute === "persistence") differing.add(ATTRIBUTES[attribute].group);
  const groups: AttributeGroup[] = [...differing].sort();
  return Object.fromEntries(groups.map((group) => [group, "report"]));
}

function groupNotes(children: Record<string, string>): Note[] {
  const groups = Object.keys(children);
  if (groups.length === 0) return [];
  const text = `Partitions differ from their parent in ${groups.join(", ")}: children leaves that as it is. Take a group out to have it put right.`;
  return [{ severity: "warning", text }];
}

function attributeNotes(findings: readonly Finding[]): Note[] {
  const about = findings.filter(({ path, severity }) => path === "children" && severity === "warning");
  return about.map(({ reason }) => ({ severity: "info", text: reason }));
}

function all(children: readonly ActualPartition[]): ActualPartition[] {
  return children.flatMap((child) => [child, ...all(child.level?.children ?? [])]);
}

/** What is there besides partitions that can be declared. */
function notesAbout({ children, reorganizations = [] }: ActualSet, selected: Selection): Note[] {
  const everyone = all(children);
  const pending = everyone.filter(({ state }) => state === "pending").map((table) => `${table.schema}.${table.name}`);
  const nameless = undescribed({ children }, selected);
  return [
    ...pending.map((name): Note => {
      const what = `${name} is half detached by an interrupted DETACH CONCURRENTLY.`;
      return {
        severity: "warning",
        text: `${what} The next up finishes that (FINALIZE): the table stays, with its rows, beside the parent.`,
      };
    }),
    ...(nameless.length === 0 ? [] : [namelessNote(nameless)]),
    ...(reorganizations.length === 0 ? [] : [unfinished]),
  ];
}

const unfinished: Note = {
  severity: "warning",
  text: "An update was interrupted while rows were being moved; the next up takes its copy away.",
};

function namelessNote(tables: readonly ActualPartition[]): Note {
  const names = tables.map(({ schema, name }) => `${schema}.${name}`).join(", ");
  return {
    severity: "warning",
    text:
      `${names}: another table of this set bears the same name in another schema, and a declaration knows partitions by ` +
      "their names. They stay attached and are left alone (unmanaged: ignore). ALTER TABLE … RENAME tells them apart.",
  };
}
