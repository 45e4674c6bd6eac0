/** What a plan has to know of an archive: which tables have a copy that is as they are, and what is there of those that are gone. */
import { isUnchanged, readChanges } from "../postgres/archive/changes";
import type { Session } from "../postgres/connection";
import type { ArchivedCopy } from "../topology/model";
import { inTurns } from "./inTurns";
import { listCopies, newestByName, newestByOid, readManifest } from "./inventory";
import type { ListedCopy } from "./keys";
import { formatOf, type Manifest } from "./manifest";
import type { Store } from "./store";

export interface ArchiveView {
  /** By OID of a table that is there. */
  copies: Map<number, ArchivedCopy>;
  /** Of tables that are gone, by name. */
  gone: Map<string, ArchivedCopy>;
}

export interface ViewRequest {
  store: Store;
  origin: Manifest["origin"];
  /** Whether a partition of this name may be restored: manifests of others are not read. */
  isWanted(partition: string): boolean;
  /** Whether the copy of a table that is there is compared with it. */
  isCompared(partition: string): boolean;
  /** What the state says of manifests, by key: these are not read again. */
  known: ReadonlyMap<string, ArchivedCopy>;
}

/** Manifests read at a time. */
const AT_A_TIME = 8;

/** One listing, one query, and the manifests that nobody has read yet. @throws StoreError. */
export async function viewArchive(session: Session, request: ViewRequest): Promise<ArchiveView> {
  const { store, origin, isWanted, isCompared, known } = request;
  const listed = await listCopies(store, origin);
  const there = await existing(
    session,
    listed.map(({ oid }) => oid),
  );
  const present = [...newestByOid(listed).values()].filter(
    ({ oid, partition }) => there.has(oid) && isCompared(partition),
  );
  const gone = [...newestByName(listed).values()].filter(
    ({ oid, partition }) => !there.has(oid) && isWanted(partition),
  );
  const manifests = await inTurns(present, AT_A_TIME, ({ manifest }) => readManifest(store, manifest));
  const changes = await readChanges(
    session,
    present.map(({ oid }) => oid),
  );
  const archived = await inTurns(
    gone,
    AT_A_TIME,
    async (copy) => known.get(copy.manifest.key) ?? copyOf(copy, await readManifest(store, copy.manifest)),
  );
  return {
    copies: new Map(
      present.map((copy, at): [number, ArchivedCopy] => {
        const manifest = manifests[at] as Manifest;
        const now = changes.get(copy.oid) ?? new Map();
        const changed =
          now.size !== manifest.leaves.length ||
          manifest.leaves.some((leaf) => {
            const state = now.get(leaf.oid);
            return state === undefined || !isUnchanged(leaf.changes, state);
          });
        return [copy.oid, { ...copyOf(copy, manifest), ...(changed && { changed }) }];
      }),
    ),
    gone: new Map(archived.map((copy) => [copy.name, copy])),
  };
}

function copyOf({ manifest: { key, version } }: ListedCopy, manifest: Manifest): ArchivedCopy {
  const { partition, bound, rows, leaves } = manifest;
  return {
    schema: partition.schema,
    name: partition.name,
    oid: partition.oid,
    bound,
    ...(partition.under !== undefined && { under: partition.under }),
    manifest: { key, ...(version !== undefined && { version }) },
    format: formatOf(manifest),
    rows,
    bytes: leaves.flatMap(({ parts }) => parts).reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

/** Those of them that are relations of this database. */
async function existing(session: Session, oids: readonly number[]): Promise<Set<number>> {
  if (oids.length === 0) return new Set();
  const rows = await session.query<{ oid: number }>("SELECT oid FROM pg_catalog.pg_class WHERE oid = ANY ($1::oid[])", [
    oids,
  ]);
  return new Set(rows.map(({ oid }) => oid));
}
