/** From the policies of the levels and the explicit entries to the tree of partitions that a set declares. */
import { momentOf } from "../axis";
import { boundKey, compareBounds } from "../bounds";
import { MAX_LEVELS, partitionKey, record } from "../level";
import type { PartitionBound } from "../model";
import { axisOf } from "../stretches";
import { isAttached } from "../tiers";
import { attempt } from "../values";
import { defaultEntry, type Entry, type EntryContext, hashEntries, listEntries, periodEntries } from "./entries";
import { type Explicit, explicitEntries, mergeEntries } from "./explicit";
import { DEFAULTS, type Inputs, readDivided } from "./inputs";
import { BELOW, type LevelPolicy, property, refuseNoPartitions, resolvePolicy } from "./levels";
import { MAX_PARTITIONS } from "./periods";
import { fail, join, type Report, within } from "./reader";
import { removedEntries } from "./removed";
import { undividedIn } from "./undivided";

/** One partitioned table of the tree. */
interface TableRequest {
  table: string;
  /** Where its partitions are, unless its level says otherwise; undefined: nothing was said. */
  schema?: string;
  /** Where an entry above says that it is with all that is below it. */
  said?: string;
  /** Levels down to its partitions. */
  depth: number;
  explicit: readonly Explicit[];
  /** The inputs of its level in the last update. */
  old: Record<string, unknown>;
  /** Its partitions as the last update declared them. */
  oldPartitions: unknown;
}

/** What is the same for all tables. */
interface Growth {
  report: Report;
  /** Partitions so far. */
  count: number;
}

/** The partitions of a set with everything below them, in order of their bounds. `old`: the inputs of the last update. */
export function treeEntries(
  policy: LevelPolicy,
  table: string,
  explicit: readonly Explicit[],
  old: Record<string, unknown>,
  report: Report,
): Entry[] {
  const { schema: place = DEFAULTS.schema } = policy.inputs;
  // Another table's partitions may bear the same names.
  const oldPartitions = old.table === table && old.schema === place ? old.partitions : undefined;
  const request = { table, depth: 1, explicit, old, oldPartitions };
  return tableEntries(policy, request, { report, count: 0 });
}

function tableEntries(policy: LevelPolicy, request: TableRequest, growth: Growth): Entry[] {
  const { report } = growth;
  if (growth.count > MAX_PARTITIONS) return [];
  const types = policy.partitioning.keyTypes;
  const declared = mergeEntries(policyEntries(policy, request, report), request.explicit, types, report);
  const entries = [...declared, ...removedEntries(policy, request.oldPartitions, declared)];
  entries.sort((a, b) => compareBounds(a.bound, b.bound, types));
  growth.count += entries.length;
  if (growth.count > MAX_PARTITIONS) {
    fail(report, policy.path || "partitionBy", `comes to more than ${MAX_PARTITIONS} partitions on all levels`);
    return entries;
  }
  const usual = policy.inputs.partitionSchema ?? request.schema;
  const isUndivided = undividedIn(request.oldPartitions, types);
  return entries.map((found) => {
    const said = found.schema ?? request.said;
    const entry = { ...found, schema: said ?? usual };
    const level = isAttached(entry.tier) ? levelOf(policy, entry, { ...request, said }, growth) : undefined;
    if (level !== undefined) return { ...entry, level };
    return isUndivided(entry) ? { ...entry, leaf: true } : entry;
  });
}

function levelOf(policy: LevelPolicy, entry: Entry, request: TableRequest, growth: Growth): Entry["level"] {
  const below = divisionOf(policy, entry, growth.report);
  if (below === undefined) return undefined;
  if (request.depth >= MAX_LEVELS)
    return fail(growth.report, join(entry.path, "partitionBy"), `a table can be divided on ${MAX_LEVELS} levels`);
  const entries = tableEntries(
    below.policy,
    {
      table: entry.name,
      schema: entry.schema,
      said: request.said,
      depth: request.depth + 1,
      explicit: below.explicit,
      old: { asOf: request.old.asOf, ...record(property(request.old, BELOW)) },
      oldPartitions: property(property(request.oldPartitions, entry.name), "partitions"),
    },
    growth,
  );
  return { partitionBy: partitionKey(below.policy.partitioning), entries };
}

