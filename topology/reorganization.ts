/** What both the decision about a reorganization and its execution have to agree upon. */
import { createHash } from "node:crypto";
import type { PartitionBound, Reorganization } from "./model";

/**
 * Sources up to this size (heap, indexes and TOAST, in bytes) are moved in one transaction: reading and writing them takes
 * some tenths of a second, for which readers and writers of the parent wait. Larger ones are copied while they go on.
 */
export const MOVE_AT_ONCE_BYTES = 8 * 1024 * 1024;

/**
 * Bytes of sources (heap, indexes and TOAST) copied in a second, for estimates only. Measured for batches of rows of 100
 * bytes with a primary key on a machine whose two cores were wanted by others as well (43,000 rows a second); beside a busy
 * application it was a third of that, on an idle machine it is more.
 */
export const COPY_BYTES_PER_SECOND = 7 * 1024 * 1024;

/** In one transaction a DEFAULT that stays DEFAULT keeps its table and the rows that nobody else takes. */
export function keptDefault<S extends { name: string; bound: PartitionBound }>({
  sources,
  targets,
}: {
  sources: readonly S[];
  targets: readonly { name: string; bound: PartitionBound }[];
}): S | undefined {
  const source = sources.find(({ bound }) => "default" in bound);
  return targets.some(({ name, bound }) => "default" in bound && name === source?.name) ? source : undefined;
}

/** Characters of an id: names made from it stay short, and two at a time on one parent do not meet. */
const ID_LENGTH = 12;

/**
 * The id of a reorganization: a run that finds an unfinished one knows by it whether it is the one that is wanted. Names of
 * sources do not count, their OIDs and bounds do; comments of targets do not either. A subtree that has other tables than
 * when it was begun is another source: what has come to it since was not captured.
 */
export function reorganizationId(parentOid: number, { sources, targets }: Reorganization): string {
  const oidsOf = (tables: { oid: number }[] | undefined) => tables?.map(({ oid }) => oid).sort((a, b) => a - b);
  const from = sources.map(({ oid, bound, below }) => JSON.stringify([oid, bound, oidsOf(below)])).sort();
  const to = targets
    .map(({ name, bound, storage, generated, level }) =>
      JSON.stringify([name, bound, storage, generated, level], withoutComments),
    )
    .sort();
  return createHash("sha256")
    .update(JSON.stringify([parentOid, from, to]))
    .digest("hex")
    .slice(0, ID_LENGTH);
}

function withoutComments(key: string, value: unknown): unknown {
  return key === "comment" ? undefined : value;
}
