/** What is archived of a table, as its store says. */
import { text } from "node:stream/consumers";
import {
  type Generation,
  type ListedCopy,
  type ListedExport,
  manifestKey,
  type Origin,
  parseDropped,
  parseManifestKey,
  prefixOf,
} from "./keys";
import { generationOf, type Manifest, parseManifest } from "./manifest";
import { ProofError } from "./proofError";
import type { Store, StoredObject } from "./store";

/** Every finished export of a table's partitions. One listing; no manifest is read. */
export async function listCopies(store: Store, origin: Origin, signal?: AbortSignal): Promise<ListedExport[]> {
  const found: ListedCopy[] = [];
  const dropped = new Map<string, string[]>();
  for await (const stored of store.list(prefixOf(origin), signal)) {
    const copy = parseManifestKey(origin, stored);
    if (copy !== undefined) found.push(copy);
    const drop = parseDropped(origin, stored);
    if (drop !== undefined) dropped.set(drop.manifest, [...(dropped.get(drop.manifest) ?? []), drop.transaction]);
  }
  return found.map((copy) => ({ ...copy, droppedBy: dropped.get(copy.manifest.key) ?? [] }));
}

/** The last export of each table, by OID: tables are known by that, names may have changed. */
export function newestByOid<T extends Generation>(copies: readonly T[]): Map<number, T> {
  const newest = new Map<number, T>();
  for (const copy of copies) {
    const other = newest.get(copy.oid);
    if (other === undefined || other.generation < copy.generation) newest.set(copy.oid, copy);
  }
  return newest;
}

/** The last export of each partition, by name: of tables that are gone nothing else is left. */
export function newestByName<T extends Generation>(copies: readonly T[]): Map<string, T> {
  const newest = new Map<string, T>();
  for (const copy of copies) {
    const other = newest.get(copy.partition);
    if (other === undefined || other.generation < copy.generation) newest.set(copy.partition, copy);
  }
  return newest;
}

/**
 * Reads the manifest that stands under a key.
 * @throws StoreError, or ProofError when it is none, or that of another table.
 */
export async function readManifest(store: Store, { key, version }: StoredObject): Promise<Manifest> {
  const content = parsed(await text(await store.read(key, version)), `${store.url}/${key}`);
  if (manifestKey(content.origin, generationOf(content)) !== key) {
    const { partition, origin } = content;
    const whose = `${partition.schema}.${partition.name} (OID ${partition.oid}) of database ${origin.database}`;
    throw new ProofError("foreign", `${store.url}/${key} is the manifest of ${whose}`, key);
  }
  return content;
}

function parsed(json: string, name: string): Manifest {
  try {
    return parseManifest(json);
  } catch (error) {
    throw new ProofError("corrupt", `${name}: ${error instanceof Error ? error.message : error}`);
  }
}
