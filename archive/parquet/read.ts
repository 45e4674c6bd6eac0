/**
 * Reads a file of Parquet from its store, from its first byte to its last, and says what it holds. Nothing is taken over from
 * whoever wrote it: pages are decoded by another library than the one that encodes them, and values become text by rules of
 * their own.
 */
import { createHash } from "node:crypto";
import { zstdDecompressSync } from "node:zlib";
import type { FileMetaData, RowGroup, SchemaElement } from "hyparquet";
import type { ParquetColumn } from "../../topology/parquet";
import { type StoredObject, StoreError } from "../store";
import { parquetReader } from "./library";
import type { QueryStore } from "./store";
import { type ColumnSum, ColumnSummer } from "./sums";
import { codecOf, elementOf } from "./values";
import { CLAIM_KEY } from "./write";

/** What a file really holds. */
export interface FileContent {
  bytes: number;
  sha256: string;
  rows: number;
  columns: Record<string, ColumnSum>;
  /** What its footer says of itself, as text. */
  claim?: string;
}

/** Length of the footer, and a magic number. */
const TRAILER_BYTES = 8;
const FIRST_GROUP = 4;

/** @throws StoreError: `missing`, or `corrupt` when it is no such file, or one of other columns. */
export async function measureParquet(
  store: QueryStore,
  object: StoredObject,
  columns: readonly ParquetColumn[],
): Promise<FileContent> {
  try {
    const metadata = await readFooter(store, object);
    requireSchema(metadata, columns);
    return await readGroups(store, object, metadata, columns);
  } catch (error) {
    if (error instanceof StoreError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new StoreError("corrupt", `${store.url}/${object.key}: ${reason}`, { cause: error });
  }
}

async function readFooter(store: QueryStore, { key, version }: StoredObject): Promise<FileMetaData> {
  const { parquetMetadata } = await parquetReader();
  const trailer = await store.readEnd(key, TRAILER_BYTES, version);
  if (trailer.length < TRAILER_BYTES) throw new Error(`it has ${trailer.length} bytes`);
  const footer = await store.readEnd(key, trailer.readUInt32LE(0) + TRAILER_BYTES, version);
  return parquetMetadata(new Uint8Array(footer));
}

const COMPARED = ["name", "type", "type_length", "repetition_type", "converted_type", "precision", "scale"] as const;

function requireSchema({ schema: [, ...there] }: FileMetaData, columns: readonly ParquetColumn[]): void {
  const text = (element: SchemaElement) =>
    JSON.stringify([...COMPARED.map((property) => element[property]), sorted(element.logical_type)]);
  const wanted = columns.map(elementOf).map(text);
  if (wanted.join() !== there.map(text).join()) throw new Error("its columns are not those that are declared");
}

const sorted = (of: object | undefined) => of && Object.entries(of).sort(([a], [b]) => (a < b ? -1 : 1));

async function readGroups(
  store: QueryStore,
  { key, version }: StoredObject,
  metadata: FileMetaData,
  columns: readonly ParquetColumn[],
): Promise<FileContent> {
  const summers = columns.map(() => new ColumnSummer());
  const sha256 = createHash("sha256");
  const bytes = new Bytes(await store.read(key, version), (piece) => sha256.update(piece));
  await bytes.take(FIRST_GROUP);
  const plain = { ...metadata, schema: metadata.schema.map(withoutLogicalType) };
  for (const group of metadata.row_groups) {
    const { from, to } = extentOf(group);
    if (from !== bytes.offset) throw new Error(`a group of rows begins at ${from} instead of ${bytes.offset}`);
    const content = await bytes.take(to - from);
    await sumGroup({ ...plain, num_rows: group.num_rows, row_groups: [group] }, { from, content }, columns, summers);
  }
  await bytes.rest();
  return {
    bytes: bytes.offset,
    sha256: sha256.digest("hex"),
    rows: Number(metadata.num_rows),
    columns: Object.fromEntries(columns.map(({ name }, at) => [name, (summers[at] as ColumnSummer).end()])),
    claim: metadata.key_value_metadata?.find((entry) => entry.key === CLAIM_KEY)?.value,
  };
}

/** Readers turn decimals into floating point and instants into milliseconds; the stored numbers are what is compared. */
function withoutLogicalType({ converted_type: _, logical_type: __, ...element }: SchemaElement): SchemaElement {
  return element;
}

function extentOf({ columns }: RowGroup): { from: number; to: number } {
  const chunks = columns.map(({ meta_data }) => {
    if (meta_data === undefined) throw new Error("a column has no metadata");
    const from = Number(meta_data.dictionary_page_offset ?? meta_data.data_page_offset);
    return { from, to: from + Number(meta_data.total_compressed_size) };
  });
  return { from: Math.min(...chunks.map(({ from }) => from)), to: Math.max(...chunks.map(({ to }) => to)) };
}

async function sumGroup(
  metadata: FileMetaData,
  { from, content }: { from: number; content: Buffer },
  columns: readonly ParquetColumn[],
  summers: readonly ColumnSummer[],
): Promise<void> {
  const { parquetScan } = await parquetReader();
  const file = {
    byteLength: from + content.length,
    slice: (start: number, end = from + content.length) =>
      new Uint8Array(content.subarray(start - from, end - from)).buffer,
  };
  const compressors = {
    ZSTD: (page: Uint8Array) => new Uint8Array(zstdDecompressSync(page)),
  };
  const rows = Number(metadata.num_rows);
  const scan = await parquetScan({ file, metadata, compressors, utf8: false, useOffsetIndex: false });
  for (const [at, column] of columns.entries()) {
    const { toText } = codecOf(column);
    const values = await scan.readColumn({ column: column.name, rowStart: 0, rowEnd: rows });
    if (values.length !== rows)
      throw new Error(`${column.name} has ${values.length} values in a group of ${rows} rows`);
    for (const value of values) summers[at]?.add(value === null || value === undefined ? null : toText(value));
  }
}

/** A stream from which so many bytes at a time are taken. */
class Bytes {
  offset = 0;
  private readonly pieces: AsyncIterator<Buffer>;
  private left: Buffer = Buffer.alloc(0);

  constructor(
    stream: AsyncIterable<Buffer>,
    private readonly see: (piece: Buffer) => void,
  ) {
    this.pieces = stream[Symbol.asyncIterator]();
  }

  async take(count: number): Promise<Buffer> {
    const taken = [this.left];
    let bytes = this.left.length;
    while (bytes < count) {
      const piece = await this.next();
      if (piece === undefined) throw new Error(`it ends after ${this.offset + bytes} bytes`);
      taken.push(piece);
      bytes += piece.length;
    }
    const all = Buffer.concat(taken);
    this.left = all.subarray(count);
    this.offset += count;
    return all.subarray(0, count);
  }

  async rest(): Promise<void> {
    this.offset += this.left.length;
    this.left = Buffer.alloc(0);
    for (let piece = await this.next(); piece !== undefined; piece = await this.next()) this.offset += piece.length;
  }

  private async next(): Promise<Buffer | undefined> {
    const { done, value } = await this.pieces.next();
    if (done) return undefined;
    this.see(value);
    return value;
  }
}
