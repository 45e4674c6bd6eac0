/** Who may do what with an archive: IAM policy documents with the least that each needs, and the bucket's own. Pure. */

import { PARQUET_FOLDER } from "../../topology/parquet";

/** Whom a policy is for. `server`: the database's own role, where it writes rows itself (`archive.serverSideExport`). */
export type ArchiveRole = "writer" | "restorer" | "auditor" | "server";

/** Keys of rows that a server has written, see `serverSideKeys` of the archive: all that its role may write. */
const SERVER_SIDE_KEYS = ["*.copy", "*.copy_part*"];

export interface ArchivePlace {
  /** ARN of the bucket. */
  arn: string;
  /** Without a `/` at either end; empty: the whole bucket. */
  prefix: string;
  kmsKeyArn?: string;
  /** Object lock: the writer may set how long an object is kept. */
  locked: boolean;
}

export interface PolicyDocument {
  Version: "2012-10-17";
  Statement: PolicyStatement[];
}

export interface PolicyStatement {
  Sid: string;
  Effect: "Allow" | "Deny";
  Principal?: "*";
  Action: string[] | string;
  Resource?: string[];
  NotResource?: string[];
  Condition?: Record<string, Record<string, string | string[]>>;
}

const READ = ["s3:GetObject", "s3:GetObjectVersion"];

/** No role may delete: an archive ends by the bucket's lifecycle. */
const OBJECT_ACTIONS: Record<ArchiveRole, string[]> = {
  writer: [...READ, "s3:PutObject", "s3:PutObjectTagging", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
  restorer: [...READ, "s3:RestoreObject"],
  auditor: [...READ, "s3:GetObjectRetention", "s3:GetObjectTagging"],
  // "Setting up access to an Amazon S3 bucket", Amazon RDS User Guide.
  server: ["s3:PutObject", "s3:AbortMultipartUpload"],
};

const BUCKET_ACTIONS: Record<ArchiveRole, string[]> = {
  writer: ["s3:ListBucketMultipartUploads"],
  restorer: [],
  auditor: [
    "s3:GetBucketVersioning",
    "s3:GetLifecycleConfiguration",
    "s3:GetBucketObjectLockConfiguration",
    "s3:GetEncryptionConfiguration",
    "s3:GetBucketPublicAccessBlock",
  ],
  server: [],
};

const KEY_ACTIONS: Record<ArchiveRole, string[]> = {
  writer: ["kms:GenerateDataKey", "kms:Decrypt"],
  restorer: ["kms:Decrypt"],
  auditor: ["kms:Decrypt"],
  // Decrypt is for uploads of several parts.
  server: ["kms:GenerateDataKey", "kms:Decrypt"],
};

/** The policy to attach to the role or user that does this. */
export function rolePolicy(role: ArchiveRole, { arn, prefix, kmsKeyArn, locked }: ArchivePlace): PolicyDocument {
  const within = prefix === "" ? "*" : `${prefix}/*`;
  const objects = [...OBJECT_ACTIONS[role], ...(role === "writer" && locked ? ["s3:PutObjectRetention"] : [])];
  const list: PolicyStatement = {
    Sid: "ListArchive",
    Effect: "Allow",
    Action: ["s3:ListBucket"],
    Resource: [arn],
    ...(prefix !== "" && { Condition: { StringLike: { "s3:prefix": [within] } } }),
  };
  const bucket = BUCKET_ACTIONS[role];
  const ofServer = SERVER_SIDE_KEYS.map((key) => `${arn}/${prefix === "" ? "" : `${prefix}/`}${key}`);
  return {
    Version: "2012-10-17",
    Statement: [
      ...(role === "server" ? [] : [list]),
      ...(bucket.length === 0 ? [] : [allow("SeeBucket", bucket, [arn])]),
      allow("UseObjects", objects, role === "server" ? ofServer : [`${arn}/${within}`]),
      ...(kmsKeyArn === undefined ? [] : [allow("UseKey", KEY_ACTIONS[role], [kmsKeyArn])]),
    ],
  };
}

function allow(Sid: string, Action: string[], Resource: string[]): PolicyStatement {
  return { Sid, Effect: "Allow", Action, Resource };
}

/**
 * What nobody may do, whatever other policies say: plain HTTP, old TLS, objects in the place of others, objects encrypted with
 * another key. Source of the third: "Enforce conditional writes on Amazon S3 buckets", Amazon S3 User Guide; parts of uploads
 * take no condition, and copies into the bucket cannot have one. A Parquet copy is replaced when its rows have changed; aws_s3
 * sends no condition, so that the role of a server is let do without, for keys of its rows only. `prefixes`: where archives are.
 */
export function bucketPolicy({
  arn,
  kmsKeyArn,
  prefixes,
  serverSideWriters,
}: Pick<ArchivePlace, "arn" | "kmsKeyArn"> & {
  prefixes: readonly string[];
  serverSideWriters: readonly string[];
}): PolicyDocument {
  const everything = [arn, `${arn}/*`];
  const deny = (Sid: string, Action: string, Resource: string[], Condition: PolicyStatement["Condition"]) =>
    ({
      Sid,
      Effect: "Deny",
      Principal: "*",
      Action,
      Resource,
      ...(Condition && { Condition }),
    }) satisfies PolicyStatement;
  // Without `Null` the rule would also hold for requests that name no key and get the bucket's.
  const otherThan = (key: string, value: string) => ({ Null: { [key]: "false" }, StringNotEquals: { [key]: value } });
  const encryption = "s3:x-amz-server-side-encryption";
  const unconditional = { Null: { "s3:if-none-match": "true" }, Bool: { "s3:ObjectCreationOperation": "true" } };
  const parquet = prefixes.map((prefix) => `${arn}/${prefix === "" ? "" : `${prefix}/`}${PARQUET_FOLDER}/*`);
  const ofServer = serverSideWriters.length === 0 ? [] : SERVER_SIDE_KEYS.map((key) => `${arn}/${key}`);
  return {
    Version: "2012-10-17",
    Statement: [
      deny("PlainHttp", "s3:*", everything, { Bool: { "aws:SecureTransport": "false" } }),
      deny("OldTls", "s3:*", everything, { NumericLessThan: { "s3:TlsVersion": "1.2" } }),
      {
        Sid: "Replace",
        Effect: "Deny",
        Principal: "*",
        Action: "s3:PutObject",
        NotResource: [...parquet, ...ofServer],
        Condition: unconditional,
      },
      ...(ofServer.length === 0
        ? []
        : [
            deny("ReplaceRows", "s3:PutObject", ofServer, {
              ...unconditional,
              ArnNotEquals: { "aws:PrincipalArn": [...serverSideWriters] },
            }),
          ]),
      ...(kmsKeyArn === undefined
        ? []
        : [
            deny("NoKey", "s3:PutObject", [`${arn}/*`], otherThan(encryption, "aws:kms")),
            deny("OtherKey", "s3:PutObject", [`${arn}/*`], otherThan(`${encryption}-aws-kms-key-id`, kmsKeyArn)),
          ]),
    ],
  };
}
