/** Writes the rows of a partition into an archive, part by part, and says at the end what is there. */
import { Readable } from "node:stream";
import { isDeepStrictEqual } from "node:util";
import { readDefinition } from "../postgres/archive/definition";
import { refuseRowSecurity } from "../postgres/archive/rowSecurity";
import { type Blocks, COPYING, copyRowsOut, type RowsTable } from "../postgres/archive/rows";
import { type ArchivedColumn, type LeafTable, readColumns, readKeyExtent, readLeaves } from "../postgres/archive/table";
import type { Session } from "../postgres/connection";
import type { TextEncoding } from "../postgres/encoding";
import { ArchiveError } from "../postgres/errors";
import { faultPoint } from "../postgres/faults";
import { qualified } from "../postgres/identifiers";
import { ARCHIVE_DEFAULTS, type RowFormat, type ServerSideTarget } from "../topology/archive";
import type { PartitionBound, RelationName } from "../topology/model";
import { type EarlierExports, earlierExports } from "./earlier";
import { type Generation, manifestKey, parseKey, partKeys, prefixOfPartition, serverSideKeys } from "./keys";
import {
  type ArchivedLeaf,
  type ArchivedPart,
  MANIFEST_FORMAT,
  type Manifest,
  manifestText,
  type PartNote,
  partsIn,
} from "./manifest";
import { type Flow, sumOfText, type TextWatcher, writeRows } from "./object";
import { copyToParquet, type ParquetOptions, parquetColumnsOf } from "./parquet/copy";
import { partsOf } from "./parts";
import { ProofError } from "./proofError";
import { addSums, sameRows } from "./rows";
import { newToken, writeServerSide } from "./serverSide";
import { type Store, type StoredObject, StoreError } from "./store";
import { isCurrent, verifyObjects } from "./verify";

/** A partition that is to be exported; it may be attached, or a table by itself. */
export interface ExportedPartition extends RelationName {
  oid: number;
  bound: PartitionBound;
  keyColumns: readonly string[];
  under?: string;
}

export interface ExportOptions extends Flow {
  store: Store;
  origin: Manifest["origin"];
  /** Default: text. */
  format?: RowFormat;
  /** Heap blocks of a part. Default: those of 1 GiB with their TOAST. */
  partBlocks?: number;
  /** Of zstd. */
  level?: number;
  /** A copy for queries beside the objects. */
  parquet?: ParquetOptions;
  /** Where the server writes rows to itself: the same place as the store. Absent: they go over the session. */
  serverSide?: ServerSideTarget;
}

export interface Exported {
  manifest: Manifest;
  stored: StoredObject;
  /** False: the last export says the same, and is given. */
  written: boolean;
}

/**
 * Exports a partition with everything below it, and reads from the store what was written. Parts that are in the archive
 * already and hold the same rows are not written again, whoever wrote them. Each part is read in a transaction of its own,
 * which locks its table ACCESS SHARE. One writer at a time: callers hold the lock of the parent (postgres/advisory).
 * @throws ProofError when the store does not give back what it was just given, StoreError, or PostgreSQL's error; the next
 * call goes on with what is there.
 */
