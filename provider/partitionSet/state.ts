/** What a PartitionSet keeps in Pulumi's state, and the rows that show it. Pure. */
import type {
  ActualPartition,
  ActualSet,
  DesiredPartition,
  KnownOids,
  PartitionBound,
  Plan,
} from "../../topology/model";
import { type Identity, recordedIdentity } from "../identity";
import { isRecord, type Properties } from "../values";
import type { OldViews, ViewRow } from "../views";

/** Where a partition is, as the state records it. `detaching`: half detached by an interrupted DETACH CONCURRENTLY. */
export type RecordedTier = "live" | "detached" | "detaching";

export type RecordedPartition = PartitionBound & { tier: RecordedTier };

const TIERS: Record<ActualPartition["state"], RecordedTier> = {
  live: "live",
  pending: "detaching",
  detached: "detached",
};

/** Key in `partitions`: the name, with its schema only when that is not the parent's. */
export function partitionKey(schema: string, partition: { schema: string; name: string }): string {
  return partition.schema === schema ? partition.name : `${partition.schema}.${partition.name}`;
}

/**
 * Outputs after a refresh or an update: the declared policy, and the partitions as they really are. A declared partition
 * that was renamed keeps its OID under the declared name as well (`known`), or the next plan would take it for a stranger.
 */
export function outputsFromActual(
  inputs: Properties,
  actual: ActualSet,
  identity: Identity | undefined,
  known: KnownOids = {},
): Properties {
  const schema = String(inputs.schema ?? actual.parent?.schema ?? "public");
  const partitions: Record<string, RecordedPartition> = {};
  const oids: KnownOids = {};
  for (const partition of [...actual.children, ...actual.detached]) {
    const key = partitionKey(schema, partition);
    partitions[key] = { ...partition.bound, tier: TIERS[partition.state] };
    oids[key] = partition.oid;
  }
  Object.assign(oids, formerNames(inputs, oids, known));
  return { ...withoutPartitions(inputs), partitions: inOrder(partitions, inputs), oids, identity };
}

/** Outputs that a preview promises: what is declared, as if every step of the plan had been done. */
export function outputsFromPlan(
  inputs: Properties,
  actual: ActualSet,
  plan: Plan,
  identity: Identity | undefined,
  known: KnownOids,
): Properties {
  const outputs = outputsFromActual(inputs, actual, identity, known);
  const partitions = { ...(outputs.partitions as Record<string, RecordedPartition>) };
  for (const step of plan.steps) {
    const { [step.partition]: before } = partitions;
    if (step.kind === "drop") delete partitions[step.partition];
    else if (step.kind === "detach" && before) partitions[step.partition] = { ...before, tier: "detached" };
    else if (step.bound && step.kind !== "detach") partitions[step.partition] = { ...step.bound, tier: "live" };
    if (step.kind === "rename" && step.current) {
      delete partitions[partitionKey(String(inputs.schema), step.current)];
    }
  }
  return { ...outputs, partitions: inOrder(partitions, inputs) };
}

/** Declared names that the state knew a table by which bears another name now. */
function formerNames(inputs: Properties, oids: KnownOids, known: KnownOids): KnownOids {
  const declared = isRecord(inputs.partitions) ? inputs.partitions : {};
  const present = new Set(Object.values(oids));
  return Object.fromEntries(
    Object.entries(known).filter(
      ([name, oid]) => present.has(oid) && Object.hasOwn(declared, name) && !Object.hasOwn(oids, name),
    ),
  );
}

function withoutPartitions(inputs: Properties): Properties {
  const { partitions: _, ...policy } = inputs;
  return policy;
}

/** Declared partitions first and in their order, so that a state can be read beside the program; others after them. */
function inOrder<T>(partitions: Record<string, T>, inputs: Properties): Record<string, T> {
  const declared = isRecord(inputs.partitions) ? Object.keys(inputs.partitions) : [];
  const known = declared.filter((name) => Object.hasOwn(partitions, name));
  const names = new Set([...known, ...Object.keys(partitions).sort()]);
  return Object.fromEntries([...names].map((name) => [name, partitions[name] as T]));
}

/** OIDs that the state proves to be partitions of this set; none after a move to another cluster. */
export function knownOids(outputs: Properties, moved: boolean): KnownOids {
  if (moved || recordedIdentity(outputs) === undefined || !isRecord(outputs.oids)) return {};
  return Object.fromEntries(
    Object.entries(outputs.oids).filter((entry): entry is [string, number] => typeof entry[1] === "number"),
  );
}

/** Bounds as recorded: PostgreSQL forgets the bound of a table when it is detached. */
export function recordedBounds(outputs: Properties): Record<string, PartitionBound> {
  const recorded = (isRecord(outputs.partitions) ? outputs.partitions : {}) as Record<string, RecordedPartition>;
  return Object.fromEntries(Object.entries(recorded).map(([name, { tier: _, ...bound }]) => [name, bound]));
}

/**
 * Rows for the partitions of a set. Above `viewLimit` none are shown, because each row costs a rewrite of the state file;
 * rows of an earlier, smaller set are taken away then.
 */
export function viewRows(setName: string, outputs: Properties, oldViews: OldViews): ViewRow[] {
  const table = String(outputs.table);
  const partitions = (isRecord(outputs.partitions) ? outputs.partitions : {}) as Record<string, DesiredPartition>;
  const limit = typeof outputs.viewLimit === "number" ? outputs.viewLimit : Number.POSITIVE_INFINITY;
  const prefix = setName === table ? "" : `${setName}/`;
  const shown = Object.keys(partitions).length > limit ? [] : Object.entries(partitions);
  const rows = shown.map(([name, state]): ViewRow => ({ name: prefix + name, state: { ...state } }));
  const kept = new Set(rows.map(({ name }) => name));
  const gone = Object.keys(oldViews).filter((name) => !kept.has(name));
  return [...rows, ...gone.map((name): ViewRow => ({ name }))];
}
