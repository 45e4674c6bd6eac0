/** Objects of rows: what COPY writes, compressed, with what proves later that they are whole. */
import { createHash, type Hash } from "node:crypto";
import { type Duplex, PassThrough, type Readable, Transform, type TransformCallback } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createZstdDecompress } from "node:zlib";
import type { PieceWatcher } from "../postgres/archive/characters";
import { ArchiveError } from "../postgres/errors";
import { ARCHIVE_DEFAULTS, type RowFormat } from "../topology/archive";
import { Compressor } from "./compressor";
import { undeclaredKey } from "./encryption";
import { type RowSum, RowSummer } from "./rows";
import { type Store, type StoredObject, StoreError } from "./store";

/** What is known of a written object of rows. */
export interface RowsObject extends StoredObject, RowSum {
  format: RowFormat;
  /** Id of the key that it is encrypted with. Absent: it is not. */
  encryptedWith?: string;
  /** True: the text as it is. Absent: compressed. */
  plain?: boolean;
  /** SHA-256 of the object's bytes as the store has them, in hexadecimal digits. */
  sha256: string;
  /** Size of the text before compression. */
  textBytes: number;
}

/** Level 3: with more, one thread compresses more slowly than PostgreSQL sends. */
export const DEFAULT_ZSTD_LEVEL = 3;

/** The server sends 8 KiB at a time: with less than this the way through streams and threads takes longer than the work. */
const PIECE_BYTES = 2 ** 19;
/** Between two streams, so that one may go on while the other is at work. */
const BUFFERED_BYTES = 2 ** 20;

/** A stream that has taken more takes nothing until all of that is done, and then all at once. */
const ONE_PIECE = 1;

/** Passes everything on and lets somebody see it, who may make it wait. */
class Watcher extends Transform {
  bytes = 0;

  constructor(private readonly see: (piece: Buffer) => Promise<void> | undefined) {
    super({ writableHighWaterMark: ONE_PIECE, readableHighWaterMark: BUFFERED_BYTES });
  }

  override _transform(piece: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.bytes += piece.length;
    const waiting = this.see(piece);
    if (waiting === undefined) done(null, piece);
    else waiting.then(() => done(null, piece), done);
  }
}

/** How a text goes from one place to another. */
export interface Flow {
  signal?: AbortSignal;
  onText?: TextWatcher;
  /** As much as is given on at once. Default: what streams and threads are quickest with. */
  pieceBytes?: number;
}

/** Is told how many bytes of text have been read since the last call; what it returns is waited for. */
export type TextWatcher = (bytes: number) => Promise<void> | undefined;

/** Passes text on, and adds up its rows. An error of `see` is one of the text. */
export const summing = (rows: RowSummer, onText?: TextWatcher, see?: PieceWatcher) =>
  new Watcher((piece) => {
    see?.(piece);
    rows.add(piece);
    return onText?.(piece.length);
  });

const hashing = (sum: Hash) =>
  new Watcher((piece) => {
    sum.update(piece);
    return undefined;
  });

/** Passes text on, and has it watched. */
export function watched(onText: TextWatcher | undefined): Transform {
  return new Watcher((piece) => onText?.(piece.length));
}

/** What has to be known of an object to read it. */
export type RowsAddress = Pick<RowsObject, "key" | "version" | "format" | "encryptedWith" | "plain">;

