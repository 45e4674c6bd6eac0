/**
 * The Parquet copy of an exported partition: a file for each part, made from the part's object as the store has it, and proven
 * by another reader. It is for queries and proves nothing: a DROP stands on the objects of COPY text alone.
 *
 *     parquet/<cluster>/<database>/<schema>/<table>/pg_partition=<partition>/<leaf>-<part>.parquet
 *
 * A folder is read as one table, so that a file is replaced when its rows have changed, and one that is not needed any more
 * becomes empty (nobody may delete).
 */
import { Readable } from "node:stream";
import { isDeepStrictEqual } from "node:util";
import { readTypedColumns } from "../../postgres/archive/table";
import type { Session } from "../../postgres/connection";
import { type TextEncoding, UTF8 } from "../../postgres/encoding";
import { ArchiveError } from "../../postgres/errors";
import { faultPoint } from "../../postgres/faults";
import { type ParquetColumn, parquetColumns, parquetFolder, parquetPrefix } from "../../topology/parquet";
import type { Origin } from "../keys";
import type { ArchivedLeaf, ArchivedPart } from "../manifest";
import { readRows } from "../object";
import { ProofError } from "../proofError";
import { RowSummer, sameRows } from "../rows";
import { type Store, type StoredObject, StoreError } from "../store";
import { requireParquet } from "./library";
import type { ParquetCopy, ParquetFile } from "./manifest";
import { measureParquet } from "./read";
import type { QueryStore } from "./store";
import { type FileClaim, type PlacedColumn, parquetFile } from "./write";

export interface ParquetOptions {
  store: QueryStore;
  /** What is declared of columns, by name. */
  columns: Record<string, string>;
}

/** @throws ArchiveError with every column that has no place in Parquet; nothing was done. */
export async function parquetColumnsOf(
  session: Session,
  table: { oid: number; name: string; encoding: TextEncoding },
  { columns: mappings }: ParquetOptions,
): Promise<ParquetColumn[]> {
  await requireParquet();
  if (table.encoding !== UTF8)
    throw new ArchiveError(
      `archive.parquet: ${table.name} cannot be copied: texts of Parquet are UTF-8, and the database has ${table.encoding}. ` +
        "Leave archive.parquet out; the archive itself takes every encoding.",
    );
  const { columns, problems } = parquetColumns(await readTypedColumns(session, table.oid), mappings);
  if (problems.length === 0) return columns;
  const list = problems.map(({ column, reason }) => `column ${column} ${reason}`).join("; ");
  throw new ArchiveError(`archive.parquet: ${table.name} cannot be copied: ${list}`);
}

export interface CopiedPartition {
  origin: Origin;
  name: string;
  /** In the order in which a row of the archive is told. */
  columns: readonly { name: string }[];
  leaves: readonly ArchivedLeaf[];
}

/** @throws ArchiveError for a value that Parquet cannot hold, ProofError, StoreError. The next call goes on with what is there. */
export async function copyToParquet(
  archive: Store,
  { store }: ParquetOptions,
  partition: CopiedPartition,
  columns: ParquetColumn[],
  signal?: AbortSignal,
): Promise<ParquetCopy> {
  const { systemIdentifier, database, parent } = partition.origin;
  const prefix = parquetPrefix({ systemIdentifier, database, schema: parent.schema, table: parent.name });
  const folder = prefix + parquetFolder(partition.name);
  const placed = columns.map((column) => ({
    column,
    at: partition.columns.findIndex(({ name }) => name === column.name),
  }));
  const files: ParquetFile[] = [];
  for (const [leaf, { parts }] of partition.leaves.entries())
    for (const [at, part] of parts.entries()) {
      signal?.throwIfAborted();
      const key = `${folder}${leaf}-${at}.parquet`;
      files.push(await provenFile({ archive, store, placed, part, key, signal }));
    }
  await emptyOthers(store, folder, files, placed);
  return { ...(store.url !== archive.url && { store: store.url }), prefix, columns, files };
}

interface Making {
  archive: Store;
  store: QueryStore;
  placed: readonly PlacedColumn[];
  part: ArchivedPart;
  key: string;
  signal?: AbortSignal;
}

/** A file that is there is used again when it says that it holds these rows, and does. */
async function provenFile(making: Making): Promise<ParquetFile> {
  const { store, part, key } = making;
  const there = await store.find(key);
  const before = there && (await proven(making, there, claimOf));
  if (before !== undefined && before.source === part.sha256) return before;
  faultPoint("archive");
  const { stored, claim } = await written(making);
  faultPoint("archive");
  const found = await proven(making, stored, () => claim);
  if (found !== undefined) return found;
  throw new ProofError("corrupt", `${store.url}/${key} does not hold the rows that were written into it`, key);
}

