/** The partitions that a policy stands for, before they are put beside the explicit ones. */
import { boundKey, canonicalBound, describeBound } from "../bounds";
import type { PartitionBound, PartitionKey, Tier } from "../model";
import { type Naming, nameProblem, parseTemplate, placeholdersOf, render, type Template } from "../names";
import { attempt } from "../values";
import { changePath } from "./grids";
import type { ExplicitInputs, Inputs } from "./inputs";
import type { Partitioning } from "./partitioning";
import { type AgedPeriod, MAX_PARTITIONS } from "./periods";
import { fail, join, type Report } from "./reader";

/** One partition on its way into the expanded set. */
export interface Entry {
  name: string;
  /** Where it is declared to be, by itself or by what is above it. */
  schema?: string;
  bound: PartitionBound;
  tier: Tier;
  /** The property that it comes from. */
  path: string;
  /** Listed by the program itself, so that its tier is not the lifecycle's. */
  explicit?: boolean;
  /** Declared by the last update and left out by the program since. */
  removed?: true;
  /** Generation expressions of its own, by column. */
  generated?: Record<string, string>;
  /** What the program says about its own partitions. */
  inside?: Pick<Partial<ExplicitInputs>, "partitionBy" | "partitions" | "leaf" | "removed">;
  /** Declared to be an undivided table. */
  leaf?: true;
  /** Its own partitions; not there for a leaf. */
  level?: { partitionBy: PartitionKey; entries: Entry[] };
}

/** Templates of a set, read. */
export interface Templates {
  partitions: Template;
  /** Those of the periods, for each stretch. */
  stretches: Template[];
  default: Template;
}

/** Reads the templates of resolved naming; undefined when one is wrong (then reported). */
export function readTemplates(
  naming: Naming,
  declared: Inputs["naming"] | undefined,
  partitioning: Partitioning,
  report: Report,
): Templates | undefined {
  const path = (key: string) => (typeof declared === "object" ? join("naming", key) : "naming");
  const allowed = placeholdersOf(partitioning);
  const read = (text: string, place: string, placeholders: string[]): Template | undefined => {
    const template = attempt(() => parseTemplate(text, placeholders));
    return "value" in template ? template.value : fail(report, place, template.reason);
  };
  const partitions = read(naming.partitions, path("partitions"), allowed);
  const fallback = read(naming.default, path("default"), ["table"]);
  const changed = (partitioning.stretches ?? []).slice(1);
  const later = changed.map((stretch, index) => read(stretch.naming, `${changePath(index)}.naming`, allowed));
  if (partitions === undefined || fallback === undefined || later.includes(undefined)) return undefined;
  const stretches = [partitions, ...later.filter((template) => template !== undefined)];
  return { partitions, stretches, default: fallback };
}

/** What the policy entries of a set are made from. */
export interface EntryContext {
  table: string;
  partitioning: Partitioning;
  templates: Templates;
  report: Report;
}

/** Periods that are listed: all but the dropped ones, which are only listed while `listsDropped` says so. */
export function periodEntries(
  { table, partitioning, templates }: EntryContext,
  aged: readonly AgedPeriod[],
  listsDropped: (bound: PartitionBound) => boolean,
): Entry[] {
  return aged.flatMap((period) => {
    const { bound, stretch, tier } = period;
    const template = templates.stretches[stretch];
    if (template === undefined || (tier === "dropped" && !listsDropped(bound))) return [];
    const name = render(template, table, { period }, partitioning.stretches);
    return [{ name, bound, tier, path: stretch === 0 ? "naming" : `${changePath(stretch - 1)}.naming` }];
  });
}

/** One entry for each HASH remainder. */
export function hashEntries({ table, templates, report }: EntryContext, modulus: number): Entry[] {
  if (modulus > MAX_PARTITIONS) {
    fail(report, "partitionBy.hash.partitions", `must be at most ${MAX_PARTITIONS}`);
    return [];
  }
  return Array.from({ length: modulus }, (_, remainder) => {
    const name = render(templates.partitions, table, { remainder });
    return { name, bound: { modulus, remainder }, tier: "live", path: "naming" };
  });
}

/** One entry for each LIST partition. A value that stands twice is refused where it stands the second time. */
export function listEntries(context: EntryContext, lists: NonNullable<Partitioning["lists"]>): Entry[] {
  const { table, partitioning, templates, report } = context;
  const owners = new Map<string, string>();
  return [...lists].flatMap(([key, values]) => {
    const path = join("partitionBy.list.values", key);
    const canonical = values.flatMap((value, index) => {
      const one = attempt(() => canonicalBound({ values: [value] }, partitioning.keyTypes, partitioning.timezone));
      if ("reason" in one) {
        fail(report, `${path}[${index}]`, one.reason);
        return [];
      }
      const id = boundKey(one.value, partitioning.keyTypes);
      const owner = owners.get(id);
      if (owner !== undefined)
        fail(report, `${path}[${index}]`, `the value ${JSON.stringify(value)} is in ${JSON.stringify(owner)} already`);
      owners.set(id, owner ?? key);
      return [value];
    });
    if (canonical.length === 0) return [];
    const bound = canonicalBound({ values: canonical }, partitioning.keyTypes, partitioning.timezone);
    return [{ name: render(templates.partitions, table, { value: key }), bound, tier: "live", path }];
  });
}

/** The DEFAULT partition. */
export function defaultEntry({ table, templates }: EntryContext): Entry {
  const name = render(templates.default, table, { default: true });
  return { name, bound: { default: true }, tier: "live", path: "defaultPartition" };
}

/** Every entry of every level. */
function* allOf(entries: readonly Entry[]): Generator<Entry> {
  for (const entry of entries) {
    yield entry;
    if (entry.level !== undefined) yield* allOf(entry.level.entries);
  }
}

/** Names must be usable, unlike the parent's, and unlike each other. One report for each property is enough. */
export function checkNames(entries: readonly Entry[], table: string, report: Report): void {
  const owners = new Map<string, Entry>();
  const reported = new Set<string>();
  // A clash of the two is the listed one's: it is the name that somebody wrote.
  const listed = ({ inside }: Entry) => Number(inside !== undefined);
  for (const entry of [...allOf(entries)].sort((a, b) => listed(a) - listed(b))) {
    const problem = nameProblem(entry.name) ?? ownName(entry, table) ?? twice(entry, owners.get(entry.name));
    owners.set(entry.name, owners.get(entry.name) ?? entry);
    if (problem === undefined || reported.has(entry.path)) continue;
    reported.add(entry.path);
    fail(report, entry.path, problem);
  }
}

function ownName({ name }: Entry, table: string): string | undefined {
  return name === table ? `the name ${JSON.stringify(name)} is that of the partitioned table itself` : undefined;
}

function twice({ name, bound, path }: Entry, other: Entry | undefined): string | undefined {
  if (other === undefined) return undefined;
  const both = `the name ${JSON.stringify(name)} stands for ${describeBound(other.bound)} and for ${describeBound(bound)}`;
  return path.endsWith("naming") ? `${both}: the template needs a placeholder that tells them apart` : both;
}
