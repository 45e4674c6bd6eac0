/** From the policy that a program declares to the partitions it stands for. */
import { momentOf } from "./axis";
import { boundKey, compareBounds } from "./bounds";
import { isMomentType, isNumberType, keyClass } from "./keys";
import type { DesiredPartition, DesiredSet, InputFailure, PartitionBound, RangeKeyType } from "./model";
import { type Naming, resolveNaming } from "./names";
import {
  checkNames,
  defaultEntry,
  type Entry,
  type EntryContext,
  hashEntries,
  listEntries,
  periodEntries,
  readTemplates,
} from "./policy/entries";
import { type Explicit, explicitEntries, mergeEntries, strategyRule } from "./policy/explicit";
import { DEFAULTS, type Inputs, needsUnknown, readInputs } from "./policy/inputs";
import { defined, type Partitioning, resolvePartitioning } from "./policy/partitioning";
import {
  type AgedPeriod,
  agedPeriods,
  readMoments,
  resolveSchedule,
  retiredRange,
  type Schedule,
  standInAxis,
  tierReason,
} from "./policy/periods";
import { fail, type Report } from "./policy/reader";
import { axisOf } from "./stretches";
import { UNKNOWN } from "./unknown";
import { attempt } from "./values";

/** What `expand()` makes of the inputs. */
export interface Expansion {
  /** The expanded set; undefined when an input failed or is not known yet. */
  desired?: DesiredSet;
  /** The inputs with defaults filled in and `partitions` expanded (`UNKNOWN` when something it needs is unknown). */
  checked: Record<string, unknown>;
  /** Everything that is wrong, at once. */
  failures: InputFailure[];
}

/** What the inputs come to. */
interface Resolved {
  inputs: Partial<Inputs>;
  partitioning: Partitioning;
  schedule?: Schedule;
  naming?: Naming;
  entries: Entry[];
  retired?: DesiredSet["retired"];
}

/** Validates and expands the inputs of a PartitionSet; `old` are the checked inputs of the last update. Pure. */
export function expand(raw: Record<string, unknown>, old: Record<string, unknown> = {}): Expansion {
  const report: Report = { failures: [], unknown: [] };
  const inputs = readInputs(raw, report);
  const resolved = resolve(inputs, old, report);
  if (resolved === undefined || needsUnknown(report) || report.failures.length > 0)
    return { checked: unexpanded(raw, needsUnknown(report)), failures: report.failures };
  const checked = checkedInputs(raw, resolved);
  return { desired: desiredFromChecked(checked), checked, failures: [] };
}

/** Defaults of the properties that stand alone. */
const PLAIN_DEFAULTS = {
  schema: DEFAULTS.schema,
  defaultPartition: DEFAULTS.defaultPartition,
  unmanaged: DEFAULTS.unmanaged,
  onDelete: DEFAULTS.onDelete,
  viewLimit: DEFAULTS.viewLimit,
};

function unexpanded(raw: Record<string, unknown>, unknown: boolean): Record<string, unknown> {
  return { ...PLAIN_DEFAULTS, ...defined(raw), ...(unknown ? { partitions: UNKNOWN } : {}) };
}