/** Undefined: it is not what is claimed of it, or no file of these columns. */
async function proven(
  { store, placed, part }: Making,
  stored: StoredObject,
  claimed: (text: string | undefined) => FileClaim | undefined,
): Promise<ParquetFile | undefined> {
  try {
    const columns = placed.map(({ column }) => column);
    const { claim: text, ...found } = await measureParquet(store, stored, columns);
    const claim = claimed(text);
    const { key, version } = stored;
    if (claim === undefined || claim.rows !== part.rows || found.rows !== part.rows) return undefined;
    if (!isDeepStrictEqual(claim.columns, found.columns)) return undefined;
    return { key, ...(version !== undefined && { version }), ...found, source: claim.source };
  } catch (error) {
    if (error instanceof StoreError && error.failure === "corrupt") return undefined;
    throw error;
  }
}

function claimOf(text: string | undefined): FileClaim | undefined {
  try {
    return text === undefined ? undefined : (JSON.parse(text) as FileClaim);
  } catch {
    return undefined;
  }
}

/** The rows are summed once more on their way: what goes into the file are those that the manifest tells. */
async function written({
  archive,
  store,
  placed,
  part,
  key,
  signal,
}: Making): Promise<{ stored: StoredObject; claim: FileClaim }> {
  const rows = new RowSummer(part.format);
  let claim: FileClaim | undefined;
  const text = await readRows(archive, part);
  const seen = async function* () {
    for await (const piece of text as AsyncIterable<Buffer>) {
      rows.add(piece);
      yield piece;
    }
    if (!sameRows(rows.end(), part))
      throw new ProofError("corrupt", `${archive.url}/${part.key} holds other rows than were written`, part.key);
  };
  const file = parquetFile(seen(), placed, part.sha256, (told) => {
    claim = told;
  });
  const stored = await store.replace(key, Readable.from(file, { objectMode: false }), signal);
  if (claim === undefined) throw new Error(`${key} was written without its end.`);
  return { stored, claim };
}

/** Files of parts that this partition does not have any more: their rows would be read twice. */
async function emptyOthers(
  store: QueryStore,
  folder: string,
  files: readonly ParquetFile[],
  placed: readonly PlacedColumn[],
): Promise<void> {
  const wanted = new Set(files.map(({ key }) => key));
  const others: StoredObject[] = [];
  for await (const stored of store.list(folder)) if (!wanted.has(stored.key)) others.push(stored);
  const columns = placed.map(({ column }) => column);
  for (const other of others) {
    if (await isEmpty(store, other, columns)) continue;
    const file = parquetFile(Readable.from([]), placed, "", () => undefined);
    await store.replace(other.key, Readable.from(file, { objectMode: false }));
  }
}

async function isEmpty(store: QueryStore, stored: StoredObject, columns: readonly ParquetColumn[]): Promise<boolean> {
  try {
    return (await measureParquet(store, stored, columns)).rows === 0;
  } catch (error) {
    if (error instanceof StoreError && error.failure === "corrupt") return false;
    throw error;
  }
}

/**
 * Reads the files of a copy again. `store` of the copy: where it is, when that may be another one.
 * @throws ProofError for the first that is not what the manifest says, StoreError when the store does not answer.
 */
export async function verifyParquet(
  store: QueryStore,
  { columns, files, store: url = store.url }: Pick<ParquetCopy, "store" | "columns" | "files">,
): Promise<void> {
  if (url !== store.url)
    throw new ArchiveError(
      `the Parquet copy is in ${url}, which was not looked into: name it as archive.parquet.store`,
    );
  for (const file of files) {
    const current = await store.find(file.key);
    if (current === undefined)
      throw new ProofError("missing", `${store.url}/${file.key} is not there, or was deleted`, file.key);
    const found = await measureParquet(store, current, columns);
    const compared = ["bytes", "sha256", "rows"] as const;
    const other = compared.find((property) => found[property] !== file[property]);
    if (other !== undefined)
      throw new ProofError(
        "corrupt",
        `${store.url}/${file.key}: ${other} is ${found[other]}, and ${file[other]} was written`,
        file.key,
      );
    if (!isDeepStrictEqual(found.columns, file.columns))
      throw new ProofError("corrupt", `${store.url}/${file.key} holds other values than were written`, file.key);
  }
}
