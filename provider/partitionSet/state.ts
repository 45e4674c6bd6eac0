import { boundKey } from "../../topology/bounds";
import { boundOf, entriesOf, isInPlace, type Placing, partitionKey, plainType } from "../../topology/level";
import type {
  ActualLevel,
  ActualPartition,
  ActualSet,
  DesiredPartition,
  KnownOids,
  NewLevel,
  PartitionBound,
  PartitionKey,
  RelationName,
} from "../../topology/model";
import { isOrphan, withOrphans } from "../../topology/orphans";
import { keptDefault } from "../../topology/reorganization";
import type { Plan, Step } from "../../topology/steps";
import { isAttached } from "../../topology/tiers";
import { UNKNOWN } from "../../topology/unknown";
import { type Identity, recordedIdentity } from "../identity";
import { isRecord, type Properties } from "../values";
import { archivedNames, archivesOf, declaredName } from "./copies";
import { withoutReplaced } from "./replaced";

/**
 * Where a partition is, as the state records it. `detaching`: half detached by an interrupted DETACH CONCURRENTLY; `missing`: it
 * was archived, and the store has it no more.
 */
export type RecordedTier = "live" | "exported" | "detached" | "detaching" | "archived" | "missing";

/** With what differs, in words by attribute: `differs` is put right by the next update, `noticed` is left. */
export type RecordedPartition = PartitionBound &
  NonNullable<ActualPartition["recorded"]> & {
    tier: RecordedTier;
    /** Not there when it is in the schema of the table that it is a partition of. */
    schema?: string;
    /** Generation expressions that the program declares for it. */
    generated?: Record<string, string>;
    /** Of a detached one: the table that it was a partition of, when that is gone. */
    wasPartitionOf?: string;
    /** How the partition is divided further; not there for a leaf. */
    partitionBy?: PartitionKey;
    partitions?: Record<string, RecordedPartition>;
  };

const TIERS: Record<ActualPartition["state"], RecordedTier> = {
  live: "live",
  pending: "detaching",
  detached: "detached",
};

/** Key in `partitions`: the name, with its schema only when that is not where a partition of this name is to be. */
export function partitionKeyOf(placing: Placing, partition: RelationName): string {
  return isInPlace(placing, partition) ? partition.name : `${partition.schema}.${partition.name}`;
}

/** Where the set's partitions are to be, by its inputs. */
function placingOf(inputs: Properties, schema: string): Placing {
  const { partitionSchema } = inputs;
  const partitions = declaredPartitions(inputs) as Placing["partitions"];
  return { schema, partitions, ...(typeof partitionSchema === "string" ? { partitionSchema } : {}) };
}

/** Said of a partition only when its schema is not that of the table above. */
function recordedSchema(partition: RelationName, above: string): Pick<RecordedPartition, "schema"> {
  return partition.schema === above ? {} : { schema: partition.schema };
}

/**
 * Outputs after a refresh or an update: the declared policy, and the partitions as they really are. A declared partition
 * that was renamed keeps its OID under the declared name as well (`known`), or the next plan would take it for a stranger.
 */
export function outputsFromActual(
  inputs: Properties,
  seen: ActualSet,
  identity: Identity | undefined,
  known: KnownOids = {},
): Properties {
  const actual = withoutReplaced(seen);
  const schema = String(inputs.schema ?? actual.parent?.schema ?? "public");
  const oids: KnownOids = {};
  const archived = actual.archived?.filter(({ under }) => under === undefined);
  const recorded = recordLevel(placingOf(inputs, schema), schema, { ...actual, archived }, { oids, known });
  const partitions = withGenerated(recorded, declaredPartitions(inputs));
  Object.assign(oids, formerNames(inputs, oids, known));
  const archives = archivesOf(actual, declaredPartitions(inputs) as Declared);
  return {
    ...withoutPartitions(inputs),
    partitions,
    oids,
    ...(Object.keys(archives).length > 0 && { archives }),
    identity,
  };
}

/**
 * The same after an update that has looked into the archive, or from `olds` as long as nobody has: what is dropped for a copy
 * later is told by the archive, until a state has it.
 */
export function withSnapshot(
  outputs: Properties,
  { snapshot: now }: Pick<ActualSet, "snapshot">,
  { snapshot: before }: Properties,
): Properties {
  const snapshot = outputs.archive === undefined ? undefined : (now ?? before);
  return { ...outputs, ...(snapshot !== undefined && { snapshot }) };
}

/** What {@link recordLevel} leaves of the OIDs of all levels, and those that were known before. */
interface RecordedOids {
  oids: KnownOids;
  known: KnownOids;
}

