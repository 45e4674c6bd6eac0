/** What a store holds, of whichever tables: for people who look after it, and for whom no program says what is where. */
import { identifyKey, type ListedCopy, type Origin, parseManifestKey, prefixOfPartition } from "./keys";
import type { ListedObject, Store } from "./store";

/** A partition of which there is something in a store. */
export interface StoredPartition {
  origin: Origin;
  partition: string;
  /** Finished exports, the newest first. Empty: one is under way, was broken off, or lost its manifest. */
  copies: ListedCopy[];
  /** All objects, those of former and unfinished exports too. */
  objects: ListedObject[];
}

export interface Catalogue {
  /** In the order of their keys. */
  partitions: StoredPartition[];
  /** Objects that are no part of an archive. */
  others: ListedObject[];
}

/** One listing of everything; no object is read. @throws StoreError. */
export async function readCatalogue(store: Store, signal?: AbortSignal): Promise<Catalogue> {
  const found = new Map<string, StoredPartition>();
  const others: ListedObject[] = [];
  for await (const stored of store.list("", signal)) {
    const known = identifyKey(stored.key);
    if (known === undefined) {
      others.push(stored);
      continue;
    }
    const { origin, partition } = known;
    const place = prefixOfPartition(origin, partition);
    const entry = found.get(place) ?? { origin, partition, copies: [], objects: [] };
    entry.objects.push(stored);
    const copy = parseManifestKey(origin, stored);
    if (copy !== undefined) entry.copies.push(copy);
    found.set(place, entry);
  }
  const partitions = [...found.values()];
  for (const { copies } of partitions) copies.sort((a, b) => b.generation - a.generation);
  return { partitions, others };
}
