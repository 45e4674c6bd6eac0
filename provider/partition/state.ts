/** What a Partition keeps in Pulumi's state: a set's outputs, of the one partition. Pure. */
import { sameBound } from "../../topology/bounds";
import { boundOf } from "../../topology/level";
import type { DesiredSet } from "../../topology/model";
import { checkPartition, type DeclaredPartition } from "../../topology/onePartition";
import { isAttached } from "../../topology/tiers";
import { idOfOutputs } from "../identity";
import type { RecordedPartition } from "../partitionSet/state";
import { formatPath } from "../paths";
import { isRecord, type Properties } from "../values";

/** Checked inputs without unknowns always have a partition; a failure here is a Check that was skipped. */
export function declaredOf(checked: Properties): DeclaredPartition {
  const { partition, failures } = checkPartition(checked);
  if (partition === undefined) {
    throw new Error(failures.map(({ property, reason }) => `${property}: ${reason}`).join("\n"));
  }
  return partition;
}

/**
 * The outputs of the set of one, as a Partition shows them: its tier, its bound as declared or, when it is another one, as
 * it is; `drift` names what is not as declared, so that Diff can show it without a database.
 */
export function outputsFromSet(inputs: Properties, desired: DesiredSet, set: Properties): Properties {
  const { name, bound: declaredBound } = declaredOf(inputs);
  const { key, recorded } = ownPartition(name, set);
  const wanted = desired.partitions[name];
  const [tier, declaredTier] = [recorded?.tier ?? "dropped", wanted?.tier ?? "live"];
  // Of what was never there nothing can be kept.
  const sameTier = tier === declaredTier || (recorded === undefined && !isAttached(declaredTier));
  const same = recorded === undefined || wanted === undefined || sameBound(recorded, wanted, desired.keyTypes);
  const differs = recorded?.differs ?? {};
  return {
    ...inputs,
    bound: same ? declaredBound : boundOf(recorded),
    tier: sameTier ? declaredTier : tier,
    differs,
    drift: [
      ...misplaced(name, key, recorded),
      ...(sameTier ? [] : ["tier"]),
      ...(same ? [] : ["bound"]),
      ...Object.keys(differs).map((attribute) => formatPath(["differs", attribute])),
    ],
    identity: set.identity,
    oids: ownOids(name, set),
    ...(set.archives !== undefined && { archives: set.archives }),
    ...(set.snapshot !== undefined && { snapshot: set.snapshot }),
    partitions: recorded === undefined ? {} : { [name]: recorded },
  };
}

/** What is not as declared of a partition that bears another key in the set than its name. */
function misplaced(name: string, key: string, recorded: RecordedPartition | undefined): string[] {
  if (key === name || recorded === undefined) return [];
  return key.endsWith(`.${name}`) ? ["partitionSchema"] : ["name"];
}

/** Under its own name, or under the one that it bears since somebody renamed it. */
function ownPartition(name: string, { partitions, oids }: Properties): { key: string; recorded?: RecordedPartition } {
  const all = (isRecord(partitions) ? partitions : {}) as Record<string, RecordedPartition>;
  const known = isRecord(oids) ? oids : {};
  const oid = known[name];
  const renamed = Object.keys(all).find((other) => oid !== undefined && known[other] === oid);
  const key = Object.hasOwn(all, name) ? name : (renamed ?? name);
  return { key, recorded: all[key] };
}

function ownOids(name: string, { oids }: Properties): Properties {
  const oid = isRecord(oids) ? oids[name] : undefined;
  return oid === undefined ? {} : { [name]: oid };
}

/** What a set of one is told of the last run. */
export function recordedSet(olds: Properties): Properties {
  const { schema, table, identity, oids, partitions, archive, archives, snapshot, acceptIdentity } = olds;
  return { schema, table, identity, oids, partitions, archive, archives, snapshot, acceptIdentity };
}

/** By its own schema, as PostgreSQL names it and as it is imported. */
export function idOf(outputs: Properties): string {
  return idOfOutputs({ ...outputs, schema: outputs.partitionSchema ?? outputs.schema }, outputs.name);
}
