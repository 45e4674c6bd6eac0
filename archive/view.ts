/** What a plan has to know of an archive: which tables have a copy that is as they are, and what is there of those that are gone. */
import { isUnchanged, readChanges } from "../postgres/archive/changes";
import type { Session } from "../postgres/connection";
import { sameBound } from "../topology/bounds";
import type { ArchivedCopy, PartitionBound } from "../topology/model";
import { type Drops, dropsSince } from "./dropped";
import { inTurns } from "./inTurns";
import { listCopies, newestByName, newestByOid, readManifest } from "./inventory";
import { identifyKey, type ListedCopy, type Origin, prefixOf } from "./keys";
import { formatOf, type Manifest, storedBytes } from "./manifest";
import { ProofError } from "./proofError";
import { type Store, type StoredObject, StoreError, type StoreFailure } from "./store";

export interface ArchiveView {
  /** By OID of a table that is there. */
  copies: Map<number, ArchivedCopy>;
  /** Of tables that are gone, the last one of each name and range; older ones first. */
  gone: ArchivedCopy[];
  /** Some copies are known, and the store has none of them. */
  lost?: true;
  /**
   * pg_current_snapshot() when it was looked at, for the `snapshot` of the next request. An update holds the lock of the parent:
   * nobody else drops anything meanwhile.
   */
  snapshot: string;
}

export interface ViewRequest {
  store: Store;
  origin: Manifest["origin"];
  /** Tables that are partitions now, or are known to have been, by OID. */
  tables: ReadonlyMap<number, { bound: PartitionBound }>;
  /** Whether a partition may be restored: manifests of others that the state does not know are not read. */
  isWanted(copy: Pick<ListedCopy, "partition" | "oid">): boolean;
  /** Whether the copy of a table that is there is compared with it. */
  isCompared(oid: number): boolean;
  /** What the state knows to be in the archive only: by these manifests their tables were dropped. */
  archived: readonly ArchivedCopy[];
  /** OIDs that the state knows. */
  knownOids: ReadonlySet<number>;
  /** When the state was written; what was dropped for a copy since then, by a run that was killed, only the store knows. */
  snapshot?: string;
  /** Whether such a copy is of this set though nobody declares its partition: others may have partitions of the same table. */
  isAlone: boolean;
  /** What the state says of manifests, by key: these are not read again, and are found where the parent was called otherwise. */
  known: ReadonlyMap<string, ArchivedCopy>;
}

/** Manifests read at a time. */
const AT_A_TIME = 8;

/** A listing, a query, and the manifests that nobody has read yet. @throws StoreError. */
export async function viewArchive(session: Session, request: ViewRequest): Promise<ArchiveView> {
  const { store, origin, tables, isCompared } = request;
  const listed = await listCopies(store, origin);
  const drops = await dropsSince(session, listed, request.snapshot);
  const present = [...newestByOid(listed).values()].filter(({ oid }) => tables.has(oid) && isCompared(oid));
  const manifests = await inTurns(present, AT_A_TIME, ({ manifest }) => readOwn(store, manifest));
  const changes = await readChanges(
    session,
    present.map(({ oid }) => oid),
  );
  const lost = !(await hasSomeKnown(request, listed));
  return {
    ...(lost && { lost }),
    snapshot: drops.snapshot,
    copies: new Map(
      present.flatMap((copy, at): [number, ArchivedCopy][] => {
        const manifest = manifests[at];
        if (manifest === undefined || !isOf(manifest, request)) return [];
        const now = changes.get(copy.oid) ?? new Map();
        const changed =
          now.size !== manifest.leaves.length ||
          manifest.leaves.some((leaf) => {
            const state = now.get(leaf.oid);
            return state === undefined || !isUnchanged(leaf.changes, state);
          });
        return [[copy.oid, { ...copyOf(copy, manifest), ...(changed && { changed }) }]];
      }),
    ),
    gone: [...(await ofFormerNames(request)), ...(await goneOf(request, listed, drops))],
  };
}

/** Answers of a store that are about one object. */
const OF_OBJECT: ReadonlySet<StoreFailure> = new Set<StoreFailure>(["missing", "corrupt", "frozen"]);

/**
 * Undefined: it cannot be read, or is none. Its partition has no copy then, so that it is exported again, which tells why it
 * cannot be and keeps nobody from the others; without an export nothing is dropped. Of a table that is gone this would not do: an
 * empty one would take its place.
 */
async function readOwn(store: Store, stored: StoredObject): Promise<Manifest | undefined> {
  try {
    return await readManifest(store, stored);
  } catch (error) {
    if (error instanceof ProofError || (error instanceof StoreError && OF_OBJECT.has(error.failure))) return undefined;
    throw error;
  }
}

/** PostgreSQL gives OIDs again, and a table may have been attached elsewhere by hand: what it was then is not what it is. */
function isOf({ origin: { parentOid }, partition, bound }: Manifest, { origin, tables }: ViewRequest): boolean {
  const table = tables.get(partition.oid);
  return parentOid === origin.parentOid && table !== undefined && sameBound(bound, table.bound);
}

/** A table that was dropped is not the one that has its OID now, and another bound. */
function isGone({ oid, manifest: { key } }: ListedCopy, { tables, known }: ViewRequest): boolean {
  const [table, recorded] = [tables.get(oid), known.get(key)];
  return table === undefined || (recorded?.only === true && !sameBound(recorded.bound, table.bound));
}

