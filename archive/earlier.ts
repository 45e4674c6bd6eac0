/** What earlier exports of a table have left in the archive, finished or not. */
import { text } from "node:stream/consumers";
import { readManifest } from "./inventory";
import { type Origin, parseKey, parseManifestKey, prefixOfPartition } from "./keys";
import { type Manifest, type PartNote, parseNote } from "./manifest";
import type { Store, StoredObject } from "./store";

export interface EarlierExports {
  /** Number of the last one that was begun; 0: there is none. */
  last: number;
  /** The last one that was finished. */
  newest?: { manifest: Manifest; stored: StoredObject };
  /** Parts that may be used again, the newest first. */
  parts: PartNote[];
}

/** Reads the manifest of the last finished export, and the notes of what was begun after it. */
export async function earlierExports(
  store: Store,
  origin: Origin,
  { name, oid }: { name: string; oid: number },
): Promise<EarlierExports> {
  const objects: { generation: number; note: boolean; stored: StoredObject }[] = [];
  let finished: { generation: number; stored: StoredObject } | undefined;
  for await (const stored of store.list(prefixOfPartition(origin, name))) {
    const found = parseKey(origin, stored.key);
    if (found?.oid !== oid) continue;
    const { generation, object } = found;
    const manifest = parseManifestKey(origin, stored) !== undefined;
    objects.push({ generation, note: !manifest && object.endsWith(".json"), stored });
    if (manifest && generation > (finished?.generation ?? 0)) finished = { generation, stored };
  }
  const last = Math.max(0, ...objects.map(({ generation }) => generation));
  const begun = objects.filter(({ generation, note }) => note && generation > (finished?.generation ?? 0));
  const notes: PartNote[] = [];
  for (const { stored } of begun.sort((a, b) => b.generation - a.generation))
    notes.push(...noted(await text(await store.read(stored.key))));
  if (finished === undefined) return { last, parts: notes };
  const manifest = await readManifest(store, finished.stored);
  const newest = { manifest, stored: finished.stored };
  return { last, newest, parts: [...notes, ...notesOf(manifest)] };
}

function noted(json: string): PartNote[] {
  const note = parseNote(json);
  return note === undefined ? [] : [note];
}

/** They may be objects of other tables: those that a restore has brought back. */
function notesOf({ leaves, columns }: Manifest): PartNote[] {
  return leaves.flatMap(({ oid, parts }) => parts.map((part) => ({ ...part, leaf: oid, columns })));
}