export async function exportPartition(
  session: Session,
  partition: ExportedPartition,
  options: ExportOptions,
): Promise<Exported> {
  const { store, origin, format = ARCHIVE_DEFAULTS.format } = options;
  await refuseRowSecurity(session, partition);
  await sweep(store, origin, partition.name);
  const earlier = await earlierExports(store, origin, partition, options.signal);
  const generation = { partition: partition.name, oid: partition.oid, generation: earlier.last + 1 };
  const facts = await serverFacts(session);
  const { encoding } = facts.server;
  const leaves = await readLeaves(session, partition.oid);
  refuseForeign(leaves);
  const columns = await readColumns(session, partition.oid);
  const target: Target = {
    ...options,
    format,
    encoding,
    generation,
    columns,
    earlier,
    damaged: new Set(),
    made: new Map(),
    measured: new Set(),
  };
  // What has no place in Parquet is said before anything is written.
  const inParquet = options.parquet && (await parquetColumnsOf(session, { ...partition, encoding }, options.parquet));
  const archived = await provenLeaves(session, leaves, target);
  const parts = partsIn({ leaves: archived });
  const { schema, name, oid, bound, under } = partition;
  const copied = { origin, name, columns, leaves: archived };
  const parquet =
    inParquet && options.parquet && (await copyToParquet(store, options.parquet, copied, inParquet, options.signal));
  // It may take a scan of the table.
  options.signal?.throwIfAborted();
  const extent = await readKeyExtent(session, partition, partition.keyColumns);
  const manifest: Manifest = {
    format: MANIFEST_FORMAT,
    origin,
    partition: { schema, name, oid, ...(under !== undefined && { under }) },
    generation: generation.generation,
    bound,
    ...facts,
    columns,
    ...addSums(parts),
    textBytes: parts.reduce((sum, { textBytes }) => sum + textBytes, 0),
    tableBytes: leaves.reduce((sum, { totalBytes }) => sum + totalBytes, 0),
    ...(extent && { key: extent }),
    leaves: archived,
    restore: await readDefinition(session, oid, leaves, { columns, format, encoding }),
    ...(parquet && { parquet }),
  };
  faultPoint("archive");
  if (earlier.newest && saysTheSame(earlier.newest.manifest, manifest)) return { ...earlier.newest, written: false };
  const stored = await writeText(store, manifestKey(origin, generation), manifestText(manifest));
  faultPoint("archive");
  return { manifest, stored, written: true };
}

/**
 * What has not grown for so long has no writer any more. The lock of the parent keeps two runs of one database apart, but a
 * copy of the database (made from a snapshot, say) has the same keys, and its own locks.
 */
const ABANDONED_MS = 86_400_000;

/** What writers that were killed have left is paid for. Who may only put objects leaves it to the bucket's lifecycle. */
async function sweep(store: Store, origin: Manifest["origin"], partition: string): Promise<void> {
  const isOwn = (key: string) => parseKey(origin, key) !== undefined;
  try {
    await store.sweep(prefixOfPartition(origin, partition), new Date(Date.now() - ABANDONED_MS), isOwn);
  } catch (error) {
    if (!(error instanceof StoreError && error.failure === "refused")) throw error;
  }
}

/** Its rows change where this server neither counts nor locks: nothing could be proven of them. */
function refuseForeign(leaves: readonly LeafTable[]): void {
  const foreign = leaves.find(({ relkind }) => relkind === "f");
  if (foreign === undefined) return;
  const what = `${qualified(foreign)} is a foreign table: its rows are on another server, which alone can archive them`;
  throw new ArchiveError(`${what}. Declare tier live for this partition, or detach it by hand.`);
}

interface Target extends ExportOptions {
  format: RowFormat;
  encoding: TextEncoding;
  generation: Generation;
  columns: ArchivedColumn[];
  earlier: EarlierExports;
  /** Keys of earlier parts that were found to be not what their notes say. */
  damaged: Set<string>;
  /** Objects of this run, by leaf and number of the part. */
  made: Map<string, ArchivedPart[]>;
  /** Keys of objects that this run has read from the store after somebody else wrote them. */
  measured: Set<string>;
}

/** A part of an earlier export that turns out to be damaged is written again; one that was written just now is an error. */
async function provenLeaves(session: Session, leaves: readonly LeafTable[], target: Target): Promise<ArchivedLeaf[]> {
  const { store, earlier, damaged, measured } = target;
  const isProven = ({ key }: ArchivedPart) => measured.has(key);
  for (;;) {
    const archived: ArchivedLeaf[] = [];
    for (const [number, leaf] of leaves.entries()) archived.push(await exportLeaf(session, leaf, number, target));
    try {
      const content = { leaves: archived, ...addSums(partsIn({ leaves: archived })) };
      await verifyObjects(store, content, { ...target, isProven });
      return archived;
    } catch (error) {
      const key = error instanceof ProofError ? error.key : undefined;
      const former = earlier.former === undefined ? [] : partsIn(earlier.former);
      const reused = [...earlier.parts, ...former].some((part) => part.key === key) && !damaged.has(key ?? "");
      if (key === undefined || !reused) throw error;
      damaged.add(key);
    }
  }
}

