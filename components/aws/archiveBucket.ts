/** An S3 bucket for archived partitions, with every setting that a security review asks for. */
import * as s3 from "@pulumi/aws/s3";
import {
  all,
  ComponentResource,
  type ComponentResourceOptions,
  type Input,
  InputPropertiesError,
  log,
  type Output,
  output,
} from "@pulumi/pulumi";
import { type ArchiveLifecycle, type LifecycleProblem, lifecycleProblems, lifecycleWarnings } from "./lifecycle";
import { type Ageing, placeOf } from "./lifecycleRules";
import { type ArchiveRole, rolePolicy } from "./policies";
import { makeSettings } from "./settings";

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
  /**
   * Tables with a place of their own below `prefix`, see {@link ArchiveBucket.of}, each with its own lifecycle by age or else that of
   * the bucket, which then holds for these tables only. Default: none, all tables share the bucket's.
   */
  tables?: Record<string, { lifecycle?: Ageing }>;
  /**
   * Default: none. Given later, it holds for what is written from then on, and the bucket stays the same one; left out again, the
   * bucket keeps it.
   */
  objectLock?: ArchiveLock;
  /**
   * ARNs of the IAM roles by which RDS or Aurora write rows themselves (`archive.serverSideExport`; the role's feature is
   * `s3Export`, its policy is `policies.server`). The extension cannot say that it replaces nothing, so that these alone may write
   * objects of rows unconditionally. Needs `kmsKeyArn`. Default: none.
   */
  serverSideWriters?: Input<Input<string>[]>;
  /** The bucket that access logs go to, and what their keys begin with. Default: none. */
  accessLogs?: { bucket: Input<string>; prefix?: Input<string> };
  /** Lets `pulumi destroy` delete what is archived and not locked. Default: `false`, a bucket with objects is not deleted. */
  forceDestroy?: boolean;
  tags?: Input<Record<string, Input<string>>>;
}

/** Where archives go, and who may do what there. */
export interface ArchiveTarget {
  /** What `archive.store` of a PartitionedTable takes. It is known when all settings of the bucket are in force. */
  readonly store: Output<string>;
  /** IAM policies (JSON) with the least that each of them needs. Nobody may delete. */
  readonly policies: Record<ArchiveRole, Output<string>>;
}

/**
 * The bucket: private, versioned, encrypted, reached by TLS only, without ACLs, and objects are never replaced; with lifecycle
 * rules that AWS takes.
 * @throws InputPropertiesError with everything that AWS would refuse, before anything is made.
 */
export class ArchiveBucket extends ComponentResource implements ArchiveTarget {
  /** Name of the bucket. */
  readonly bucket: Output<string>;
  readonly arn: Output<string>;
  readonly store: Output<string>;
  readonly policies: Record<ArchiveRole, Output<string>>;
  private readonly tables: ReadonlyMap<string, ArchiveTarget>;

  constructor(name: string, args: ArchiveBucketArgs = {}, options?: ComponentResourceOptions) {
    super("pgpartition:aws:ArchiveBucket", name, {}, options);
    check(args, this);
    const { prefix = "", objectLock } = args;
    const bucket = new s3.Bucket(
      name,
      {
        bucket: args.bucket,
        forceDestroy: args.forceDestroy ?? false,
        objectLockEnabled: objectLock !== undefined,
        tags: args.tags,
      },
      // S3 takes object lock for a bucket that is there; another value here would be another bucket.
      { parent: this, ignoreChanges: ["objectLockEnabled"] },
    );
    const settings = makeSettings(name, bucket, args, this);
    // Unlike their ids, the URNs of settings that are still to be made are known in a preview.
    const ready = all(settings.map(({ urn }) => urn));
    const target = (place: string) => targetOf(place, bucket, args, ready);
    this.bucket = bucket.bucket;
    this.arn = bucket.arn;
    const { store, policies } = target(prefix);
    this.store = store;
    this.policies = policies;
    this.tables = new Map(Object.keys(args.tables ?? {}).map((table) => [table, target(placeOf(prefix, table))]));
    this.registerOutputs({ bucket: this.bucket, arn: this.arn, store: this.store, policies: this.policies });
  }

  /**
   * The place of one of `tables`: its store, and policies that reach no other table's.
   * @throws when the table is not among them.
   */
  of(table: string): ArchiveTarget {
    const target = this.tables.get(table);
    if (target !== undefined) return target;
    const known = [...this.tables.keys()].join(", ") || "none";
    throw new Error(`ArchiveBucket.of: ${JSON.stringify(table)} is not among its tables; there are: ${known}`);
  }
}

function targetOf(
  place: string,
  { bucket, arn, region }: s3.Bucket,
  { kmsKeyArn, objectLock }: ArchiveBucketArgs,
  ready: Output<unknown>,
): ArchiveTarget {
  const path = place === "" ? "" : `/${place}`;
  const policy = (role: ArchiveRole) =>
    output([arn, output(kmsKeyArn)] as const).apply(([of, key]) =>
      JSON.stringify(rolePolicy(role, { arn: of, prefix: place, kmsKeyArn: key, locked: objectLock !== undefined })),
    );
  return {
    // Rows come when the bucket is private, versioned and locked, not before.
    store: all([bucket, region, ready]).apply(([of, where]) => `s3://${of}${path}?region=${where}`),
    policies: {
      writer: policy("writer"),
      restorer: policy("restorer"),
      auditor: policy("auditor"),
      server: policy("server"),
    },
  };
}

function check(args: ArchiveBucketArgs, resource: ArchiveBucket): void {
  const { prefix = "", lifecycle = {}, tables = {}, objectLock, serverSideWriters, kmsKeyArn } = args;
  const at = (place: string, problems: LifecycleProblem[]) =>
    problems.map(({ property, reason }) => ({ propertyPath: `${place}.${property}`, reason }));
  const errors = at("lifecycle", lifecycleProblems(lifecycle, objectLock?.days));
  for (const [table, own] of Object.entries(tables)) {
    const path = `tables[${JSON.stringify(table)}]`;
    errors.push(...at(`${path}.lifecycle`, lifecycleProblems(own.lifecycle ?? {}, objectLock?.days)));
    if (!/^[\w.-]+$/.test(table))
      errors.push({
        propertyPath: path,
        reason: "must be made of letters, digits, _, . and -: it is part of each key",
      });
  }
  if (prefix.startsWith("/") || prefix.endsWith("/"))
    errors.push({ propertyPath: "prefix", reason: "must neither begin nor end with /" });
  if (objectLock !== undefined && (!Number.isInteger(objectLock.days) || objectLock.days < 1))
    errors.push({
      propertyPath: "objectLock.days",
      reason: `must be a whole number of at least 1, not ${objectLock.days}`,
    });
  if (serverSideWriters !== undefined && kmsKeyArn === undefined)
    errors.push({
      propertyPath: "serverSideWriters",
      reason:
        "needs kmsKeyArn: RDS and Aurora do not export into buckets that are encrypted with S3's own keys (SSE-S3), as AWS " +
        "documents",
    });
  if (errors.length > 0) throw new InputPropertiesError({ message: "ArchiveBucket: S3 would refuse this", errors });
  const warned = [lifecycle, ...Object.values(tables).map((own) => own.lifecycle ?? {})].flatMap(lifecycleWarnings);
  for (const warning of new Set(warned)) void log.warn(`lifecycle: ${warning}`, resource);
}