function resolve(inputs: Partial<Inputs>, old: Record<string, unknown>, report: Report): Resolved | undefined {
  const partitioning = resolvePartitioning(inputs, report);
  if (partitioning === undefined) {
    const standIn = standInAxis(inputs, report);
    if (standIn !== undefined) readMoments(inputs, standIn, report);
    return undefined;
  }
  refuseMisplaced(inputs, partitioning, report);
  refuseNoPartitions(inputs, partitioning, report);
  const { stretches, keyTypes } = partitioning;
  const schedule = stretches && resolveSchedule(inputs, stretches, property(old.window, "from"), report);
  const explicit = explicitEntries(inputs, partitioning, report);
  const aged = schedule === undefined ? [] : agedPeriods(schedule, report);
  const naming = attempt(() => resolveNaming(inputs.naming, partitioning));
  if ("reason" in naming) fail(report, "naming", naming.reason);
  const templates = "value" in naming ? readTemplates(naming.value, inputs.naming, partitioning, report) : undefined;
  const listed = listsDropped(old, schedule, explicit, keyTypes);
  const policy =
    templates === undefined || inputs.table === undefined
      ? []
      : policyEntries({ table: inputs.table, partitioning, templates, report }, inputs, aged, listed);
  const entries = mergeEntries(policy, explicit, keyTypes, report);
  if (inputs.table !== undefined) checkNames(entries, inputs.table, report);
  entries.sort((a, b) => compareBounds(a.bound, b.bound, keyTypes));
  const retired = schedule && retiredRange(schedule, aged);
  return { inputs, partitioning, schedule, naming: "value" in naming ? naming.value : undefined, entries, retired };
}

/** Properties that only a RANGE policy with periods can follow. */
function refuseMisplaced(inputs: Partial<Inputs>, { strategy, stretches }: Partitioning, report: Report): void {
  if (strategy === "hash" && inputs.defaultPartition === true)
    fail(report, "defaultPartition", "HASH has no DEFAULT partition");
  if (stretches !== undefined) return;
  if (inputs.window !== undefined) fail(report, "window", strategyRule(strategy));
  for (const key of ["lifecycle", "pins"] as const)
    if ((inputs[key] ?? []).length > 0) fail(report, key, strategyRule(strategy));
}

/** A set may list its partitions one by one; without such a list only the policy can tell which there are. */
function refuseNoPartitions(inputs: Partial<Inputs>, partitioning: Partitioning, report: Report): void {
  const { strategy, lists, modulus } = partitioning;
  if (inputs.partitions !== undefined || needsUnknown(report)) return;
  if (strategy === "list" && lists === undefined)
    fail(report, "partitionBy.list.values", "is required unless the partitions are listed in partitions");
  if (strategy === "hash" && modulus === undefined)
    fail(report, "partitionBy.hash.partitions", "is required unless the partitions are listed in partitions");
}

/**
 * Dropped periods are listed while they are news: when the last update still had them, as long as asOf stands where it
 * stood when they were dropped, and when the program lists them itself.
 */
function listsDropped(
  old: Record<string, unknown>,
  schedule: Schedule | undefined,
  explicit: readonly Explicit[],
  types: string[],
): (bound: PartitionBound) => boolean {
  if (schedule === undefined) return () => false;
  const sameTime = attempt(() => momentOf(axisOf(schedule.stretches), String(old.asOf)));
  const unmoved = "value" in sameTime && sameTime.value === schedule.asOf;
  const listed = Object.values(readPartitions(old.partitions))
    .filter(({ tier }) => tier !== "dropped" || unmoved)
    .map((partition) => boundKey(partition, types));
  const keys = new Set([...listed, ...explicit.map(({ bound }) => boundKey(bound, types))]);
  return (bound) => keys.has(boundKey(bound, types));
}

function policyEntries(
  context: EntryContext,
  inputs: Partial<Inputs>,
  aged: readonly AgedPeriod[],
  listed: (bound: PartitionBound) => boolean,
): Entry[] {
  const { lists, modulus, strategy } = context.partitioning;
  return [
    ...periodEntries(context, aged, listed),
    ...(lists === undefined ? [] : listEntries(context, lists)),
    ...(modulus === undefined ? [] : hashEntries(context, modulus)),
    ...(inputs.defaultPartition === true && strategy !== "hash" ? [defaultEntry(context)] : []),
  ];
}