async function exportLeaf(session: Session, leaf: LeafTable, number: number, target: Target): Promise<ArchivedLeaf> {
  const { schema, name, oid, changes } = leaf;
  const restored = await restoredParts(session, leaf, target);
  if (restored !== undefined) return { schema, name, oid, changes, parts: restored };
  const parts: ArchivedPart[] = [];
  for (const [at, blocks] of partsOf(leaf, target.partBlocks).entries()) {
    target.signal?.throwIfAborted();
    const place = `${number}-${at}`;
    const made = target.made.get(place);
    const objects = made?.every(({ key }) => !target.damaged.has(key))
      ? made
      : ((await reusedPart(session, leaf, blocks, target)) ??
        (await writtenPart(session, leaf, { ...blocks, keys: [number, at] }, target)));
    target.made.set(place, objects);
    parts.push(...objects);
  }
  return { schema, name, oid, changes, parts };
}

/** All objects of a table of this name that was archived before, when they hold the rows that this one has now. */
async function restoredParts(session: Session, leaf: LeafTable, target: Target): Promise<ArchivedPart[] | undefined> {
  const { former } = target.earlier;
  const parts = former?.leaves.find(({ name }) => name === leaf.name)?.parts;
  if (former === undefined || parts === undefined || !isDeepStrictEqual(former.columns, target.columns))
    return undefined;
  for (const part of parts)
    if (!isWrittenAlike(part, target) || target.damaged.has(part.key) || !(await isCurrent(target.store, part)))
      return undefined;
  const now = await readPart(session, leaf, { from: 0 }, target, (rows) => sumOfText(rows, target.format, target));
  return sameRows(addSums(parts), now) ? parts : undefined;
}

/** The objects of a part that are there and hold the rows that the table has in these blocks now. */
async function reusedPart(
  session: Session,
  leaf: LeafTable,
  blocks: Blocks,
  target: Target,
): Promise<ArchivedPart[] | undefined> {
  const known = target.earlier.parts.filter(
    (part) =>
      part.leaf === leaf.oid &&
      part.from === blocks.from &&
      part.to === blocks.to &&
      JSON.stringify(part.columns) === JSON.stringify(target.columns) &&
      isWrittenAlike(part, target) &&
      !target.damaged.has(part.key),
  );
  const there: PartNote[] = [];
  for (const part of known) if (await isCurrent(target.store, part)) there.push(part);
  if (there.length === 0) return undefined;
  const now = await readPart(session, leaf, blocks, target, (rows) => sumOfText(rows, target.format, target));
  // A server may write several objects of one part, all of them below the same generation.
  const generationOf = ({ key }: PartNote) => key.slice(0, key.lastIndexOf("/"));
  const written = new Map<string, PartNote[]>();
  for (const part of there) written.set(generationOf(part), [...(written.get(generationOf(part)) ?? []), part]);
  const same = [...written.values()].find((objects) => sameRows(addSums(objects), now));
  return same?.map(({ leaf: _, columns: __, ...part }) => part);
}

/** As it would be written now: sums of another format say nothing about these rows, and a key that was replaced is not used on. */
function isWrittenAlike(part: ArchivedPart, { format, store }: Target): boolean {
  return part.format === format && part.encryptedWith === store.cipher?.id;
}

interface NumberedBlocks extends Blocks {
  keys: [leaf: number, part: number];
}

async function writtenPart(
  session: Session,
  leaf: LeafTable,
  part: NumberedBlocks,
  target: Target,
): Promise<ArchivedPart[]> {
  const { serverSide } = target;
  if (serverSide !== undefined) {
    const objects = await writtenByServer(session, leaf, part, target, serverSide);
    if (objects.length > 0) return objects;
  }
  return [await writtenHere(session, leaf, part, target)];
}

