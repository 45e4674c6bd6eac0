/** Multipart uploads that nobody will end: they are paid for, and no listing of objects shows them. */
import {
  AbortMultipartUploadCommand,
  type AbortMultipartUploadCommandInput,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  type MultipartUpload,
  type S3Client,
  S3ServiceException,
} from "@aws-sdk/client-s3";

interface Within {
  Bucket: string;
  Prefix: string;
}

/** Ends those of own keys under a prefix to which nothing was added since `before`, and gives their number. */
export async function abortUploads(
  client: S3Client,
  within: Within,
  before: Date,
  isOwn: (key: string) => boolean,
): Promise<number> {
  let aborted = 0;
  for await (const { Key, UploadId, Initiated } of uploads(client, within)) {
    const upload = { Bucket: within.Bucket, Key, UploadId };
    if (Key === undefined || !isOwn(Key)) continue;
    if (Initiated === undefined || Initiated >= before || (await hasPartSince(client, upload, before))) continue;
    await client.send(new AbortMultipartUploadCommand(upload)).catch(unlessGone);
    aborted += 1;
  }
  return aborted;
}

async function* uploads(client: S3Client, within: Within): AsyncGenerator<MultipartUpload> {
  let from: { KeyMarker?: string; UploadIdMarker?: string } = {};
  for (;;) {
    const page = await client.send(new ListMultipartUploadsCommand({ ...within, ...from }));
    yield* page.Uploads ?? [];
    if (!page.IsTruncated) return;
    from = { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker };
  }
}

async function hasPartSince(
  client: S3Client,
  upload: AbortMultipartUploadCommandInput,
  before: Date,
): Promise<boolean> {
  try {
    let PartNumberMarker: string | undefined;
    for (;;) {
      const { Parts = [], ...page } = await client.send(new ListPartsCommand({ ...upload, PartNumberMarker }));
      if (Parts.some(({ LastModified }) => LastModified === undefined || LastModified >= before)) return true;
      // Not paginateListParts: the last page names a next one, too, and that never ends.
      if (!page.IsTruncated) return false;
      PartNumberMarker = page.NextPartNumberMarker;
    }
  } catch (error) {
    unlessGone(error);
    return false;
  }
}

/** Its writer has ended it in the meantime. */
function unlessGone(error: unknown): void {
  if (!(error instanceof S3ServiceException) || error.$metadata.httpStatusCode !== 404) throw error;
}