/** One level of the map, of a table in `schema`. */
function recordLevel(
  placing: Placing,
  schema: string,
  { children, detached, archived = [] }: Pick<ActualLevel, "children" | "detached" | "archived">,
  record: RecordedOids,
): Record<string, RecordedPartition> {
  const partitions: Record<string, RecordedPartition> = {};
  const copies = new Map(archivedNames(archived, placing.partitions as Declared));
  for (const { level, ...partition } of [...children, ...detached]) {
    const key = partitionKeyOf(placing, partition);
    if (!holdsPlace(key, partition, copies.has(key), placing, record)) record.oids[key] = partition.oid;
    const place = { ...recordedSchema(partition, schema), ...formerPlace(partition, placing) };
    partitions[key] = { ...partition.bound, tier: tierOf(partition, placing), ...place, ...partition.recorded };
    if (level === undefined) continue;
    const keyColumns = level.keyColumns.map((column) => column ?? "(an expression)");
    Object.assign(partitions[key], {
      partitionBy: partitionKey({ ...level, keyColumns, keyTypes: level.keyTypes.map(plainType) }),
      partitions: recordLevel(placingBelow(placing, key, partition), partition.schema, level, record),
    });
  }
  for (const [name, { bound, missing }] of copies)
    partitions[name] ??= { ...bound, tier: missing ? "missing" : "archived" };
  return inOrder(partitions, placing.partitions);
}

/** A stranger in the place of a partition that is to be in the archive, and is: knowing it would be the right to archive it instead. */
function holdsPlace(
  key: string,
  { oid }: ActualPartition,
  archived: boolean,
  { partitions }: Placing,
  { known }: RecordedOids,
): boolean {
  const declared = Object.hasOwn(partitions, key) ? (partitions as Declared)[key] : undefined;
  return archived && declared?.tier === "archived" && !Object.values(known).includes(oid);
}

/** An export that is as the table is counts when it is declared; a copy that nobody asks for changes nothing. */
function tierOf(partition: ActualPartition, placing: Placing): RecordedTier {
  const { state, copy } = partition;
  const exported = state === "live" && copy !== undefined && !copy.changed;
  return exported && declaredTier(placing, partition) === "exported" ? "exported" : TIERS[state];
}

/** What has come up from a table that is gone is this one's own when it is declared here with its bound. */
function formerPlace(partition: ActualPartition, { partitions }: Placing): Pick<RecordedPartition, "wasPartitionOf"> {
  const { name, wasPartitionOf } = partition;
  const declared = Object.hasOwn(partitions, name) ? (partitions as Declared)[name] : undefined;
  return wasPartitionOf !== undefined && isOrphan(partition, declared, undefined) ? { wasPartitionOf } : {};
}

function placingBelow({ partitions }: Placing, key: string, { schema }: RelationName): Placing {
  const declared = Object.hasOwn(partitions, key) ? partitions[key] : undefined;
  return placingOf(isRecord(declared) ? declared : {}, schema);
}

function declaredPartitions({ partitions }: Properties): Properties {
  return isRecord(partitions) ? partitions : {};
}

/** Outputs that a preview promises: what is declared, as if every step of the plan had been done. */
export function outputsFromPlan(
  inputs: Properties,
  actual: ActualSet,
  plan: Plan,
  identity: Identity | undefined,
  known: KnownOids,
): Properties {
  const outputs = outputsFromActual(inputs, withOrphans(actual, plan), identity, known);
  const placing = placingOf(inputs, String(inputs.schema));
  const declared = new Map([...entriesOf(placing.partitions as Declared, "")].map(({ name, entry }) => [name, entry]));
  const top: Inside = { partitions: { ...(outputs.partitions as Record<string, RecordedPartition>) } };
  const inside = new Map<string, Inside>();
  for (const { name, entry } of entriesOf(top.partitions, "")) if (entry.partitions) inside.set(name, entry as Inside);
  for (const step of plan.steps) {
    const table = step.under === undefined ? top : inside.get(step.under.name);
    if (table === undefined) continue;
    const { under } = step;
    promise(step, table.partitions, under ? placingOf({ ...declared.get(under.name) }, under.schema) : placing);
    const made = table.partitions[step.partition];
    for (const { name, entry } of made ? entriesOf({ [step.partition]: made }, "") : [])
      if (entry.partitions) inside.set(name, entry as Inside);
  }
  for (const { table, partitions } of plan.indexes ?? []) {
    const level = (inside.get(table.name) ?? top).partitions;
    for (const name of partitions) {
      const entry = level[name];
      if (entry) level[name] = withoutRepaired(entry, ["indexes"]);
    }
  }
  const wanted = declaredPartitions(inputs);
  const exporting = plan.steps.some(({ kind }) => kind === "export");
  const partitions = withGenerated(inOrderOf(top.partitions, wanted), wanted);
  return { ...outputs, partitions, ...(exporting && { archives: UNKNOWN }) };
}

