/**
 * From what is there to the smallest declaration of it. What is found is a guess until it has been expanded and planned
 * against what it was made from: only a declaration after which nothing is left to do is given.
 */
import { ATTRIBUTES, type AttributeGroup } from "../attributes";
import { entriesOf } from "../level";
import type { ActualLevel, ActualPartition, ActualSet } from "../model";
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
  const selected: Selection = ({ state, schema }) => state === "live" && schema === parent.schema;
  try {
    const level = levelToDescribe(parent.name, { ...parent, children: actual.children }, selected);
    const set = { schema: parent.schema, table: parent.name };
    const attempts = [false, true].map((exact) => () => {
      const described = describeLevel(level, { selected, options, known: new Map() }, exact);
      return settled(inputsOf(set, described), described.notes, actual);
    });
    return firstSettled(attempts, notesAbout(actual));
  } catch (error) {
    if (error instanceof Undeclarable) return { reasons: [error.message] };
    throw error;
  }
}

function inputsOf({ schema, table }: { schema: string; table: string }, described: LevelDescription): Properties {
  const { policy, partitions } = described;
  return {
    ...(schema === DEFAULTS.schema ? {} : { schema }),
    table,
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
function settled(inputs: Properties, notes: Note[], actual: ActualSet): Description {
  const elsewhere = all(actual.children).some(({ schema }) => schema !== actual.parent?.schema);
  const placed = elsewhere ? { ...inputs, unmanaged: "ignore" } : inputs;
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
  const declaresLess = second.declared < [...here(actual, actual.parent?.schema ?? "")].length;
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

function* here({ children }: Pick<ActualLevel, "children">, schema: string): Generator<ActualPartition> {
  for (const child of children) {
    if (child.state !== "live" || child.schema !== schema) continue;
    yield child;
    if (child.level !== undefined) yield* here(child.level, schema);
  }
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
function notesAbout({ children, parent, reorganizations = [] }: ActualSet): Note[] {
  const everyone = all(children);
  const pending = everyone.filter(({ state }) => state === "pending").map((table) => `${table.schema}.${table.name}`);
  const elsewhere = everyone.filter(({ state, schema }) => state === "live" && schema !== parent?.schema);
  return [
    ...pending.map((name): Note => {
      const what = `${name} is half detached by an interrupted DETACH CONCURRENTLY.`;
      return {
        severity: "warning",
        text: `${what} The next up finishes that (FINALIZE): the table stays, with its rows, beside the parent.`,
      };
    }),
    ...(elsewhere.length === 0 ? [] : [elsewhereNote(elsewhere, parent?.schema ?? "")]),
    ...(reorganizations.length === 0 ? [] : [unfinished]),
  ];
}

const unfinished: Note = {
  severity: "warning",
  text: "An update was interrupted while rows were being moved; the next up takes its copy away.",
};

function elsewhereNote(tables: readonly ActualPartition[], schema: string): Note {
  const schemas = [...new Set(tables.map((table) => table.schema))].sort().join(", ");
  return {
    severity: "warning",
    text:
      `${tables.length} partition(s) are in ${schemas}. A set declares partitions in the schema of their parent, ${schema}; those ` +
      "elsewhere stay attached and are left alone (unmanaged: ignore). ALTER TABLE … SET SCHEMA brings them here.",
  };
}
