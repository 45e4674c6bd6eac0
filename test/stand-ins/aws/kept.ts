/** Settings that the S3 server has not: refused where AWS documents that it refuses them, else kept in the state. */
import type { Properties } from "../../../provider/values";
import type { StandIn } from "../plugin";

/** What AWS would answer, or nothing. */
type Refusal = (inputs: Properties) => string | undefined;

function kept(refusal: Refusal): StandIn {
  const accept = (inputs: Properties): Properties => {
    const reason = refusal(inputs);
    if (reason !== undefined) throw new Error(reason);
    return inputs;
  };
  return {
    replacing: ["bucket"],
    create: async (inputs) => ({ id: String(inputs.bucket), outputs: accept(inputs) }),
    update: async (_id, inputs) => accept(inputs),
    delete: async () => undefined,
  };
}

interface EncryptionRule {
  applyServerSideEncryptionByDefault: { sseAlgorithm: string; kmsMasterKeyId?: string };
}

function encryptionRefusal({ rules }: Properties): string | undefined {
  const [rule, ...more] = rules as EncryptionRule[];
  if (rule === undefined || more.length > 0) return "MalformedXML: exactly one rule of encryption";
  const { sseAlgorithm, kmsMasterKeyId } = rule.applyServerSideEncryptionByDefault;
  if (!["AES256", "aws:kms", "aws:kms:dsse"].includes(sseAlgorithm)) return `MalformedXML: ${sseAlgorithm}`;
  if (sseAlgorithm === "AES256" && kmsMasterKeyId !== undefined) return "InvalidArgument: a key for AES256";
  return undefined;
}

interface Filter {
  prefix?: string;
  objectSizeGreaterThan?: number;
  and?: { prefix?: string; objectSizeGreaterThan?: number };
}

interface LifecycleRule {
  id: string;
  status: string;
  filter: Filter;
  transitions?: { days: number; storageClass: string }[];
  expiration?: { days: number };
  noncurrentVersionExpiration?: { noncurrentDays: number };
  abortIncompleteMultipartUpload?: { daysAfterInitiation: number };
}

function lifecycleRefusal({ rules }: Properties): string | undefined {
  const all = rules as LifecycleRule[];
  if (new Set(all.map(({ id }) => id)).size < all.length) return "InvalidArgument: Rule ID must be unique";
  return all.map(ruleRefusal).find((reason) => reason !== undefined);
}

function ruleRefusal(rule: LifecycleRule): string | undefined {
  const { id, status, filter, transitions = [], expiration, noncurrentVersionExpiration: old } = rule;
  const abort = rule.abortIncompleteMultipartUpload;
  if (id.length > 255) return `InvalidArgument: the ID of ${id} is too long`;
  if (!["Enabled", "Disabled"].includes(status)) return `MalformedXML: status ${status}`;
  if (Object.keys(filter).length !== 1) return `MalformedXML: a filter of one kind in ${id}`;
  // An empty prefix is none.
  if (filter.and && Object.values(filter.and).filter(Boolean).length < 2) return `MalformedXML: And of one in ${id}`;
  if (abort && (filter.objectSizeGreaterThan ?? filter.and?.objectSizeGreaterThan) !== undefined)
    return `InvalidRequest: AbortIncompleteMultipartUpload cannot be specified with a size in ${id}`;
  const days = [expiration?.days, old?.noncurrentDays, abort?.daysAfterInitiation].filter((one) => one !== undefined);
  if (days.some((one) => !Number.isInteger(one) || one < 1)) return `InvalidArgument: days must be positive in ${id}`;
  const early = transitions.find(({ days: of, storageClass }) => /_IA$/.test(storageClass) && of < 30);
  if (early)
    return `InvalidArgument: 'Days' in Transition must be at least 30 for storageClass '${early.storageClass}'`;
  if (transitions.some(({ days: of }) => expiration !== undefined && expiration.days <= of))
    return `InvalidArgument: 'Days' in the Expiration action must be greater than 'Days' in the Transition action in ${id}`;
  return undefined;
}

const BLOCKS = ["blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"];

export const KEPT: Readonly<Record<string, StandIn>> = {
  "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": kept((inputs) =>
    BLOCKS.every((name) => typeof inputs[name] === "boolean") ? undefined : "MalformedXML: four settings",
  ),
  "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": kept(encryptionRefusal),
  "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": kept(lifecycleRefusal),
  "aws:s3/bucketLogging:BucketLogging": kept(({ targetBucket, targetPrefix }) =>
    targetBucket && typeof targetPrefix === "string" ? undefined : "MalformedXML: a target bucket and a prefix",
  ),
};