/** With the generation expressions that are declared; a partition that has others shows that under `differs`. */
function withGenerated(
  partitions: Record<string, RecordedPartition>,
  declared: Properties,
): Record<string, RecordedPartition> {
  const entries = Object.entries(partitions).map(([name, partition]): [string, RecordedPartition] => {
    const { generated, partitions: below } = (
      isRecord(declared[name]) ? declared[name] : {}
    ) as Partial<DesiredPartition>;
    const { generated: _, ...entry } = partition;
    const inside = entry.partitions && { partitions: withGenerated(entry.partitions, below ?? {}) };
    return [name, { ...entry, ...(generated && isAttached(entry.tier) && { generated }), ...inside }];
  });
  return Object.fromEntries(entries);
}

type Declared = Record<string, DesiredPartition>;

/** A table with partitions. */
interface Inside {
  partitions: Record<string, RecordedPartition>;
}

/** Steps after which a partition is a table beside its parent. */
const LEAVING: ReadonlySet<Step["kind"]> = new Set<Step["kind"]>(["detach", "finalizeDetach"]);

/** Steps that say a bound which a partition has later, or not any more. */
const UNBOUND: ReadonlySet<Step["kind"]> = new Set<Step["kind"]>([...LEAVING, "proveBound"]);

/** Changes one level of the map as a step will. */
function promise(step: Step, partitions: Record<string, RecordedPartition>, placing: Placing): void {
  const { bound, level } = step;
  const name = partitionKeyOf(placing, { schema: step.schema, name: step.partition });
  const now = step.current === undefined ? name : partitionKeyOf(placing, step.current);
  const place = recordedSchema({ schema: step.schema, name }, placing.schema);
  const { [now]: before } = partitions;
  const divided = level === undefined ? dividedAs(before) : recordNew(level);
  if (step.kind === "adjust") {
    const repaired = step.differences?.map(({ attribute }) => attribute) ?? [];
    if (before) partitions[name] = withoutRepairedBelow(before, repaired);
  } else if (step.kind === "validateForeignKeys" && before) {
    partitions[name] = withoutRepaired(before, ["foreignKeys"]);
  } else if (step.kind === "unproveBound" && before) {
    partitions[name] = withoutRepaired(before, ["boundCheck"]);
  } else if (step.method === "dropArchived" && before) {
    delete partitions[name];
    const archived = boundOf(before);
    partitions[declaredName({ name, bound: archived }, placing.partitions as Declared)] = {
      ...archived,
      tier: "archived",
    };
  } else if (step.kind === "export") {
    if (before && declaredTier(placing, { name, bound: boundOf(before) }) === "exported")
      partitions[name] = { ...before, tier: "exported" };
  } else if (step.kind === "drop") delete partitions[name];
  else if (LEAVING.has(step.kind) && before) partitions[name] = { ...before, tier: "detached" };
  else if (step.kind === "rename" && before) {
    delete partitions[now];
    const { schema: _, ...moved } = before;
    partitions[name] = { ...moved, ...place };
  } else if (step.kind === "reorganize" && step.reorganization) {
    const kept = step.method === "moveInOneTransaction" ? keptDefault(step.reorganization) : undefined;
    const replaced = step.reorganization.sources.filter((source) => source !== kept);
    const made = step.reorganization.targets.filter((target) => kept === undefined || !("default" in target.bound));
    for (const source of replaced) delete partitions[partitionKeyOf(placing, source)];
    for (const target of made) {
      const inside = target.level === undefined ? {} : recordNew(target.level);
      partitions[target.name] = { ...target.bound, tier: "live", ...place, ...inside };
    }
  } else if (bound && !UNBOUND.has(step.kind)) partitions[name] = { ...bound, tier: "live", ...place, ...divided };
}

function declaredTier({ partitions }: Placing, partition: { name: string; bound: PartitionBound }): string | undefined {
  const declared = partitions as Declared;
  const name = declaredName(partition, declared);
  return Object.hasOwn(declared, name) ? declared[name]?.tier : undefined;
}

function withoutRepaired(
  { differs, ...partition }: RecordedPartition,
  attributes: readonly string[],
): RecordedPartition {
  const repaired = new Set(attributes);
  const left = Object.entries(differs ?? {}).filter(([attribute]) => !repaired.has(attribute));
  return left.length === 0 ? partition : { ...partition, differs: Object.fromEntries(left) };
}

