/**
 * What the stand-in for the extension aws_s3 does outside of the database: rows from standard input, as COPY wrote them, go
 * into a bucket, in files of whole rows. The one argument is {@link Order} as JSON in base64; what was done is written into a
 * file. It runs without a loader: `node upload.ts`.
 */
import type { S3Client as Client } from "@aws-sdk/client-s3";

const { writeFileSync } = require("node:fs") as typeof import("node:fs");
const { buffer } = require("node:stream/consumers") as typeof import("node:stream/consumers");
const { PutObjectCommand, S3Client } = require("@aws-sdk/client-s3") as typeof import("@aws-sdk/client-s3");

/** What is done otherwise than it is told; `noFile`: of no rows no file is made, and that is told. */
export type Lie =
  | "rows"
  | "bytes"
  | "truncated"
  | "halfRow"
  | "secondFile"
  | "fileUntold"
  | "otherBucket"
  | "rowKept"
  | "noFile"
  | "denied";

export interface Order {
  endpoint: string;
  region: string;
  secret: string;
  bucket: string;
  otherBucket: string;
  key: string;
  /** A file ends with the row that reaches this. */
  fileBytes: number;
  /** Where it is told what was done. */
  answer: string;
  lie?: Lie;
}

const NEWLINE = 0x0a;

/** Nothing is one empty file. */
function filesOf(text: Buffer, fileBytes: number): Buffer[] {
  const files: Buffer[] = [];
  let from = 0;
  do {
    const end = text.indexOf(NEWLINE, from + fileBytes - 1);
    const to = end < 0 ? text.length : end + 1;
    files.push(text.subarray(from, to));
    from = to;
  } while (from < text.length);
  return files;
}

/** Without its last row, or with half of it. */
function cut(text: Buffer, half: boolean): Buffer {
  const last = text.lastIndexOf(NEWLINE, text.length - 2) + 1;
  return text.subarray(0, half ? last + Math.ceil((text.length - last) / 2) : last);
}

async function upload(order: Order): Promise<void> {
  const { lie, key } = order;
  if (lie === "denied") throw new Error("Access Denied");
  const credentials = { accessKeyId: "test", secretAccessKey: order.secret };
  const { endpoint, region } = order;
  const client: Client = new S3Client({ endpoint, region, forcePathStyle: true, credentials });
  const sent = await buffer(process.stdin);
  const text = lie === "rowKept" ? cut(sent, false) : sent;
  const files = lie === "noFile" && text.length === 0 ? [] : filesOf(text, order.fileBytes);
  for (const [at, file] of files.entries()) {
    if (lie === "secondFile" && at === 1) continue;
    const last = at === files.length - 1;
    const Body = last && (lie === "truncated" || lie === "halfRow") ? cut(file, lie === "halfRow") : file;
    const Bucket = lie === "otherBucket" ? order.otherBucket : order.bucket;
    await client.send(new PutObjectCommand({ Bucket, Key: at === 0 ? key : `${key}_part${at + 1}`, Body }));
  }
  const count = lie === "fileUntold" ? files.length - 1 : files.length;
  const bytes = text.length + (lie === "bytes" ? 1 : 0);
  writeFileSync(order.answer, JSON.stringify({ files: count, bytes }));
}

upload(JSON.parse(Buffer.from(process.argv[2] ?? "", "base64").toString()) as Order).catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
