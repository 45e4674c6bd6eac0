/** The settings of an archive's bucket, one resource each. */
import * as s3 from "@pulumi/aws/s3";
import { type ComponentResource, type CustomResourceOptions, output, type Resource } from "@pulumi/pulumi";
import type { ArchiveBucketArgs } from "./archiveBucket";
import { lifecycleRules, placeOf } from "./lifecycleRules";
import { bucketPolicy } from "./policies";

/**
 * Every setting of the bucket. All but the access log stay when the stack is destroyed: they end with the bucket, and one that
 * is not deleted, since it has objects, must not lose them before.
 */
export function makeSettings(
  name: string,
  { bucket, arn }: s3.Bucket,
  args: ArchiveBucketArgs,
  parent: ComponentResource,
): Resource[] {
  const { kmsKeyArn } = args;
  const kept: CustomResourceOptions = { parent, retainOnDelete: true };
  const block = new s3.BucketPublicAccessBlock(
    name,
    { bucket, blockPublicAcls: true, blockPublicPolicy: true, ignorePublicAcls: true, restrictPublicBuckets: true },
    kept,
  );
  const rule = { objectOwnership: "BucketOwnerEnforced" };
  const ownership = new s3.BucketOwnershipControls(name, { bucket, rule }, kept);
  const versioning = new s3.BucketVersioning(name, { bucket, versioningConfiguration: { status: "Enabled" } }, kept);
  const applyServerSideEncryptionByDefault =
    kmsKeyArn === undefined ? { sseAlgorithm: "AES256" } : { sseAlgorithm: "aws:kms", kmsMasterKeyId: kmsKeyArn };
  const rules = [{ applyServerSideEncryptionByDefault, bucketKeyEnabled: kmsKeyArn !== undefined }];
  const encryption = new s3.BucketServerSideEncryptionConfiguration(name, { bucket, rules }, kept);
  const { prefix = "", tables = {} } = args;
  const prefixes = [prefix, ...Object.keys(tables).map((table) => placeOf(prefix, table))];
  const text = output([arn, output(kmsKeyArn), output(args.serverSideWriters ?? [])] as const).apply(
    ([of, key, serverSideWriters]) =>
      JSON.stringify(bucketPolicy({ arn: of, kmsKeyArn: key, prefixes, serverSideWriters })),
  );
  const policy = new s3.BucketPolicy(name, { bucket, policy: text }, { ...kept, dependsOn: [block] });
  // Rules about versions that are not current need versioning first.
  const versioned = { ...kept, dependsOn: [versioning] };
  const lifecycle = new s3.BucketLifecycleConfiguration(name, { bucket, rules: lifecycleRules(args) }, versioned);
  const settings = [block, ownership, versioning, encryption, policy, lifecycle];
  return [...settings, ...lockOf(name, bucket, args, versioned), ...logOf(name, bucket, args, parent)];
}

type Name = s3.Bucket["bucket"];

function lockOf(
  name: string,
  bucket: Name,
  { objectLock }: ArchiveBucketArgs,
  options: CustomResourceOptions,
): Resource[] {
  if (objectLock === undefined) return [];
  const rule = { defaultRetention: { mode: objectLock.mode, days: objectLock.days } };
  return [new s3.BucketObjectLockConfiguration(name, { bucket, rule }, options)];
}

function logOf(name: string, bucket: Name, { accessLogs }: ArchiveBucketArgs, parent: ComponentResource): Resource[] {
  if (accessLogs === undefined) return [];
  const { bucket: targetBucket, prefix: targetPrefix = `${name}/` } = accessLogs;
  return [new s3.BucketLogging(name, { bucket, targetBucket, targetPrefix }, { parent })];
}
