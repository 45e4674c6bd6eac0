/** For which exports tables were dropped: said in the store before, and decided by PostgreSQL. */
import { Readable } from "node:stream";
import { committedSince, currentTransaction } from "../postgres/archive/transactions";
import type { Session } from "../postgres/connection";
import { faultPoint } from "../postgres/faults";
import { droppedKey, type ListedCopy, type ListedExport } from "./keys";
import type { Store } from "./store";

/**
 * Says that the transaction of this session is about to drop the table of an export. Only the store can keep that: the state is
 * written after the commit, and a run that is killed in between has nobody who remembers.
 * @throws StoreError: then nothing may be dropped.
 */
export async function announceDrop(session: Session, store: Store, { manifest }: ListedCopy): Promise<void> {
  const { transaction, now } = await currentTransaction(session);
  faultPoint("archive");
  const content = `${JSON.stringify({ manifest: manifest.key, transaction, at: now })}\n`;
  await store.write(droppedKey(manifest.key, transaction), Readable.from([Buffer.from(content)]));
  faultPoint("archive");
}

/** What PostgreSQL says of the drops that a store tells of. */
export interface Drops {
  /** For the next call: what it has seen is told once. */
  snapshot: string;
  /** Keys of the manifests for which tables were dropped. */
  manifests: Set<string>;
}

/** Those that nobody has recorded: committed, and not seen by the snapshot of the last record. Without one: all of them. */
export async function dropsSince(
  session: Session,
  listed: readonly ListedExport[],
  recorded: string | undefined,
): Promise<Drops> {
  const transactions = listed.flatMap(({ droppedBy }) => droppedBy);
  const { snapshot, committed } = await committedSince(session, transactions, recorded);
  const isDropped = ({ droppedBy }: ListedExport) => droppedBy.some((transaction) => committed.has(transaction));
  return { snapshot, manifests: new Set(listed.filter(isDropped).map(({ manifest }) => manifest.key)) };
}
