/** What the comment on a staging table says: enough to go on, to finish or to give up without the declaration. */
import type { Reorganization, UnfinishedReorganization } from "../../topology/model";
import { reorganizationId } from "../../topology/reorganization";

const PREFIX = "pgpartition reorganization ";

export interface RecordedReorganization extends Reorganization {
  parent: number;
  phase: UnfinishedReorganization["phase"];
}

/** The comment's text. */
export function recordText({ parent, phase, sources, targets }: RecordedReorganization): string {
  const from = sources.map(({ schema, name, oid, bound, below }) => ({ schema, name, oid, bound, below }));
  const to = targets.map(({ name, bound, storage, generated, level }) => ({ name, bound, storage, generated, level }));
  return PREFIX + JSON.stringify({ parent, phase, sources: from, targets: to });
}

/** Undefined for any other comment. */
export function parseRecord(comment: string | null): RecordedReorganization | undefined {
  if (comment === null || !comment.startsWith(PREFIX)) return undefined;
  try {
    const record: unknown = JSON.parse(comment.slice(PREFIX.length));
    return isRecord(record) ? record : undefined;
  } catch {
    return undefined;
  }
}

/** An unfinished reorganization, and the OID of the table whose partitions it exchanges. */
export interface Unfinished {
  parent: number;
  reorganization: UnfinishedReorganization;
}

/** The unfinished reorganization that a staging table stands for. */
export function unfinishedFrom(
  staging: UnfinishedReorganization["staging"],
  comment: string | null,
): Unfinished | undefined {
  const record = parseRecord(comment);
  if (record === undefined) return undefined;
  const { parent, phase, sources, targets } = record;
  return { parent, reorganization: { id: reorganizationId(parent, record), staging, phase, sources, targets } };
}

function isRecord(value: unknown): value is RecordedReorganization {
  if (typeof value !== "object" || value === null) return false;
  const { parent, phase, sources, targets } = value as Partial<Record<keyof RecordedReorganization, unknown>>;
  return (
    typeof parent === "number" &&
    (phase === "copying" || phase === "swapped") &&
    Array.isArray(sources) &&
    Array.isArray(targets)
  );
}