async function goneOf(
  request: ViewRequest,
  listed: readonly ListedCopy[],
  { manifests: dropped }: Drops,
): Promise<ArchivedCopy[]> {
  const { store, origin, isWanted, isAlone, known } = request;
  const candidates = listed.filter(notBesideArchived(request));
  const newest = newestByName(candidates);
  const isLatest = (copy: ListedCopy) => {
    const last = newest.get(copy.partition);
    return last === copy || dropped.has(copy.manifest.key) || isOfOtherBound(copy, last, request);
  };
  const isOurs = (copy: ListedCopy) => {
    const { key } = copy.manifest;
    return isWanted(copy) || known.has(key) || (isAlone && dropped.has(key));
  };
  const gone = candidates
    .filter((copy) => isLatest(copy) && isGone(copy, request) && isOurs(copy))
    .sort((a, b) => a.generation - b.generation);
  const copies = await inTurns(gone, AT_A_TIME, async (copy) => {
    const { key } = copy.manifest;
    const only = dropped.has(key) && { only: true as const };
    const recorded = known.get(key);
    if (recorded !== undefined) return [{ ...recorded, ...only }];
    const manifest = await readManifest(store, copy.manifest);
    // Of a table of this name that was dropped, with its rows, before this one was made.
    return manifest.origin.parentOid === origin.parentOid ? [{ ...copyOf(copy, manifest), ...only }] : [];
  });
  const found = copies.flat();
  return found.filter((copy, at) => !found.some((other, place) => replaces(other, copy, place > at)));
}

/** Of one table what it was dropped for counts: whatever was exported under its OID after that is a clone's. */
function replaces(other: ArchivedCopy, copy: ArchivedCopy, isLater: boolean): boolean {
  if (other.name !== copy.name || !sameBound(other.bound, copy.bound)) return false;
  return other.oid === copy.oid && other.only !== copy.only ? other.only === true : isLater;
}

/** A name that was given to another range later: what was archived under it before is still all that there is of its own. */
function isOfOtherBound({ manifest }: ListedCopy, newest: ListedCopy | undefined, request: ViewRequest): boolean {
  const { known, tables } = request;
  const recorded = known.get(manifest.key);
  if (recorded?.only !== true || newest === undefined) return false;
  const { bound } = known.get(newest.manifest.key) ?? tables.get(newest.oid) ?? {};
  return bound === undefined || !sameBound(recorded.bound, bound);
}

/**
 * A clone of the database has the same keys. What the state knows to be archived is what a table was dropped for; what was
 * written beside it counts only when it is of a table that the state came to know later, as after a restore.
 */
function notBesideArchived({ origin, archived, knownOids }: ViewRequest): (copy: ListedCopy) => boolean {
  const byName = new Map<string, { keys: Set<string>; oids: Set<number> }>();
  for (const { oid, manifest } of archived) {
    const name = identifyKey(manifest.key)?.partition;
    if (name === undefined) continue;
    const { keys, oids } = byName.get(name) ?? { keys: new Set(), oids: new Set() };
    // OIDs of another database say nothing here.
    if (isOfDatabase(manifest.key, origin)) oids.add(oid);
    byName.set(name, { keys: keys.add(manifest.key), oids });
  }
  return ({ partition, oid, manifest: { key } }) => {
    const recorded = byName.get(partition);
    return recorded === undefined || recorded.keys.has(key) || (knownOids.has(oid) && !recorded.oids.has(oid));
  };
}

function isOfDatabase(key: string, { systemIdentifier, database }: Origin): boolean {
  const other = identifyKey(key)?.origin;
  return other?.systemIdentifier === systemIdentifier && other.database === database;
}

/** What was archived while the parent, its database or its cluster was another: only the state knows that it is the same. */
async function ofFormerNames({ store, origin, tables, known }: ViewRequest): Promise<ArchivedCopy[]> {
  const former = [...known.values()].filter(({ oid, manifest: { key } }) => {
    if (key.startsWith(prefixOf(origin))) return false;
    return !isOfDatabase(key, origin) || !tables.has(oid);
  });
  const there = await inTurns(former, AT_A_TIME, ({ manifest }) => store.find(manifest.key));
  return former.filter((_, at) => there[at] !== undefined);
}

/** Of partitions that nobody declares any more the store may have deleted all by its own rules: they alone say nothing. */
async function hasSomeKnown({ store, known, isWanted }: ViewRequest, listed: readonly ListedCopy[]): Promise<boolean> {
  const isExpected = [...known.values()].some(({ name, oid }) => isWanted({ partition: name, oid }));
  if (!isExpected || listed.some(({ manifest }) => known.has(manifest.key))) return true;
  for (const key of known.keys()) if ((await store.find(key)) !== undefined) return true;
  return false;
}

function copyOf({ manifest: { key, version } }: ListedCopy, manifest: Manifest): ArchivedCopy {
  const { partition, bound, rows } = manifest;
  return {
    schema: partition.schema,
    name: partition.name,
    oid: partition.oid,
    bound,
    ...(partition.under !== undefined && { under: partition.under }),
    manifest: { key, ...(version !== undefined && { version }) },
    format: formatOf(manifest),
    rows,
    bytes: storedBytes(manifest),
  };
}
