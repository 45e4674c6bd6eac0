/** The newest copies of partitions, with what their manifests say and what is known of their tables. */
import type { Sessions } from "../postgres/connection";
import { explainError } from "../postgres/errors";
import type { StoredPartition } from "./catalogue";
import { inTurns } from "./inTurns";
import { readManifest } from "./inventory";
import type { Origin } from "./keys";
import type { Manifest } from "./manifest";
import { type Presence, readPresence } from "./presence";
import type { Store } from "./store";

export interface ListedArchive {
  stored: StoredPartition;
  /** Absent: there is none, or it cannot be read. */
  manifest?: Manifest;
  /** Absent: nobody was asked, or the archive is of another database. */
  presence?: Presence;
  /** Why the manifest cannot be read. */
  failure?: string;
}

/** Manifests read at a time. */
const AT_A_TIME = 8;

/** Reads a manifest for each; one that cannot be read is told and keeps nobody from the others. */
export async function listArchives(
  store: Store,
  partitions: readonly StoredPartition[],
  database?: { sessions: Sessions; isOf(origin: Origin): boolean },
): Promise<ListedArchive[]> {
  const listed = await inTurns(partitions, AT_A_TIME, async (stored): Promise<ListedArchive> => {
    const [newest] = stored.copies;
    if (newest === undefined) return { stored };
    try {
      return { stored, manifest: await readManifest(store, newest.manifest) };
    } catch (error) {
      return { stored, failure: explainError(error) };
    }
  });
  if (database === undefined) return listed;
  const own = listed.flatMap(({ manifest }) => (manifest && database.isOf(manifest.origin) ? [manifest] : []));
  const found = await database.sessions.withSession((session) => readPresence(session, own));
  const presences = new Map(own.map((manifest, at) => [manifest, found[at]]));
  return listed.map((archive) => {
    const presence = archive.manifest && presences.get(archive.manifest);
    return { ...archive, ...(presence && { presence }) };
  });
}