/** What is below a partition that is put right was compared with it as it was. */
function withoutRepairedBelow(partition: RecordedPartition, attributes: readonly string[]): RecordedPartition {
  const repaired = withoutRepaired(partition, attributes);
  if (partition.partitions === undefined) return repaired;
  const below = Object.entries(partition.partitions).map(([name, entry]): [string, RecordedPartition] => [
    name,
    withoutRepairedBelow(entry, attributes),
  ]);
  return { ...repaired, partitions: Object.fromEntries(below) };
}

type Divided = Pick<RecordedPartition, "partitionBy" | "partitions">;

function dividedAs(before: RecordedPartition | undefined): Divided {
  if (before?.partitionBy === undefined) return {};
  return { partitionBy: before.partitionBy, partitions: before.partitions };
}

function recordNew(level: NewLevel): Divided {
  const partitions = level.partitions.map(({ name, schema, bound, level: below }): [string, RecordedPartition] => [
    name,
    {
      ...bound,
      tier: "live",
      ...(schema === undefined ? {} : { schema }),
      ...(below === undefined ? {} : recordNew(below)),
    },
  ]);
  return { partitionBy: partitionKey({ ...level, keyTypes: [] }), partitions: Object.fromEntries(partitions) };
}

/**
 * The outputs with the OIDs of partitions that the program has given another name: declared before and now, with the same
 * bound. Under its new name the partition is then known, and renamed instead of being taken for a stranger.
 */
export function withNewNames(olds: Properties, oldInputs: Properties, news: Properties): Properties {
  const oids = isRecord(olds.oids) ? olds.oids : {};
  const renamed = newNames(declaredPartitions(oldInputs), declaredPartitions(news)).filter(([old]) =>
    Object.hasOwn(oids, old),
  );
  if (renamed.length === 0) return olds;
  return { ...olds, oids: { ...oids, ...Object.fromEntries(renamed.map(([old, name]) => [name, oids[old]])) } };
}

/** Former and new names of the same bounds, level by level. */
function newNames(before: Properties, after: Properties): [string, string][] {
  const former = new Map(entries(before).map(([name, entry]) => [boundKey(entry), { name, entry }]));
  return entries(after).flatMap(([name, entry]): [string, string][] => {
    const old = former.get(boundKey(entry));
    if (old === undefined) return [];
    const inside = newNames(declaredPartitions({ ...old.entry }), declaredPartitions({ ...entry }));
    return old.name === name ? inside : [[old.name, name], ...inside];
  });
}

function entries(partitions: Properties): [string, PartitionBound][] {
  return Object.entries(partitions as Record<string, PartitionBound>);
}

/** Declared names that the state knew a table by which bears another name now. */
function formerNames(inputs: Properties, oids: KnownOids, known: KnownOids): KnownOids {
  const declared = new Set(
    [...entriesOf(declaredPartitions(inputs) as Record<string, Divided>, "")].map(({ name }) => name),
  );
  const present = new Set(Object.values(oids));
  return Object.fromEntries(
    Object.entries(known).filter(([name, oid]) => present.has(oid) && declared.has(name) && !Object.hasOwn(oids, name)),
  );
}

function withoutPartitions(inputs: Properties): Properties {
  const { partitions: _, ...policy } = inputs;
  return policy;
}

/** Declared partitions first and in their order, so that a state can be read beside the program; others after them. */
function inOrder<T>(partitions: Record<string, T>, declared: object): Record<string, T> {
  const known = Object.keys(declared).filter((name) => Object.hasOwn(partitions, name));
  const names = new Set([...known, ...Object.keys(partitions).sort()]);
  return Object.fromEntries([...names].map((name) => [name, partitions[name] as T]));
}

/** The same on every level. */
function inOrderOf(
  partitions: Record<string, RecordedPartition>,
  declared: Properties,
): Record<string, RecordedPartition> {
  const sorted = Object.entries(partitions).map(([name, entry]): [string, RecordedPartition] => {
    if (entry.partitions === undefined) return [name, entry];
    const below = declaredPartitions(isRecord(declared[name]) ? declared[name] : {});
    return [name, { ...entry, partitions: inOrderOf(entry.partitions, below) }];
  });
  return inOrder(Object.fromEntries(sorted), declared);
}

/** OIDs that the state proves to be partitions of this set; none after a move to another cluster. */
export function knownOids(outputs: Properties, moved: boolean): KnownOids {
  if (moved || recordedIdentity(outputs) === undefined || !isRecord(outputs.oids)) return {};
  return Object.fromEntries(
    Object.entries(outputs.oids).filter((entry): entry is [string, number] => typeof entry[1] === "number"),
  );
}
