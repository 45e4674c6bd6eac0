/** A content of unknown size on its way into a bucket: in one request when it is small, in parts when it is not. */
import type { Readable } from "node:stream";
import { crc32 } from "node:zlib";
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  type CreateMultipartUploadRequest,
  PutObjectCommand,
  type PutObjectCommandInput,
  type S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";

export type UploadInput = Omit<PutObjectCommandInput, "Body"> & Pick<CreateMultipartUploadRequest, "ChecksumType">;

interface Begun {
  UploadId: string | undefined;
}

/** 10,000 of them, which is all that S3 takes, are 78 GiB of compressed rows. */
const PART_BYTES = 8 * 2 ** 20;
/** With the next one 24 MiB of memory. */
const PARTS_IN_FLIGHT = 2;

/**
 * The SDK has one as well (lib-storage), which makes a buffer of every part: so much comes and goes in a large upload that the
 * garbage collector went through the whole heap for every few parts. Here the same three are filled again and again. The sums
 * in each request have S3 refuse the rest of one that was tried again before it was over.
 */
export class Upload {
  /** What has been read of the content. */
  readonly sent = { bytes: 0, crc: 0 };
  /** A content of one piece, as manifests and notes are, needs no buffer. */
  private first: Buffer | undefined;
  private filling: Buffer | undefined;
  private filled = 0;
  private readonly free: Buffer[] = [];
  private readonly inFlight = new Set<Promise<void>>();
  private readonly parts: CompletedPart[] = [];
  private begun: Begun | undefined;
  /** Aborted, with its reason, when the upload has failed or is given up: nobody waits for content any more. */
  private readonly failure = new AbortController();

  constructor(
    private readonly client: S3Client,
    private readonly input: UploadInput,
  ) {}

  /** Gives the version. Who calls destroys a content that was not read to its end. */
  async send(content: Readable, signal?: AbortSignal): Promise<string | undefined> {
    const giveUp = () => this.failure.abort(Object.assign(new Error("Upload aborted."), { name: "AbortError" }));
    signal?.addEventListener("abort", giveUp);
    try {
      if (signal?.aborted) giveUp();
      this.failure.signal.throwIfAborted();
      return await this.unlessFailed(this.sendAll(content));
    } catch (error) {
      this.failure.abort(error);
      const ended = this.takeBack();
      // Who gives up does not wait for a store that may be the reason for it.
      if (!signal?.aborted) await ended;
      throw this.failure.signal.reason;
    } finally {
      signal?.removeEventListener("abort", giveUp);
    }
  }

  private async sendAll(content: Readable): Promise<string | undefined> {
    for await (const piece of content.iterator({ destroyOnReturn: false })) await this.take(piece as Buffer);
    this.failure.signal.throwIfAborted();
    const last = this.filling?.subarray(0, this.filled) ?? this.first ?? Buffer.alloc(0);
    if (this.begun === undefined) {
      const { VersionId } = await this.client.send(
        new PutObjectCommand({ ...this.input, Body: last }),
        this.untilFailure,
      );
      return VersionId;
    }
    await this.sendPart(last);
    await Promise.all(this.inFlight);
    this.failure.signal.throwIfAborted();
    return this.complete(this.begun);
  }

  private async take(piece: Buffer): Promise<void> {
    this.failure.signal.throwIfAborted();
    const isFirst = this.sent.bytes === 0;
    this.sent.bytes += piece.length;
    this.sent.crc = crc32(piece, this.sent.crc);
    if (isFirst && piece.length <= PART_BYTES) {
      this.first = piece;
      return;
    }
    const { first } = this;
    this.first = undefined;
    if (first !== undefined) await this.fill(first);
    await this.fill(piece);
  }

  private async fill(piece: Buffer): Promise<void> {
    for (let from = 0; from < piece.length; ) {
      if (this.filling !== undefined && this.filled === PART_BYTES) {
        await this.sendPart(this.filling);
        this.filling = undefined;
      }
      if (this.filling === undefined) {
        this.filling = this.free.pop() ?? Buffer.allocUnsafeSlow(PART_BYTES);
        this.filled = 0;
      }
      const copied = piece.copy(this.filling, this.filled, from);
      this.filled += copied;
      from += copied;
    }
  }

  /** Returns when it is on its way. */
  private async sendPart(part: Buffer): Promise<void> {
    this.begun ??= await this.begin();
    if (this.inFlight.size === PARTS_IN_FLIGHT) await Promise.race(this.inFlight);
    this.failure.signal.throwIfAborted();
    const PartNumber = this.parts.push({});
    const sending = this.uploadPart({ ...this.begun, Body: part, PartNumber })
      .catch((error: unknown) => this.failure.abort(error))
      .finally(() => {
        this.inFlight.delete(sending);
        this.free.push(part);
      });
    this.inFlight.add(sending);
  }

  private async uploadPart(part: Begun & { Body: Buffer; PartNumber: number }): Promise<void> {
    const { ChecksumAlgorithm } = this.input;
    const command = new UploadPartCommand({ ...this.place, ChecksumAlgorithm, ...part });
    const { ETag, ChecksumCRC32 } = await this.client.send(command, this.untilFailure);
    const { PartNumber } = part;
    this.parts[PartNumber - 1] = { PartNumber, ETag, ChecksumCRC32 };
  }

  private async begin(): Promise<Begun> {
    const { IfNoneMatch: _, ...input } = this.input;
    const { UploadId } = await this.client.send(new CreateMultipartUploadCommand(input), this.untilFailure);
    return { UploadId };
  }

  private async complete(begun: Begun): Promise<string | undefined> {
    const { IfNoneMatch, ChecksumType } = this.input;
    const MultipartUpload = { Parts: this.parts };
    const command = new CompleteMultipartUploadCommand({
      ...this.place,
      ...begun,
      ...(IfNoneMatch !== undefined && { IfNoneMatch }),
      ...(ChecksumType !== undefined && { ChecksumType }),
      MultipartUpload,
    });
    const { VersionId } = await this.client.send(command, this.untilFailure);
    return VersionId;
  }

  /** What cannot be taken away now is swept by a later run. */
  private async takeBack(): Promise<void> {
    await Promise.all(this.inFlight);
    if (this.begun === undefined) return;
    const command = new AbortMultipartUploadCommand({ ...this.place, ...this.begun });
    await this.client.send(command).catch(() => undefined);
  }

  private get place() {
    const { Bucket, Key } = this.input;
    return { Bucket, Key };
  }

  private get untilFailure() {
    return { abortSignal: this.failure.signal };
  }

  private unlessFailed<T>(work: Promise<T>): Promise<T> {
    const { signal } = this.failure;
    return new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      work.then(resolve, reject);
    });
  }
}