async function writtenHere(
  session: Session,
  leaf: LeafTable,
  { keys, ...blocks }: NumberedBlocks,
  target: Target,
): Promise<ArchivedPart> {
  const { store, origin, generation, format } = target;
  const { rows, note } = partKeys(origin, generation, ...keys, {
    format,
    encrypted: store.cipher !== undefined,
  });
  faultPoint("archive");
  const written = await readPart(session, leaf, blocks, target, (text) =>
    writeRows(store, rows, text, { ...target, onText: brokenOff(target.onText) }),
  );
  faultPoint("archive");
  return noted(leaf, { ...written, ...blocks }, note, target);
}

/** None: there was no row, of which the server may make no object. */
async function writtenByServer(
  session: Session,
  leaf: LeafTable,
  { keys, ...blocks }: NumberedBlocks,
  target: Target,
  serverSide: ServerSideTarget,
): Promise<ArchivedPart[]> {
  const { origin, generation, columns, encoding, measured } = target;
  const { rows: key, noteOf } = serverSideKeys(origin, generation, ...keys, newToken());
  const table: RowsTable = { ...leaf, columns: columns.map(({ name }) => name), format: "text", encoding };
  faultPoint("archive");
  const found = await writeServerSide(session, table, blocks, { ...target, target: serverSide, key });
  faultPoint("archive");
  const parts: ArchivedPart[] = [];
  for (const [at, written] of found.entries()) {
    parts.push(await noted(leaf, { ...written, ...blocks }, noteOf(at + 1), target));
    measured.add(written.key);
  }
  return parts;
}

/** With a note that has a run after a kill find it. */
async function noted(leaf: LeafTable, part: ArchivedPart, note: string, target: Target): Promise<ArchivedPart> {
  const content: PartNote = { ...part, leaf: leaf.oid, columns: target.columns };
  await writeText(target.store, note, `${JSON.stringify(content)}\n`);
  faultPoint("archive");
  return part;
}

/** A fault point in the middle of an object. */
function brokenOff(onText: TextWatcher | undefined): TextWatcher {
  let met = false;
  return (bytes) => {
    if (!met) faultPoint("archive");
    met = true;
    return onText?.(bytes);
  };
}

function readPart<T>(
  session: Session,
  leaf: LeafTable,
  blocks: Blocks,
  { columns, format, encoding }: Target,
  read: (text: Readable) => Promise<T>,
): Promise<T> {
  const table: RowsTable = { ...leaf, columns: columns.map(({ name }) => name), format, encoding };
  return session.transaction(async () => {
    await session.query(COPYING);
    return copyRowsOut(session, table, read, blocks);
  });
}

/** Nothing has changed but the number, the hour and how much room it takes, which VACUUM changes. */
function saysTheSame(before: Manifest, now: Manifest): boolean {
  const content = ({ generation: _, exportedAt: __, tableBytes: ___, ...rest }: Manifest) => rest;
  return isDeepStrictEqual(content(before), content(now));
}

async function serverFacts(session: Session): Promise<Pick<Manifest, "server" | "exportedAt">> {
  const [row] = await session.query<ServerRow>(
    `SELECT pg_catalog.current_setting('server_version_num') AS version,
       pg_catalog.current_setting('server_encoding') AS encoding, pg_catalog.now()::text AS now,
       (SELECT json_object_agg(extname, extversion ORDER BY extname) FROM pg_catalog.pg_extension) AS extensions`,
  );
  if (row === undefined) throw new Error("The server did not say what it is.");
  const { version, encoding, extensions, now } = row;
  return { server: { version: Number(version), encoding, extensions: extensions ?? {} }, exportedAt: now };
}

interface ServerRow extends Record<string, unknown> {
  version: string;
  encoding: string;
  extensions: Record<string, string> | null;
  now: string;
}

function writeText(store: Store, key: string, content: string): Promise<StoredObject> {
  return store.write(key, Readable.from([Buffer.from(content)]));
}
