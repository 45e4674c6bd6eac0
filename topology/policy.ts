/** From the policy that a program declares to the partitions it stands for. */
import type { Comparison } from "./difference";
import type { RangeKeyType } from "./grid";
import { isMomentType, isNumberType, keyClass } from "./keys";
import { record } from "./level";
import type { DesiredPartition, DesiredSet, InputFailure } from "./model";
import { archiveOfInputs, refuseWithoutArchive } from "./policy/archive";
import { attributesOfInputs } from "./policy/children";
import { checkNames, type Entry } from "./policy/entries";
import { explicitEntries } from "./policy/explicit";
import { DEFAULTS, type Inputs, needsUnknown, readInputs } from "./policy/inputs";
import {
  type LevelPolicy,
  property,
  refuseNeverClosed,
  refuseNoPartitions,
  resolvePolicy,
  retiredBelow,
} from "./policy/levels";
import { defined, type Partitioning, resolvePartitioning } from "./policy/partitioning";
import { closedAt, resolveSchedule, type Schedule, tierReason } from "./policy/periods";
import type { Report } from "./policy/reader";
import { treeEntries } from "./policy/tree";
import { UNKNOWN } from "./unknown";

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
  policy: LevelPolicy;
  entries: Entry[];
}

/** Validates and expands the inputs of a PartitionSet; `old` are the checked inputs of the last update. Pure. */
export function expand(raw: Record<string, unknown>, old: Record<string, unknown> = {}): Expansion {
  const report: Report = { failures: [], unknown: [] };
  const inputs = readInputs(raw, report);
  refuseWithoutArchive(raw, inputs.archive, report);
  const resolved = resolve(inputs, old, report);
  if (resolved === undefined || needsUnknown(report) || report.failures.length > 0)
    return { checked: unexpanded(raw, needsUnknown(report)), failures: distinct(report.failures) };
  const checked = checkedInputs(raw, resolved);
  return { desired: desiredFromChecked(checked), checked, failures: [] };
}

/** Defaults of the properties that stand alone. */
const PLAIN_DEFAULTS = {
  schema: DEFAULTS.schema,
  defaultPartition: DEFAULTS.defaultPartition,
  unmanaged: DEFAULTS.unmanaged,
  reorganize: DEFAULTS.reorganize,
  onDelete: DEFAULTS.onDelete,
  viewLimit: DEFAULTS.viewLimit,
};

function unexpanded(raw: Record<string, unknown>, unknown: boolean): Record<string, unknown> {
  return { ...PLAIN_DEFAULTS, ...defined(raw), ...(unknown ? { partitions: UNKNOWN } : {}) };
}

/** What is wrong with the policy of a level is found again in each of its tables. */
function distinct(failures: InputFailure[]): InputFailure[] {
  return [...new Map(failures.map((failure) => [`${failure.property}\0${failure.reason}`, failure])).values()];
}

function resolve(inputs: Partial<Inputs>, old: Record<string, unknown>, report: Report): Resolved | undefined {
  const policy = resolvePolicy(inputs, old, report);
  if (policy === undefined) return undefined;
  refuseNoPartitions(policy, report);
  refuseNeverClosed(inputs, policy, report);
  const explicit = explicitEntries(inputs, policy.partitioning, report);
  if (inputs.table === undefined) return { policy, entries: [] };
  const entries = treeEntries(policy, inputs.table, explicit, old, report);
  checkNames(entries, inputs.table, report);
  return { policy, entries };
}

function checkedInputs(raw: Record<string, unknown>, { policy, entries }: Resolved): Record<string, unknown> {
  const { retired } = policy;
  return defined({
    ...PLAIN_DEFAULTS,
    ...checkedLevel(raw, policy),
    partitions: entryMap(entries),
    retired: retired && { from: retired.from, before: retired.before },
  });
}

/** The properties of one level with their defaults. */
function checkedLevel(raw: Record<string, unknown>, policy: LevelPolicy): Record<string, unknown> {
  const { partitioning, schedule, naming, below } = policy;
  const named = partitioning.strategy === "hash" ? { partitions: naming?.partitions } : { ...naming };
  return defined({
    ...defined(raw),
    partitionBy: partitioning.checked,
    window: schedule && { from: schedule.from, ahead: schedule.ahead },
    naming: named,
    subPartitionBy: below && checkedLevel(record(raw.subPartitionBy), below),
  });
}