/** How the rows of one partition are divided. */
interface Division {
  policy: LevelPolicy;
  explicit: Explicit[];
}

/** By what the entry says itself, or by the level's policy. DEFAULT is only divided when it says so itself. */
function divisionOf({ below }: LevelPolicy, entry: Entry, report: Report): Division | undefined {
  const { inside = {}, path, bound } = entry;
  if (inside.removed !== undefined && inside.partitionBy === undefined)
    fail(
      report,
      join(path, "removed"),
      `needs partitionBy beside it; what ${BELOW} divides has the one that is said there`,
    );
  if (inside.leaf === true) {
    for (const key of ["partitionBy", "partitions"] as const)
      if (inside[key] !== undefined) fail(report, join(path, key), "is not for a leaf");
    return undefined;
  }
  if (inside.partitionBy !== undefined)
    return placed(
      path,
      within(report, path, (own) => ownDivision(inside, own)),
    );
  if (below !== undefined && !("default" in bound)) {
    const explicit = within(report, path, (own) =>
      explicitEntries(readDivided({ partitions: inside.partitions }, own), below.partitioning, own),
    );
    return placed(path, { policy: below, explicit });
  }
  if (inside.partitions !== undefined)
    fail(report, join(path, "partitions"), `needs partitionBy beside it, or ${BELOW} on the level above`);
  return undefined;
}

/** Failures name entries by their whole path. */
function placed(path: string, division: Division | undefined): Division | undefined {
  if (division === undefined) return undefined;
  return { ...division, explicit: division.explicit.map((entry) => ({ ...entry, path: `${path}.${entry.path}` })) };
}

function ownDivision(inside: NonNullable<Entry["inside"]>, report: Report): Division | undefined {
  const inputs: Partial<Inputs> = readDivided(inside, report);
  if (inputs.partitionBy?.range?.every !== undefined)
    return fail(report, "partitionBy.range.every", `is for ${BELOW}; list the partitions in partitions here`);
  const policy = resolvePolicy(inputs, {}, report);
  if (policy === undefined) return undefined;
  refuseNoPartitions(policy, report);
  return { policy, explicit: explicitEntries(inputs, policy.partitioning, report) };
}

function policyEntries(policy: LevelPolicy, request: TableRequest, report: Report): Entry[] {
  const { partitioning, templates, aged, inputs, path } = policy;
  if (templates === undefined) return [];
  const { lists, modulus, strategy } = partitioning;
  const make = (own: Report): Entry[] => {
    const context: EntryContext = { table: request.table, partitioning, templates, report: own };
    return [
      ...periodEntries(context, aged, listsDropped(policy, request)),
      ...(lists === undefined ? [] : listEntries(context, lists)),
      ...(modulus === undefined ? [] : hashEntries(context, modulus)),
      ...(inputs.defaultPartition === true && strategy !== "hash" ? [defaultEntry(context)] : []),
    ];
  };
  if (path === "") return make(report);
  return within(report, path, make).map((entry) => ({ ...entry, path: `${path}.${entry.path}` }));
}

/**
 * Dropped periods are listed while they are news: when the last update still had them, as long as asOf stands where it
 * stood when they were dropped, and when the program lists them itself.
 */
function listsDropped(
  { schedule, partitioning }: LevelPolicy,
  { old, oldPartitions, explicit }: TableRequest,
): (bound: PartitionBound) => boolean {
  if (schedule === undefined) return () => false;
  const types = partitioning.keyTypes;
  const sameTime = attempt(() => momentOf(axisOf(schedule.stretches), String(old.asOf)));
  const unmoved = "value" in sameTime && sameTime.value === schedule.asOf;
  const listed = Object.values(record(oldPartitions) as Record<string, PartitionBound & { tier: string }>)
    .filter(({ tier }) => tier !== "dropped" || unmoved)
    .map((partition) => boundKey(partition, types));
  const keys = new Set([...listed, ...explicit.map(({ bound }) => boundKey(bound, types))]);
  return (bound) => keys.has(boundKey(bound, types));
}
