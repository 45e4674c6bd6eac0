/** What both the decision about a reorganization and its execution have to agree upon. */
import { createHash } from "node:crypto";
import type { Reorganization } from "./model";

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

/** Characters of an id: names made from it stay short, and two at a time on one parent do not meet. */
const ID_LENGTH = 12;

/**
 * The id of a reorganization: a run that finds an unfinished one knows by it whether it is the one that is wanted. Names of
 * sources do not count, their OIDs and bounds do; comments of targets do not either.
 */
export function reorganizationId(parentOid: number, { sources, targets }: Reorganization): string {
  const from = sources.map(({ oid, bound }) => JSON.stringify([oid, bound])).sort();
  const to = targets
    .map(({ name, bound, storage, generated }) => JSON.stringify([name, bound, storage, generated]))
    .sort();
  return createHash("sha256")
    .update(JSON.stringify([parentOid, from, to]))
    .digest("hex")
    .slice(0, ID_LENGTH);
}
