/** What is really done, on the S3 server: buckets, their versioning, object lock, ownership and policy. */
import { randomBytes } from "node:crypto";
import {
  type BucketLocationConstraint,
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteBucketOwnershipControlsCommand,
  DeleteBucketPolicyCommand,
  DeleteObjectCommand,
  HeadBucketCommand,
  ListObjectVersionsCommand,
  type ObjectLockRule,
  type ObjectOwnership,
  PutBucketOwnershipControlsCommand,
  PutBucketPolicyCommand,
  PutBucketTaggingCommand,
  PutBucketVersioningCommand,
  PutObjectLockConfigurationCommand,
  S3Client,
  S3ServiceException,
} from "@aws-sdk/client-s3";
import type { Properties } from "../../../provider/values";
import { UNKNOWN } from "../../../topology/unknown";
import type { StandIn } from "../plugin";

const client = new S3Client();

const bucketOf = (properties: Properties) => String(properties.bucket);

async function outputsOf(inputs: Properties): Promise<Properties> {
  const region = await client.config.region();
  return { ...inputs, arn: `arn:aws:s3:::${bucketOf(inputs)}`, region };
}

async function tag(inputs: Properties): Promise<void> {
  const tags = Object.entries((inputs.tags ?? {}) as Record<string, string>);
  const Tagging = { TagSet: tags.map(([Key, Value]) => ({ Key, Value })) };
  if (tags.length > 0) await client.send(new PutBucketTaggingCommand({ Bucket: bucketOf(inputs), Tagging }));
}

/** Every version of the few objects that a test has; object lock refuses. */
async function empty(Bucket: string): Promise<void> {
  const { Versions = [], DeleteMarkers = [] } = await client.send(new ListObjectVersionsCommand({ Bucket }));
  for (const { Key, VersionId } of [...Versions, ...DeleteMarkers])
    await client.send(new DeleteObjectCommand({ Bucket, Key, VersionId }));
}

const bucket: StandIn = {
  replacing: ["bucket", "objectLockEnabled"],
  check(name, inputs, olds) {
    const given = inputs.bucket ?? olds.bucket ?? `${name}-${randomBytes(4).toString("hex").slice(1)}`;
    return { ...inputs, bucket: given };
  },
  planned: (inputs) => ({ ...inputs, bucket: UNKNOWN, arn: UNKNOWN, region: UNKNOWN }),
  async create(inputs) {
    const Bucket = bucketOf(inputs);
    const LocationConstraint = (await client.config.region()) as BucketLocationConstraint;
    const CreateBucketConfiguration = { LocationConstraint };
    const ObjectLockEnabledForBucket = inputs.objectLockEnabled === true;
    await client.send(new CreateBucketCommand({ Bucket, CreateBucketConfiguration, ObjectLockEnabledForBucket }));
    await tag(inputs);
    return { id: Bucket, outputs: await outputsOf(inputs) };
  },
  async read(Bucket, outputs) {
    try {
      await client.send(new HeadBucketCommand({ Bucket }));
      return outputs;
    } catch (error) {
      if (error instanceof S3ServiceException && error.$metadata.httpStatusCode === 404) return undefined;
      throw error;
    }
  },
  async update(_id, inputs) {
    await tag(inputs);
    return outputsOf(inputs);
  },
  async delete(Bucket, outputs) {
    if (outputs.forceDestroy === true) await empty(Bucket);
    await client.send(new DeleteBucketCommand({ Bucket }));
  },
};

/** A setting of a bucket that is put whole, and whose id is the bucket's name. */
function setting(
  put: (Bucket: string, inputs: Properties) => Promise<unknown>,
  remove: (Bucket: string) => Promise<unknown>,
): StandIn {
  return {
    replacing: ["bucket"],
    async create(inputs) {
      await put(bucketOf(inputs), inputs);
      return { id: bucketOf(inputs), outputs: inputs };
    },
    async update(id, inputs) {
      await put(id, inputs);
      return inputs;
    },
    async delete(id) {
      await remove(id);
    },
  };
}

function putVersioning(Bucket: string, Status: "Enabled" | "Suspended") {
  return client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status } }));
}

interface LockRule {
  defaultRetention: { mode: "GOVERNANCE" | "COMPLIANCE"; days: number };
}

function putLock(Bucket: string, rule?: LockRule) {
  const { mode: Mode, days: Days } = rule?.defaultRetention ?? {};
  const Rule: ObjectLockRule | undefined = rule && { DefaultRetention: { Mode, Days } };
  const ObjectLockConfiguration = { ObjectLockEnabled: "Enabled" as const, Rule };
  return client.send(new PutObjectLockConfigurationCommand({ Bucket, ObjectLockConfiguration }));
}

interface Policy {
  Statement: { Condition?: Record<string, Record<string, unknown>> }[];
}

/** Of AWS's condition keys the server knows some; what it does not know, and could not enforce, is left out. */
const ENFORCED = new Set(["aws:SecureTransport"]);

function enforceable(text: string): string {
  const policy = JSON.parse(text) as Policy;
  const Statement = policy.Statement.filter(({ Condition = {} }) =>
    Object.values(Condition).every((keys) => Object.keys(keys).every((key) => ENFORCED.has(key))),
  );
  return JSON.stringify({ ...policy, Statement });
}

function putOwnership(Bucket: string, ObjectOwnership: ObjectOwnership) {
  const OwnershipControls = { Rules: [{ ObjectOwnership }] };
  return client.send(new PutBucketOwnershipControlsCommand({ Bucket, OwnershipControls }));
}

export const BUCKETS: Readonly<Record<string, StandIn>> = {
  "aws:s3/bucket:Bucket": bucket,
  "aws:s3/bucketVersioning:BucketVersioning": setting(
    (name, { versioningConfiguration }) =>
      putVersioning(name, (versioningConfiguration as { status: "Enabled" | "Suspended" }).status),
    (name) => putVersioning(name, "Suspended"),
  ),
  "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration": setting(
    (name, { rule }) => putLock(name, rule as LockRule | undefined),
    (name) => putLock(name),
  ),
  "aws:s3/bucketOwnershipControls:BucketOwnershipControls": setting(
    (name, { rule }) => putOwnership(name, (rule as { objectOwnership: ObjectOwnership }).objectOwnership),
    (Bucket) => client.send(new DeleteBucketOwnershipControlsCommand({ Bucket })),
  ),
  "aws:s3/bucketPolicy:BucketPolicy": setting(
    (Bucket, { policy }) => client.send(new PutBucketPolicyCommand({ Bucket, Policy: enforceable(String(policy)) })),
    (Bucket) => client.send(new DeleteBucketPolicyCommand({ Bucket })),
  ),
};