function entryMap(entries: readonly Entry[]): Record<string, DesiredPartition> {
  return Object.fromEntries(
    entries.map(({ name, schema, bound, tier, removed, generated, leaf, level }): [string, DesiredPartition] => [
      name,
      {
        ...bound,
        tier,
        ...(removed && { removed }),
        ...(schema === undefined ? {} : { schema }),
        ...(generated && { generated }),
        ...(leaf && { leaf }),
        ...(level && { partitionBy: level.partitionBy, partitions: entryMap(level.entries) }),
      },
    ]),
  );
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
  const policy = policyFromChecked(inputs, checked);
  const below = retiredBelow(policy?.below);
  return {
    schema: inputs.schema ?? DEFAULTS.schema,
    table: inputs.table,
    strategy,
    keyColumns,
    ...keyTypeOf(partitioning),
    ...(keyTypes.length > 0 ? { keyTypes } : {}),
    ...(inputs.partitionSchema === undefined ? {} : { partitionSchema: inputs.partitionSchema }),
    partitions,
    ...(retired && { retired }),
    unmanaged: inputs.unmanaged ?? DEFAULTS.unmanaged,
    reorganize: inputs.reorganize ?? DEFAULTS.reorganize,
    adopt: inputs.adopt ?? [],
    ...archived(inputs),
    tierReasons: Object.fromEntries([...tierReasons(schedule, partitions), ...reasonsBelow(policy, partitions)]),
    ...(below === undefined ? {} : { below }),
    ...attributesOfInputs(inputs),
    ...(schedule && { closedAt: closedAt(schedule) }),
  };
}

/** The part of {@link desiredFromChecked} by which declared and recorded partitions are compared. */
export function comparisonFromChecked(checked: Record<string, unknown>): Comparison {
  const { inputs, partitioning } = fromChecked(checked);
  const below = retiredBelow(policyFromChecked(inputs, checked)?.below);
  return {
    schema: inputs.schema ?? DEFAULTS.schema,
    keyTypes: partitioning.keyTypes,
    retired: retiredFromChecked(checked, partitioning),
    ...(below === undefined ? {} : { below }),
  };
}

/** The policies of all levels; undefined when there is only one. Where their windows begin was decided by Check. */
function policyFromChecked(inputs: Partial<Inputs>, checked: Record<string, unknown>): LevelPolicy | undefined {
  if (inputs.subPartitionBy === undefined) return undefined;
  const opened = {
    ...inputs,
    window: { ...inputs.window, from: undefined },
    subPartitionBy: open(inputs.subPartitionBy),
  };
  return resolvePolicy(opened, checked, { failures: [], unknown: [] });
}

function open(level: Record<string, unknown>): Record<string, unknown> {
  const { window, subPartitionBy, ...rest } = level;
  return defined({
    ...rest,
    window: window && { ...record(window), from: undefined },
    subPartitionBy: subPartitionBy && open(record(subPartitionBy)),
  });
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

function tierReasons(
  schedule: Schedule | undefined,
  partitions: Readonly<Record<string, DesiredPartition>>,
): [string, string][] {
  if (schedule === undefined) return [];
  return Object.entries(partitions).flatMap(([name, partition]): [string, string][] => {
    if (partition.tier === "live") return [];
    const reason = tierReason(schedule, partition, partition.tier);
    return reason === undefined ? [] : [[name, reason]];
  });
}

/** Of the partitions below, each by the schedule of its level. */
function reasonsBelow(
  policy: LevelPolicy | undefined,
  partitions: Readonly<Record<string, DesiredPartition>>,
): [string, string][] {
  if (policy?.below === undefined) return [];
  const { below } = policy;
  return Object.values(partitions).flatMap(({ partitions: inside = {} }) => [
    ...tierReasons(below.schedule, inside),
    ...reasonsBelow(below, inside),
  ]);
}

/** The expanded map as it stands in checked inputs, which only this module writes. */
function readPartitions(value: unknown): Record<string, DesiredPartition> {
  if (typeof value !== "object" || value === null) return {};
  return Object.fromEntries(Object.entries(value));
}

function archived({ archive }: Pick<Partial<Inputs>, "archive">): Pick<DesiredSet, "archive"> {
  const settings = archiveOfInputs(archive);
  return settings === undefined ? {} : { archive: settings };
}
