import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import type { S3Client } from "@aws-sdk/client-s3";
import { Upload } from "../../../archive/stores/upload";

const PART_BYTES = 8 * 2 ** 20;

interface Request {
  Body?: Buffer;
  PartNumber?: number;
  MultipartUpload?: { Parts: { PartNumber: number; ETag: string }[] };
}

/** Takes what it is sent as it is when the answer is given, which is when the network may still read it. */
class Bucket {
  readonly requests: string[] = [];
  readonly buffers = new Set<ArrayBufferLike>();
  readonly parts: Buffer[] = [];
  whole: Buffer | undefined;
  most = 0;
  private open = 0;

  constructor(private readonly fails: (name: string, request: Request) => boolean = () => false) {}

  async send({ constructor: { name }, input }: { constructor: { name: string }; input: Request }): Promise<object> {
    this.requests.push(name);
    this.most = Math.max(this.most, ++this.open);
    for (let turns = 0; turns < 5; turns++) await turn();
    this.open -= 1;
    if (this.fails(name, input)) throw new Error(`${name} failed`);
    const { Body, PartNumber, MultipartUpload } = input;
    if (Body !== undefined && PartNumber !== undefined) {
      this.buffers.add(Body.buffer);
      this.parts[PartNumber - 1] = Buffer.from(Body);
    } else if (Body !== undefined) this.whole = Buffer.from(Body);
    if (MultipartUpload !== undefined)
      this.whole = Buffer.concat(MultipartUpload.Parts.map((part) => this.parts[part.PartNumber - 1] as Buffer));
    return { UploadId: "upload", ETag: "tag", VersionId: "version" };
  }

  upload(): Upload {
    return new Upload(this as unknown as S3Client, { Bucket: "bucket", Key: "key" });
  }
}

function* pieces(content: Buffer, bytes: number) {
  for (let from = 0; from < content.length; from += bytes) yield content.subarray(from, from + bytes);
}

describe("an upload", () => {
  it("fills three buffers again and again, and sends every byte in its place", async () => {
    const content = randomBytes(6 * PART_BYTES + 5);
    const bucket = new Bucket();
    const upload = bucket.upload();
    assert.equal(await upload.send(Readable.from(pieces(content, 700_001))), "version");
    assert.ok(bucket.whole?.equals(content));
    assert.deepEqual(
      bucket.parts.map(({ length }) => length),
      [...Array.from({ length: 6 }, () => PART_BYTES), 5],
    );
    assert.deepEqual([bucket.buffers.size, bucket.most, upload.sent.bytes], [3, 2, content.length]);
  });

  it("is one request for what fits into a part", async () => {
    for (const [bytes, piece] of [
      [0, 1],
      [10, 10],
      [10, 3],
      [PART_BYTES, 2 ** 20],
    ] as const) {
      const content = randomBytes(bytes);
      const bucket = new Bucket();
      await bucket.upload().send(Readable.from(pieces(content, piece)));
      assert.deepEqual(bucket.requests, ["PutObjectCommand"]);
      assert.ok(bucket.whole?.equals(content));
    }
  });

  it("has parts of one size, however large the pieces are", async () => {
    const content = randomBytes(2 * PART_BYTES + 1);
    const bucket = new Bucket();
    await bucket.upload().send(Readable.from([content]));
    assert.ok(bucket.whole?.equals(content));
    assert.equal(bucket.parts.length, 3);
  });

  it("ends with the first part that fails, though no more content comes, and is taken back", async () => {
    const bucket = new Bucket((_, { PartNumber }) => PartNumber === 2);
    const content = Readable.from(
      (async function* () {
        for (let piece = 0; piece < 17; piece++) yield randomBytes(2 ** 20);
        await new Promise(() => undefined);
      })(),
    );
    await assert.rejects(bucket.upload().send(content), /UploadPartCommand failed/);
    assert.equal(bucket.requests.at(-1), "AbortMultipartUploadCommand");
    assert.equal(content.destroyed, false);
  });

  it("ends when it is given up, before and while it waits for content", async () => {
    const forever = () => new Readable({ read: () => undefined });
    await assert.rejects(new Bucket().upload().send(forever(), AbortSignal.abort()), { name: "AbortError" });
    const giveUp = new AbortController();
    const sending = new Bucket().upload().send(forever(), giveUp.signal);
    giveUp.abort();
    await assert.rejects(sending, { name: "AbortError" });
  });
});
