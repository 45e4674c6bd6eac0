/** An S3 bucket for archived partitions, with every setting that a security review asks for. */
import type { types } from "@pulumi/aws";
import * as s3 from "@pulumi/aws/s3";
import {
  ComponentResource,
  type ComponentResourceOptions,
  type Input,
  InputPropertiesError,
  interpolate,
  log,
  type Output,
  output,
} from "@pulumi/pulumi";
import {
  type ArchiveLifecycle,
  LEAST_MOVED_BYTES,
  LIFECYCLE_DEFAULTS,
  lifecycleProblems,
  lifecycleWarnings,
} from "./lifecycle";
import { type ArchiveRole, bucketPolicy, rolePolicy } from "./policies";

/** Object lock: no version can be deleted or overwritten for so long, in `COMPLIANCE` not even by the account's root. */
export interface ArchiveLock {
  mode: "GOVERNANCE" | "COMPLIANCE";
  days: number;
}

export interface ArchiveBucketArgs {
  /** Name of the bucket. Default: made by Pulumi from the resource's name. */
  bucket?: Input<string>;
  /** In front of every key, without a `/` at either end. Default: none, the bucket is the archive's alone. */
  prefix?: string;
  /** ARN of the KMS key that objects are encrypted with (SSE-KMS). Default: S3's own keys (SSE-S3). */
  kmsKeyArn?: Input<string>;
  /** Default: objects stay in the class in which they are written, for ever. */
  lifecycle?: ArchiveLifecycle;
  /** Default: none. Can only be given to a bucket when it is made. */
  objectLock?: ArchiveLock;
  /** The bucket that access logs go to, and what their keys begin with. Default: none. */
  accessLogs?: { bucket: Input<string>; prefix?: Input<string> };
  /** Lets `pulumi destroy` delete what is archived. Default: `false`, a bucket with objects is not deleted. */
  forceDestroy?: boolean;
  tags?: Input<Record<string, Input<string>>>;
}

/**
 * The bucket: private, versioned, encrypted, reached by TLS only, without ACLs; with lifecycle rules that AWS takes.
 * @throws InputPropertiesError with everything that AWS would refuse, before anything is made.
 */
export class ArchiveBucket extends ComponentResource {
  /** Name of the bucket. */
  readonly bucket: Output<string>;
  readonly arn: Output<string>;
  /** What `archive.store` of a PartitionedTable takes. */
  readonly store: Output<string>;
  /** IAM policies (JSON) with the least that each of them needs. Nobody may delete. */
  readonly policies: Record<ArchiveRole, Output<string>>;

  constructor(name: string, args: ArchiveBucketArgs = {}, options?: ComponentResourceOptions) {
    super("pgpartition:aws:ArchiveBucket", name, {}, options);
    check(args, this);
    const { prefix = "", kmsKeyArn, objectLock } = args;
    const own = { parent: this };
    const bucket = new s3.Bucket(
      name,
      {
        bucket: args.bucket,
        forceDestroy: args.forceDestroy ?? false,
        objectLockEnabled: objectLock !== undefined,
        tags: args.tags,
      },
      own,
    );
    makeSettings(name, bucket, args, own);
    this.bucket = bucket.bucket;
    this.arn = bucket.arn;
    const path = prefix === "" ? "" : `/${prefix}`;
    this.store = interpolate`s3://${bucket.bucket}${path}?region=${bucket.region}`;
    const policy = (role: ArchiveRole) =>
      output([bucket.arn, output(kmsKeyArn)] as const).apply(([arn, key]) =>
        JSON.stringify(rolePolicy(role, { arn, prefix, kmsKeyArn: key, locked: objectLock !== undefined })),
      );
    this.policies = { writer: policy("writer"), restorer: policy("restorer"), auditor: policy("auditor") };
    this.registerOutputs({ bucket: this.bucket, arn: this.arn, store: this.store, policies: this.policies });
  }
}

