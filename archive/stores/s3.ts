/** A store in an S3 bucket, over AWS SDK v3; credentials and roles come from the SDK's own chain. */
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import {
  AbortMultipartUploadCommand,
  type CreateMultipartUploadRequest,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  type ObjectLockMode,
  type PutObjectCommandInput,
  paginateListObjectsV2,
  S3Client,
  S3ServiceException,
  type ServerSideEncryption,
  type StorageClass,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import type { S3Location } from "../../topology/archive";
import type { Cipher } from "../encryption";
import type { QueryStore } from "../parquet/store";
import { type ListedObject, type StoredObject, StoreError, type StoreFailure } from "../store";

/** What every object gets. Default of each: what the bucket has set. */
export interface S3Settings {
  storageClass?: StorageClass;
  encryption?: ServerSideEncryption;
  kmsKeyId?: string;
  tags?: Record<string, string>;
  /** Object lock; the bucket must have it. */
  retention?: { mode: ObjectLockMode; until: Date };
}

/** Parts of an upload: 10,000 of them are 156 GiB of compressed rows; two in flight and the next one are 48 MiB of memory. */
const PART_BYTES = 16 * 2 ** 20;
const PARTS_IN_FLIGHT = 2;

/** By the name of an error, then by its status. */
const FAILURES: Record<string, StoreFailure> = {
  NoSuchKey: "missing",
  NoSuchBucket: "missing",
  NoSuchVersion: "missing",
  NotFound: "missing",
  PreconditionFailed: "exists",
  ConditionalRequestConflict: "exists",
  InvalidObjectState: "frozen",
  QuotaExceeded: "full",
  EntityTooLarge: "full",
  BadDigest: "corrupt",
  XAmzContentChecksumMismatch: "corrupt",
  "403": "refused",
  "404": "missing",
  "405": "missing",
  "412": "exists",
  "500": "unreachable",
  "503": "unreachable",
  "507": "full",
};

export class S3Store implements QueryStore {
  readonly url: string;
  private readonly client: S3Client;

  constructor(
    private readonly location: Omit<S3Location, "kind">,
    private readonly settings: S3Settings = {},
    readonly cipher?: Cipher,
  ) {
    const { bucket, prefix, region, endpoint, pathStyle = endpoint !== undefined, profile } = location;
    this.url = `s3://${[bucket, prefix].filter((part) => part !== "").join("/")}`;
    this.client = new S3Client({
      forcePathStyle: pathStyle,
      ...(region !== undefined && { region }),
      ...(endpoint !== undefined && { endpoint }),
      ...(profile !== undefined && { profile }),
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
    return this.attempt(key, async () => {
      let bytes = 0;
      const counted = async function* () {
        for await (const piece of content as AsyncIterable<Buffer>) {
          bytes += piece.length;
          yield piece;
        }
      };
      const upload = new Upload({
        client: this.client,
        params: { ...this.putInput(key, Readable.from(counted(), { objectMode: false })), ...condition },
        partSize: PART_BYTES,
        queueSize: PARTS_IN_FLIGHT,
      });
      const abort = () => void upload.abort();
      signal?.addEventListener("abort", abort);
      try {
        signal?.throwIfAborted();
        const { VersionId } = await upload.done();
        return { key, bytes, ...(VersionId !== undefined && { version: VersionId }) };
      } finally {
        signal?.removeEventListener("abort", abort);
      }
    });
  }

  read(key: string, version?: string): Promise<Readable> {
    return this.attempt(key, async () => {
      const { Body } = await this.client.send(new GetObjectCommand(this.objectInput(key, version)));
      if (!(Body instanceof Readable)) throw new Error("the answer has no body");
      return Body;
    });
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
      return await this.attempt(key, async () => {
        const head = await this.client.send(new HeadObjectCommand(this.objectInput(key, version)));
        const found = head.VersionId ?? version;
        return { key, bytes: head.ContentLength ?? 0, ...(found !== undefined && { version: found }) };
      });
    } catch (error) {
      if (error instanceof StoreError && error.failure === "missing") return undefined;
      throw error;
    }
  }

  async *list(prefix: string): AsyncIterable<ListedObject> {
    const input = { Bucket: this.location.bucket, Prefix: this.keyOf(prefix) };
    const pages = paginateListObjectsV2({ client: this.client }, input)[Symbol.asyncIterator]();
    for (;;) {
      const page = await this.attempt(prefix, () => pages.next(), "refused");
      if (page.done) return;
      for (const { Key, Size, StorageClass = "STANDARD", LastModified: written } of page.value.Contents ?? []) {
        if (Key === undefined) continue;
        const key = Key.slice(this.keyOf("").length);
        yield { key, bytes: Size ?? 0, storageClass: StorageClass, ...(written && { written }) };
      }
    }
  }

  sweep(prefix: string): Promise<number> {
    return this.attempt(prefix, async () => {
      const at = { Bucket: this.location.bucket };
      const { Uploads = [] } = await this.client.send(
        new ListMultipartUploadsCommand({ ...at, Prefix: this.keyOf(prefix) }),
      );
      for (const { Key, UploadId } of Uploads) {
        await this.client.send(new AbortMultipartUploadCommand({ ...at, Key, UploadId }));
      }
      return Uploads.length;
    });
  }

  close(): void {
    this.client.destroy();
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

  /** `otherwise`: what the failure is that only the client itself knows of, such as credentials that nobody has given it. */
  private async attempt<T>(key: string, action: () => Promise<T>, otherwise?: StoreFailure): Promise<T> {
    try {
      return await action();
    } catch (error) {
      const failure = failureOf(error) ?? otherwise;
      if (failure === undefined) throw error;
      const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      throw new StoreError(failure, `${this.url}/${key}: ${reason}`, { cause: error });
    }
  }
}

/** Undefined: not the store's doing. */
function failureOf(error: unknown): StoreFailure | undefined {
  if (error instanceof S3ServiceException) {
    const status = String(error.$metadata.httpStatusCode ?? "");
    return FAILURES[error.name] ?? FAILURES[status] ?? "refused";
  }
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" && /^E[A-Z]+$/.test(code) ? "unreachable" : undefined;
}