function checkedInputs(raw: Record<string, unknown>, resolved: Resolved): Record<string, unknown> {
  const { partitioning, schedule, naming, entries, retired } = resolved;
  const named = partitioning.strategy === "hash" ? { partitions: naming?.partitions } : { ...naming };
  return defined({
    ...PLAIN_DEFAULTS,
    ...defined(raw),
    partitionBy: partitioning.checked,
    window: schedule && { from: schedule.from, ahead: schedule.ahead },
    naming: named,
    partitions: Object.fromEntries(entries.map(({ name, bound, tier }) => [name, { ...bound, tier }])),
    retired: retired && { from: retired.from, before: retired.before },
  });
}

/** The set that checked inputs (without unknowns) stand for: what Create and Update are given. */
export function desiredFromChecked(checked: Record<string, unknown>): DesiredSet {
  const { inputs, partitioning, report } = fromChecked(checked);
  const { strategy, keyColumns, keyTypes, stretches } = partitioning;
  const partitions = readPartitions(checked.partitions);
  // Where the window begins was decided by Check; that it may lie after a change there is no mistake of the program's.
  const open = { ...inputs, window: { ...inputs.window, from: undefined } };
  const schedule = stretches && resolveSchedule(open, stretches, inputs.window?.from, report);
  const retired = retiredFromChecked(checked, partitioning);
  return {
    schema: inputs.schema ?? DEFAULTS.schema,
    table: inputs.table,
    strategy,
    keyColumns,
    ...keyTypeOf(partitioning),
    ...(keyTypes.length > 0 ? { keyTypes } : {}),
    partitions,
    ...(retired && { retired }),
    unmanaged: inputs.unmanaged ?? DEFAULTS.unmanaged,
    adopt: inputs.adopt ?? [],
    tierReasons: schedule === undefined ? {} : tierReasons(schedule, partitions),
  };
}

/** The part of {@link desiredFromChecked} by which declared and recorded partitions are compared. */
export function comparisonFromChecked(checked: Record<string, unknown>): Pick<DesiredSet, "keyTypes" | "retired"> {
  const { partitioning } = fromChecked(checked);
  return { keyTypes: partitioning.keyTypes, retired: retiredFromChecked(checked, partitioning) };
}

function fromChecked(checked: Record<string, unknown>) {
  const report: Report = { failures: [], unknown: [] };
  const { partitions: _, retired: __, ...policy } = checked;
  const inputs = readInputs(policy, report);
  const partitioning = resolvePartitioning(inputs, report);
  const { table } = inputs;
  if (partitioning === undefined || table === undefined || report.failures.length > 0)
    throw new Error(`not the checked inputs of a PartitionSet: ${JSON.stringify(report.failures)}`);
  return { inputs: { ...inputs, table }, partitioning, report };
}

function retiredFromChecked({ retired }: Record<string, unknown>, { stretches }: Partitioning): DesiredSet["retired"] {
  const [from, before] = [property(retired, "from"), property(retired, "before")];
  if (stretches === undefined || typeof from !== "string" || typeof before !== "string") return undefined;
  return { from, before, periods: stretches };
}

function keyTypeOf({ strategy, keyTypes }: Partitioning): { keyType?: RangeKeyType } {
  const kind = keyClass(keyTypes[0]);
  if (strategy !== "range" || keyTypes.length !== 1) return {};
  return isNumberType(kind) || isMomentType(kind) || kind === "uuid" ? { keyType: kind } : {};
}

function tierReasons(schedule: Schedule, partitions: DesiredSet["partitions"]): Record<string, string> {
  const reasons: [string, string][] = [];
  for (const [name, partition] of Object.entries(partitions)) {
    if (partition.tier === "live") continue;
    const reason = tierReason(schedule, partition, partition.tier);
    if (reason !== undefined) reasons.push([name, reason]);
  }
  return Object.fromEntries(reasons);
}

function property(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null
    ? Object.entries(value).find(([name]) => name === key)?.[1]
    : undefined;
}

/** The expanded map as it stands in checked inputs, which only this module writes. */
function readPartitions(value: unknown): Record<string, DesiredPartition> {
  if (typeof value !== "object" || value === null) return {};
  return Object.fromEntries(Object.entries(value));
}