function check({ prefix = "", lifecycle = {}, objectLock }: ArchiveBucketArgs, resource: ArchiveBucket): void {
  const errors = lifecycleProblems(lifecycle, objectLock?.days).map(({ property, reason }) => ({
    propertyPath: `lifecycle.${property}`,
    reason,
  }));
  if (prefix.startsWith("/") || prefix.endsWith("/"))
    errors.push({ propertyPath: "prefix", reason: "must neither begin nor end with /" });
  if (objectLock !== undefined && (!Number.isInteger(objectLock.days) || objectLock.days < 1))
    errors.push({
      propertyPath: "objectLock.days",
      reason: `must be a whole number of at least 1, not ${objectLock.days}`,
    });
  if (errors.length > 0) throw new InputPropertiesError({ message: "ArchiveBucket: S3 would refuse this", errors });
  for (const warning of lifecycleWarnings(lifecycle)) void log.warn(`lifecycle: ${warning}`, resource);
}

type Own = { parent: ArchiveBucket };

function makeSettings(name: string, { bucket, arn }: s3.Bucket, args: ArchiveBucketArgs, own: Own): void {
  const { kmsKeyArn, objectLock, accessLogs } = args;
  const block = new s3.BucketPublicAccessBlock(
    name,
    { bucket, blockPublicAcls: true, blockPublicPolicy: true, ignorePublicAcls: true, restrictPublicBuckets: true },
    own,
  );
  new s3.BucketOwnershipControls(name, { bucket, rule: { objectOwnership: "BucketOwnerEnforced" } }, own);
  const versioning = new s3.BucketVersioning(name, { bucket, versioningConfiguration: { status: "Enabled" } }, own);
  const encryption =
    kmsKeyArn === undefined ? { sseAlgorithm: "AES256" } : { sseAlgorithm: "aws:kms", kmsMasterKeyId: kmsKeyArn };
  new s3.BucketServerSideEncryptionConfiguration(
    name,
    {
      bucket,
      rules: [{ applyServerSideEncryptionByDefault: encryption, bucketKeyEnabled: kmsKeyArn !== undefined }],
    },
    own,
  );
  const policy = output([arn, output(kmsKeyArn)] as const).apply(([of, key]) =>
    JSON.stringify(bucketPolicy({ arn: of, kmsKeyArn: key })),
  );
  new s3.BucketPolicy(name, { bucket, policy }, { ...own, dependsOn: [block] });
  // Rules about versions that are not current need versioning first.
  const versioned = { ...own, dependsOn: [versioning] };
  new s3.BucketLifecycleConfiguration(name, { bucket, rules: lifecycleRules(args) }, versioned);
  if (objectLock !== undefined) {
    const rule = { defaultRetention: { mode: objectLock.mode, days: objectLock.days } };
    new s3.BucketObjectLockConfiguration(name, { bucket, rule }, versioned);
  }
  if (accessLogs !== undefined)
    new s3.BucketLogging(
      name,
      { bucket, targetBucket: accessLogs.bucket, targetPrefix: accessLogs.prefix ?? `${name}/` },
      own,
    );
}

type Rule = types.input.s3.BucketLifecycleConfigurationRule;

function lifecycleRules({ prefix = "", lifecycle = {} }: ArchiveBucketArgs): Rule[] {
  const { transitions = [], expireAfterDays } = lifecycle;
  const { noncurrentDays, abortUploadDays } = { ...LIFECYCLE_DEFAULTS, ...lifecycle };
  const within = prefix === "" ? "" : `${prefix}/`;
  const kept: Rule = {
    id: "versions-and-uploads",
    status: "Enabled",
    filter: { prefix: within },
    noncurrentVersionExpiration: { noncurrentDays },
    abortIncompleteMultipartUpload: { daysAfterInitiation: abortUploadDays },
    ...(expireAfterDays !== undefined && { expiration: { days: expireAfterDays } }),
  };
  if (transitions.length === 0) return [kept];
  const moved: Rule = {
    id: "rows-to-cheaper-storage",
    status: "Enabled",
    filter: { and: { prefix: within, objectSizeGreaterThan: LEAST_MOVED_BYTES } },
    transitions: transitions.map(({ afterDays, storageClass }) => ({ days: afterDays, storageClass })),
  };
  return [kept, moved];
}
