/** What earlier exports of a table have left in the archive, finished or not. */
import { text } from "node:stream/consumers";
import { readManifest } from "./inventory";
import { type Origin, parseKey, parseManifestKey, prefixOf } from "./keys";
import { type Manifest, type PartNote, parseNote } from "./manifest";
import type { Store, StoredObject } from "./store";

export interface EarlierExports {
  /** Number of the last one that was begun for this table, or for one of this name; 0: there is none. */
  last: number;
  /** The last one that was finished. */
  newest?: { manifest: Manifest; stored: StoredObject };
  /** The last one of another table of this name, when it is the last of all: this one may have been restored from it. */
  former?: Manifest;
  /** Parts that may be used again, the newest first. */
  parts: PartNote[];
}

/** Reads the manifest of the last finished export, and the notes of what was begun after it. */
export async function earlierExports(
  store: Store,
  origin: Origin,
  { name, oid }: { name: string; oid: number },
  signal?: AbortSignal,
): Promise<EarlierExports> {
  const objects: { generation: number; note: boolean; stored: StoredObject }[] = [];
  let last = 0;
  let latest: { generation: number; stored: StoredObject; own: boolean } | undefined;
  let finished: { generation: number; stored: StoredObject } | undefined;
  for await (const stored of store.list(prefixOf(origin), signal)) {
    const found = parseKey(origin, stored.key);
    if (found === undefined || (found.partition !== name && found.oid !== oid)) continue;
    const { generation, object } = found;
    // Numbers go on whatever table bears the name, and whatever name the table, so that the last one is the newest.
    last = Math.max(last, generation);
    const manifest = parseManifestKey(origin, stored) !== undefined;
    if (manifest && found.partition === name && generation > (latest?.generation ?? 0))
      latest = { generation, stored, own: found.oid === oid };
    if (found.oid !== oid) continue;
    objects.push({ generation, note: /^\d.*\.json$/.test(object), stored });
    if (manifest && generation > (finished?.generation ?? 0)) finished = { generation, stored };
  }
  const begun = objects.filter(({ generation, note }) => note && generation > (finished?.generation ?? 0));
  const notes: PartNote[] = [];
  for (const { stored } of begun.sort((a, b) => b.generation - a.generation))
    notes.push(...noted(await text(await store.read(stored.key))));
  const former = latest === undefined || latest.own ? undefined : await readManifest(store, latest.stored);
  const begunWith = { last, ...(former && { former }) };
  if (finished === undefined) return { ...begunWith, parts: notes };
  const manifest = await readManifest(store, finished.stored);
  const newest = { manifest, stored: finished.stored };
  return { ...begunWith, newest, parts: [...notes, ...notesOf(manifest)] };
}

function noted(json: string): PartNote[] {
  const note = parseNote(json);
  return note === undefined ? [] : [note];
}

function notesOf({ leaves, columns }: Manifest): PartNote[] {
  return leaves.flatMap(({ oid, parts }) => parts.map((part) => ({ ...part, leaf: oid, columns })));
}