/** Writes rows, given as COPY writes them, into an object. What it gives was measured on the way; it proves nothing by itself. */
export async function writeRows(
  store: Store,
  key: string,
  text: Readable,
  options: Flow & { format?: RowFormat; level?: number } = {},
): Promise<RowsObject> {
  const { format = ARCHIVE_DEFAULTS.format, level = DEFAULT_ZSTD_LEVEL, signal, onText } = options;
  const { pieceBytes = PIECE_BYTES } = options;
  const rows = new RowSummer(format);
  const sha256 = createHash("sha256");
  const see = (piece: Buffer) => {
    rows.add(piece);
    return onText?.(piece.length);
  };
  const compressor = new Compressor({ level, pieceBytes, see });
  const encryption = store.cipher === undefined ? [] : [store.cipher.encrypt(key)];
  const after = hashing(sha256);
  let cause: unknown;
  text.on("error", (error) => {
    cause ??= error;
  });
  // An error of the store that comes when the text is through, or nearly, finds nobody in the pipeline who still listens.
  after.on("error", () => undefined);
  const storing = store.write(key, after, signal).catch((error: unknown) => {
    cause ??= error;
    after.destroy(asError(error));
    throw error;
  });
  // Both have an end before anybody else uses the session.
  const [stored, fed] = await Promise.allSettled([
    storing,
    pipeline([text, compressor, ...encryption, after], { signal }),
  ]);
  if (stored.status === "rejected") throw cause ?? stored.reason;
  if (fed.status === "rejected") throw fed.reason;
  return {
    ...stored.value,
    format,
    ...(store.cipher && { encryptedWith: store.cipher.id }),
    ...rows.end(),
    sha256: sha256.digest("hex"),
    textBytes: compressor.textBytes,
  };
}

/** What the rows of a text add up to; it is not kept. */
export async function sumOfText(text: Readable, format: RowFormat, { signal, onText }: Flow = {}): Promise<RowSum> {
  const rows = new RowSummer(format);
  const watcher = summing(rows, onText);
  watcher.resume();
  await pipeline(text, watcher, { signal });
  return rows.end();
}

/** What COPY wrote into an object of rows. What cannot be decompressed ends it with an error, after rows that could. */
export async function readRows(
  store: Store,
  address: RowsAddress,
  { pieceBytes = PIECE_BYTES }: Pick<Flow, "pieceBytes"> = {},
): Promise<Readable> {
  const encryption = decryption(store, address);
  const text = decompression(address, pieceBytes);
  const stored = await store.read(address.key, address.version);
  pipeline([stored, ...encryption, text]).catch((error: unknown) => text.destroy(asError(error)));
  return text;
}

function decompression({ plain }: RowsAddress, pieceBytes: number): Duplex {
  return plain ? new PassThrough({ highWaterMark: pieceBytes }) : createZstdDecompress({ chunkSize: pieceBytes });
}

/** What is between the store and the compressed rows. @throws ArchiveError when its key is not declared. */
function decryption({ url, cipher }: Store, { key, encryptedWith }: RowsAddress): Duplex[] {
  if (encryptedWith === undefined) return [];
  if (cipher === undefined) throw undeclaredKey(`${url}/${key}`, encryptedWith);
  return [cipher.decrypt(key, encryptedWith)];
}

const asError = (error: unknown) => (error instanceof Error ? error : new Error(String(error)));

/**
 * Reads an object of rows from its store to its end, and gives what it really holds.
 * @throws StoreError: `missing`, or `corrupt` when it is no whole zstd stream (unless it is plain) of whole rows. ArchiveError: its key cannot be
 * used, and nothing is known.
 */
export async function measureRows(
  store: Store,
  address: RowsAddress,
  { signal, onText, pieceBytes = PIECE_BYTES, see }: Flow & { see?: PieceWatcher } = {},
): Promise<RowsObject> {
  const { key, version, format, encryptedWith, plain } = address;
  const encryption = decryption(store, address);
  const rows = new RowSummer(format);
  const sha256 = createHash("sha256");
  const compressed = hashing(sha256);
  const text = summing(rows, onText, see);
  text.resume();
  try {
    const stored = await store.read(key, version);
    await pipeline([stored, compressed, ...encryption, decompression(address, pieceBytes), text], { signal });
    return {
      key,
      bytes: compressed.bytes,
      ...(version !== undefined && { version }),
      format,
      ...(encryptedWith !== undefined && { encryptedWith }),
      ...(plain && { plain }),
      ...rows.end(),
      sha256: sha256.digest("hex"),
      textBytes: text.bytes,
    };
  } catch (error) {
    if (error instanceof ArchiveError || signal?.aborted) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new StoreError("corrupt", `${store.url}/${key}: ${reason}`, { cause: error });
  }
}
