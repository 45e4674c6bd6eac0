/** A store in an S3 bucket, over AWS SDK v3; credentials and roles come from the SDK's own chain. */
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { crc32 } from "node:zlib";
import {
  type CreateMultipartUploadRequest,
  GetObjectCommand,
  HeadObjectCommand,
  type ObjectLockMode,
  type PutObjectCommandInput,
  paginateListObjectsV2,
  S3Client,
  type S3ClientConfig,
  S3ServiceException,
  type ServerSideEncryption,
  type StorageClass,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import type { S3Location } from "../../topology/archive";
import type { Cipher } from "../encryption";
import type { QueryStore } from "../parquet/store";
import { ContentError, type ListedObject, type StoredObject, StoreError } from "../store";
import { readResumably } from "./resumed";
import { explainedError, FAILURES, isNameless } from "./s3Errors";
import { abortUploads } from "./uploads";

/** What every object gets. Default of each: what the bucket has set. */
export interface S3Settings {
  storageClass?: StorageClass;
  encryption?: ServerSideEncryption;
  kmsKeyId?: string;
  tags?: Record<string, string>;
  /** Object lock; the bucket must have it. */
  retention?: { mode: ObjectLockMode; until: Date };
  /** Tries of each request. Default: 6. */
  attempts?: number;
  /** Milliseconds without a byte in either direction after which a connection counts as lost. Default: 60,000. */
  silenceMs?: number;
}

const SILENCE_MS = 60_000;
const CONNECT_MS = 10_000;

/** Some three seconds, half a minute where S3 asks for patience: a part of an upload must not fail for a server that restarts. */
const ATTEMPTS = 6;

/** Parts of an upload: 10,000 of them are 78 GiB of compressed rows; two in flight and the next one are 24 MiB of memory. */
const PART_BYTES = 8 * 2 ** 20;
const PARTS_IN_FLIGHT = 2;

export class S3Store implements QueryStore {
  readonly url: string;
  private readonly client: S3Client;
  /** Who reads an object slowly must not be taken for a store that is silent. */
  private readonly reader: S3Client;
  private readonly silenceMs: number;

  constructor(
    private readonly location: Omit<S3Location, "kind">,
    private readonly settings: S3Settings = {},
    readonly cipher?: Cipher,
  ) {
    const { bucket, prefix, region, endpoint, pathStyle = endpoint !== undefined, profile } = location;
    this.url = `s3://${[bucket, prefix].filter((part) => part !== "").join("/")}`;
    this.silenceMs = settings.silenceMs ?? SILENCE_MS;
    const configuration: S3ClientConfig = {
      forcePathStyle: pathStyle,
      followRegionRedirects: true,
      maxAttempts: settings.attempts ?? ATTEMPTS,
      // SHA-256 of each object is compared anyway.
      responseChecksumValidation: "WHEN_REQUIRED",
      ...(region !== undefined && { region }),
      ...(endpoint !== undefined && { endpoint }),
      ...(profile !== undefined && { profile }),
    };
    const connect = { connectionTimeout: CONNECT_MS };
    this.client = new S3Client({ ...configuration, requestHandler: { ...connect, socketTimeout: this.silenceMs } });
    this.reader = new S3Client({
      ...configuration,
      requestHandler: { ...connect, requestTimeout: this.silenceMs, throwOnRequestTimeout: true },
    });
  }

  write(key: string, content: Readable, signal?: AbortSignal): Promise<StoredObject> {
    // An object that is there already stays what it is, whoever else writes at this moment.
    return this.put(key, content, { IfNoneMatch: "*" }, signal);
  }

  replace(key: string, content: Readable, signal?: AbortSignal): Promise<StoredObject> {
    return this.put(key, content, {}, signal);
  }

  private put(
    key: string,
    content: Readable,
    condition: Pick<PutObjectCommandInput, "IfNoneMatch">,
    signal: AbortSignal | undefined,
  ): Promise<StoredObject> {
    const sent = { bytes: 0, crc: 0 };
    const counted = async function* () {
      for await (const piece of content as AsyncIterable<Buffer>) {
        sent.bytes += piece.length;
        sent.crc = crc32(piece, sent.crc);
        yield piece;
      }
    };
    let broken: unknown;
    content.on("error", (error) => {
      broken = error;
    });
    const upload = new Upload({
      client: this.client,
      params: { ...this.putInput(key, Readable.from(counted(), { objectMode: false })), ...condition },
      partSize: PART_BYTES,
      queueSize: PARTS_IN_FLIGHT,
    });
    const abort = () => void upload.abort();
    signal?.addEventListener("abort", abort);
    return this.attempt(key, async () => {
      try {
        signal?.throwIfAborted();
        const { VersionId } = await upload.done();
        return stored(key, sent.bytes, VersionId);
      } catch (error) {
        const found = isAnswerToRetry(error) ? await this.findSent(key, sent) : undefined;
        if (found !== undefined) return found;
        throw broken === undefined ? error : new ContentError(broken);
      } finally {
        signal?.removeEventListener("abort", abort);
      }
    });
  }

  /** What was sent, when the answer to it was lost and the next try found it there. */
  private async findSent(
    key: string,
    { bytes, crc }: { bytes: number; crc: number },
  ): Promise<StoredObject | undefined> {
    const asked = { ...this.objectInput(key, undefined), ChecksumMode: "ENABLED" } as const;
    const head = await this.client.send(new HeadObjectCommand(asked)).catch(() => undefined);
    const sum = Buffer.alloc(4);
    sum.writeUInt32BE(crc);
    const same = head?.ContentLength === bytes && head.ChecksumCRC32 === sum.toString("base64");
    return same ? stored(key, bytes, head.VersionId) : undefined;
  }

  read(key: string, version?: string): Promise<Readable> {
    let tag: string | undefined;
    const { silenceMs } = this;
    const open = (from: number) =>
      this.attemptKnown(key, version, async () => {
        const rest = from === 0 ? {} : { Range: `bytes=${from}-`, IfMatch: tag };
        const input = { ...this.objectInput(key, version), ...rest };
        const { Body, ETag } = await this.reader.send(new GetObjectCommand(input)).catch(replaced);
        if (!(Body instanceof Readable)) throw new Error("the answer has no body");
        tag = ETag;
        return Body;
      });
    return readResumably({ open, explain: (error) => this.explained(key, error), silenceMs });
  }

  readEnd(key: string, bytes: number, version?: string): Promise<Buffer> {
    return this.attempt(key, async () => {
      const Range = `bytes=-${bytes}`;
      const { Body } = await this.client.send(new GetObjectCommand({ ...this.objectInput(key, version), Range }));
      if (!(Body instanceof Readable)) throw new Error("the answer has no body");
      return buffer(Body);
    });
  }

  async find(key: string, version?: string): Promise<StoredObject | undefined> {
    try {
      return await this.attemptKnown(key, version, async () => {
        const input = this.objectInput(key, version);
        const head = await this.client.send(new HeadObjectCommand(input)).catch((error) => this.named(input, error));
        return stored(key, head.ContentLength ?? 0, head.VersionId ?? version);
      });
    } catch (error) {
      if (error instanceof StoreError && error.failure === "missing") return undefined;
      throw error;
    }
  }

  /** The answer to HEAD has no room for a reason: the same for a GET has. */
  private async named(input: ReturnType<S3Store["objectInput"]>, error: unknown): Promise<never> {
    if (isNameless(error)) {
      const { Body } = await this.client.send(new GetObjectCommand({ ...input, Range: "bytes=0-0" }));
      if (Body instanceof Readable) Body.destroy();
    }
    throw error;
  }

  async *list(prefix: string, abortSignal?: AbortSignal): AsyncIterable<ListedObject> {
    const input = { Bucket: this.location.bucket, Prefix: this.keyOf(prefix) };
    const pages = paginateListObjectsV2({ client: this.client }, input, { abortSignal })[Symbol.asyncIterator]();
    for (;;) {
      const page = await this.attempt(prefix, () => pages.next());
      if (page.done) return;
      for (const { Key, Size, StorageClass = "STANDARD", LastModified: written } of page.value.Contents ?? []) {
        if (Key === undefined) continue;
        const key = Key.slice(this.keyOf("").length);
        yield { key, bytes: Size ?? 0, storageClass: StorageClass, ...(written && { written }) };
      }
    }
  }

  sweep(prefix: string, before: Date, isOwn: (key: string) => boolean): Promise<number> {
    const within = { Bucket: this.location.bucket, Prefix: this.keyOf(prefix) };
    const isOwnKey = (key: string) => isOwn(key.slice(this.keyOf("").length));
    return this.attempt(prefix, () => abortUploads(this.client, within, before, isOwnKey));
  }

  close(): void {
    this.client.destroy();
    this.reader.destroy();
  }

  private keyOf(key: string): string {
    return this.location.prefix === "" ? key : `${this.location.prefix}/${key}`;
  }

  private objectInput(key: string, version: string | undefined) {
    const named = { Bucket: this.location.bucket, Key: this.keyOf(key) };
    return version === undefined ? named : { ...named, VersionId: version };
  }

  private putInput(
    key: string,
    content: Readable,
  ): PutObjectCommandInput & Pick<CreateMultipartUploadRequest, "ChecksumType"> {
    const { storageClass, encryption, kmsKeyId, tags, retention } = this.settings;
    return {
      ...this.objectInput(key, undefined),
      Body: content,
      ChecksumAlgorithm: "CRC32",
      ChecksumType: "FULL_OBJECT",
      ...(storageClass !== undefined && { StorageClass: storageClass }),
      ...(encryption !== undefined && { ServerSideEncryption: encryption }),
      ...(kmsKeyId !== undefined && { SSEKMSKeyId: kmsKeyId }),
      ...(tags !== undefined && { Tagging: new URLSearchParams(tags).toString() }),
      ...(retention !== undefined && {
        ObjectLockMode: retention.mode,
        ObjectLockRetainUntilDate: retention.until,
      }),
    };
  }

  /**
   * Who may list below a prefix only is refused what is not there: S3 does not tell the two apart, the listing does.
   * @throws StoreError
   */
  private async attemptKnown<T>(key: string, version: string | undefined, action: () => Promise<T>): Promise<T> {
    try {
      return await this.attempt(key, action);
    } catch (error) {
      if (version !== undefined || !(error instanceof StoreError)) throw error;
      const { cause, failure, reason } = error;
      if (!(cause instanceof S3ServiceException) || cause.name !== "AccessDenied") throw error;
      const listed = await this.isListed(key);
      if (listed) throw error;
      if (listed === false) throw new StoreError("missing", `${this.url}/${key}: no listing has it`, { cause });
      const doubt = "it may not be there: who may not list (s3:ListBucket) is told the same of missing objects";
      throw new StoreError(failure, reason, { cause, advice: `${error.advice}; ${doubt}` });
    }
  }

  /** Undefined: nobody knows. */
  private async isListed(key: string): Promise<boolean | undefined> {
    try {
      for await (const found of this.list(key)) if (found.key === key) return true;
      return false;
    } catch {
      return undefined;
    }
  }

  private async attempt<T>(key: string, action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      throw this.explained(key, error);
    }
  }

  /** Of an error that is not the store's doing: that error. */
  private explained(key: string, error: unknown): unknown {
    if (error instanceof ContentError) return error.cause;
    if (error instanceof StoreError || (error instanceof Error && error.name === "AbortError")) return error;
    return explainedError(`${this.url}/${key}`, error);
  }
}

function stored(key: string, bytes: number, version: string | undefined): StoredObject {
  return { key, bytes, ...(version !== undefined && { version }) };
}

function isAnswerToRetry(error: unknown): boolean {
  if (!(error instanceof S3ServiceException) || (error.$metadata.attempts ?? 1) < 2) return false;
  return error.name === "NoSuchUpload" || FAILURES[error.name] === "exists" || error.$metadata.httpStatusCode === 412;
}

/** An object that has taken the place of the one whose begin was read. */
function replaced(error: unknown): never {
  if (!(error instanceof S3ServiceException) || error.$metadata.httpStatusCode !== 412) throw error;
  throw new StoreError("corrupt", "another object has taken its place while it was read", { cause: error });
}
