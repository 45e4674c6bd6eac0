/** Names of what exists only while rows are moved; all of them begin with the product's, so that anybody can tell. */
import type { RelationName, Reorganization } from "../../topology/model";
import { reorganizationId } from "../../topology/reorganization";

/** Every relation of a reorganization, those with names of their own included, before, while and after. */
export interface Layout {
  id: string;
  /** Partitioned like the parent; its partitions are the targets, until these are attached to the parent. */
  staging: RelationName;
  /** Keys of rows that a capture could not write to the copy itself. */
  missed: RelationName;
  /** How far each source has been copied. */
  progress: RelationName;
  /** Trigger function of the capture. */
  capture: RelationName;
  /** Name of the row trigger, and of the TRUNCATE trigger, on each source. */
  triggers: { rows: string; truncate: string };
  sources: (Reorganization["sources"][number] & { aside: string })[];
  targets: (Reorganization["targets"][number] & { relation: RelationName })[];
}

/** First letters of the names of everything that is made for a while. */
export const RESERVED_PREFIX = "pgpartition_";

/** Column of the table of notes, beside those of the key: the note is being dealt with. */
export const TAKEN = "pgpartition_taken";

/** CHECK on each target that proves its bound; gone once it is attached. */
export const BOUND_CHECK = "pgpartition_bound";

/**
 * Triggers fire in the order of their names. The capture has to see a row before any trigger of the application can change
 * it again, or the older of two versions would be written last.
 */
const FIRST_TRIGGER = "!";

/** A target that will bear the name of a source has a reserved one until the source has given way. */
export function layoutOf(parentOid: number, schema: string, reorganization: Reorganization): Layout {
  const id = reorganizationId(parentOid, reorganization);
  const reserved = (suffix: string) => ({ schema, name: `${RESERVED_PREFIX}${id}${suffix}` });
  const taken = new Set(reorganization.sources.filter((source) => source.schema === schema).map(({ name }) => name));
  return {
    id,
    staging: reserved(""),
    missed: reserved("_missed"),
    progress: reserved("_progress"),
    capture: reserved("_capture"),
    triggers: {
      rows: `${FIRST_TRIGGER}${RESERVED_PREFIX}${id}`,
      truncate: `${FIRST_TRIGGER}${RESERVED_PREFIX}${id}_truncate`,
    },
    sources: reorganization.sources.map((source, at) => ({ ...source, aside: reserved(`_source${at + 1}`).name })),
    targets: reorganization.targets.map((target, at) => ({
      ...target,
      relation: taken.has(target.name) ? reserved(`_target${at + 1}`) : { schema, name: target.name },
    })),
  };
}

/** True when a target takes the name of this source. */
export function givesWay({ targets }: Layout, source: RelationName): boolean {
  return targets.some(({ name, relation }) => name === source.name && relation.schema === source.schema);
}
