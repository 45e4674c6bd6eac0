/** What an ArchiveBucket asks of AWS, by Pulumi's mocks: there is no AWS here. */
import assert from "node:assert/strict";
import { InputPropertiesError, type Output, runtime } from "@pulumi/pulumi";
import { manifestKey, partKeys, serverSideKeys } from "../../../../archive/keys";
import { newToken } from "../../../../archive/serverSide";
import { ArchiveBucket, type ArchiveBucketArgs } from "../../../../components/aws";
import { filesOf } from "../../../../postgres/archive/serverSide";

interface Made {
  type: string;
  inputs: Record<string, unknown>;
}

const KEY = "arn:aws:kms:eu-central-1:123456789012:key/one";

describe("an ArchiveBucket (mocked AWS)", () => {
  let made: Made[];
  /** What the making of a resource waits for. */
  let hold: ((type: string) => Promise<unknown>) | undefined;

  before(async () => {
    await runtime.setMocks({
      async newResource({ type, name, inputs }) {
        await hold?.(type);
        made.push({ type, inputs });
        const state = {
          ...inputs,
          bucket: inputs.bucket ?? `${name}-1a2b`,
          arn: `arn:aws:s3:::${name}-1a2b`,
          region: "eu-central-1",
        };
        return { id: `${name}-id`, state };
      },
      call: ({ inputs }) => inputs,
    });
  });
  beforeEach(() => {
    made = [];
  });

  const value = <T>(of: Output<T>) => new Promise<T>((resolve) => void of.apply(resolve));

  /** The component, and the inputs of each resource by its type. */
  async function make(args?: ArchiveBucketArgs) {
    const component = new ArchiveBucket("archive", args);
    await value(component.store);
    await new Promise((resolve) => setImmediate(resolve));
    await runtime.disconnect();
    const of = (type: string) => made.find((one) => one.type === `aws:s3/${type}`)?.inputs;
    return { component, of };
  }

  const policyOf = async (component: ArchiveBucket, role: keyof ArchiveBucket["policies"]) =>
    JSON.parse(await value(component.policies[role]));

  it("is private, versioned, encrypted, without ACLs, and reached by TLS only, without being told so", async () => {
    const { of, component } = await make();
    assert.deepEqual(of("bucketPublicAccessBlock:BucketPublicAccessBlock"), {
      bucket: "archive-1a2b",
      blockPublicAcls: true,
      blockPublicPolicy: true,
      ignorePublicAcls: true,
      restrictPublicBuckets: true,
    });
    assert.deepEqual(of("bucketOwnershipControls:BucketOwnershipControls")?.rule, {
      objectOwnership: "BucketOwnerEnforced",
    });
    assert.deepEqual(of("bucketVersioning:BucketVersioning")?.versioningConfiguration, { status: "Enabled" });
    assert.deepEqual(of("bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration")?.rules, [
      { applyServerSideEncryptionByDefault: { sseAlgorithm: "AES256" }, bucketKeyEnabled: false },
    ]);
    const policy = JSON.parse(String(of("bucketPolicy:BucketPolicy")?.policy));
    const denied = policy.Statement.map(({ Sid, Effect }: { Sid: string; Effect: string }) => `${Effect} ${Sid}`);
    assert.deepEqual(denied, ["Deny PlainHttp", "Deny OldTls", "Deny Replace"]);
    // Copies for queries follow their rows.
    assert.deepEqual(policy.Statement[2].NotResource, ["arn:aws:s3:::archive-1a2b/parquet/*"]);
    assert.equal(of("bucket:Bucket")?.forceDestroy, false);
    assert.equal(await value(component.store), "s3://archive-1a2b?region=eu-central-1");
  });

  it("ends unfinished uploads and old versions, and moves only what is large to cheaper storage", async () => {
    const { of } = await make({
      prefix: "app",
      lifecycle: { transitions: [{ afterDays: 90, storageClass: "GLACIER_IR" }], expireAfterDays: 3650 },
    });
    assert.deepEqual(of("bucketLifecycleConfiguration:BucketLifecycleConfiguration")?.rules, [
      {
        id: "versions-and-uploads",
        status: "Enabled",
        filter: { prefix: "app/" },
        noncurrentVersionExpiration: { noncurrentDays: 30 },
        abortIncompleteMultipartUpload: { daysAfterInitiation: 7 },
      },
      {
        id: "rows-to-cheaper-storage",
        status: "Enabled",
        filter: { and: { prefix: "app/", objectSizeGreaterThan: 1048576 } },
        transitions: [{ days: 90, storageClass: "GLACIER_IR" }],
      },
      { id: "end", status: "Enabled", filter: { prefix: "app/" }, expiration: { days: 3650 } },
    ]);
  });

  it("does not write a condition with an empty prefix, which S3 takes for none", async () => {
    const { of } = await make({ lifecycle: { transitions: [{ afterDays: 90, storageClass: "GLACIER_IR" }] } });
    const rules = of("bucketLifecycleConfiguration:BucketLifecycleConfiguration")?.rules as { filter: unknown }[];
    assert.deepEqual(
      rules.map(({ filter }) => filter),
      [{ prefix: "" }, { objectSizeGreaterThan: 1048576 }],
    );
  });

  it("gives a table a place, policies and an end of its own", async () => {
    const { of, component } = await make({
      prefix: "app",
      lifecycle: { expireAfterDays: 3650 },
      tables: { events: {}, audit: { lifecycle: { expireAfterDays: 10_000 } } },
    });
    const rules = of("bucketLifecycleConfiguration:BucketLifecycleConfiguration")?.rules as { id: string }[];
    assert.deepEqual(rules.slice(1), [
      { id: "events-end", status: "Enabled", filter: { prefix: "app/events/" }, expiration: { days: 3650 } },
      { id: "audit-end", status: "Enabled", filter: { prefix: "app/audit/" }, expiration: { days: 10_000 } },
    ]);
    const { store, policies } = component.of("audit");
    assert.equal(await value(store), "s3://archive-1a2b/app/audit?region=eu-central-1");
    const { Statement } = JSON.parse(await value(policies.writer));
    const [list, objects] = ["ListArchive", "UseObjects"].map((sid) =>
      Statement.find(({ Sid }: { Sid: string }) => Sid === sid),
    );
    assert.deepEqual(list.Condition, { StringLike: { "s3:prefix": ["app/audit/*"] } });
    assert.deepEqual(objects.Resource, ["arn:aws:s3:::archive-1a2b/app/audit/*"]);
    assert.throws(() => component.of("orders"), /"orders" is not among its tables; there are: events, audit/);
  });

  it("gives its URL to nobody before each of its settings is in force", async () => {
    const last: Record<string, () => void> = {};
    hold = (type) => new Promise((resolve) => Object.assign(last, { [type]: () => resolve(undefined) }));
    const objectLock = { mode: "GOVERNANCE", days: 30 } as const;
    const component = new ArchiveBucket("archive", { objectLock, accessLogs: { bucket: "logs" } });
    let known = false;
    const store = value(component.store).then(() => {
      known = true;
    });
    const settings = new Set<string>();
    while (!known) {
      const [type, release] = Object.entries(last)[0] ?? [];
      delete last[type ?? ""];
      if (type?.startsWith("aws:s3/bucket:")) release?.();
      else if (type !== undefined) {
        if (type.startsWith("aws:")) settings.add(type);
        release?.();
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    await store;
    hold = undefined;
    assert.equal(settings.size, 8);
  });

  it("uses the key, the lock, the log target and the prefix that it is given", async () => {
    const { of, component } = await make({
      prefix: "app",
      kmsKeyArn: KEY,
      objectLock: { mode: "COMPLIANCE", days: 365 },
      accessLogs: { bucket: "logs" },
      tags: { team: "data" },
    });
    assert.deepEqual(of("bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration")?.rules, [
      { applyServerSideEncryptionByDefault: { sseAlgorithm: "aws:kms", kmsMasterKeyId: KEY }, bucketKeyEnabled: true },
    ]);
    assert.deepEqual([of("bucket:Bucket")?.objectLockEnabled, of("bucket:Bucket")?.tags], [true, { team: "data" }]);
    assert.deepEqual(of("bucketObjectLockConfiguration:BucketObjectLockConfiguration")?.rule, {
      defaultRetention: { mode: "COMPLIANCE", days: 365 },
    });
    assert.deepEqual(of("bucketLogging:BucketLogging"), {
      bucket: "archive-1a2b",
      targetBucket: "logs",
      targetPrefix: "archive/",
    });
    assert.equal(await value(component.store), "s3://archive-1a2b/app?region=eu-central-1");
    const policy = JSON.parse(String(of("bucketPolicy:BucketPolicy")?.policy));
    const [algorithm, key] = ["s3:x-amz-server-side-encryption", "s3:x-amz-server-side-encryption-aws-kms-key-id"];
    const conditions = policy.Statement.slice(3).map(({ Condition }: { Condition: unknown }) => Condition);
    // Who says nothing gets the bucket's key, and is not meant.
    assert.deepEqual(conditions, [
      { Null: { [algorithm]: "false" }, StringNotEquals: { [algorithm]: "aws:kms" } },
      { Null: { [key]: "false" }, StringNotEquals: { [key]: KEY } },
    ]);
  });

  it("gives each role the least that it needs: nobody deletes, and only the writer writes", async () => {
    const { component } = await make({ prefix: "app", kmsKeyArn: KEY, objectLock: { mode: "GOVERNANCE", days: 30 } });
    const actions = async (role: keyof ArchiveBucket["policies"]) => {
      const { Statement } = await policyOf(component, role);
      return Statement.flatMap(({ Action }: { Action: string[] }) => Action) as string[];
    };
    const [writer, restorer, auditor] = [await actions("writer"), await actions("restorer"), await actions("auditor")];
    const all = [...writer, ...restorer, ...auditor];
    assert.deepEqual(
      all.filter((action) => /delete|\*|bypass/i.test(action)),
      [],
    );
    assert.ok(
      ["s3:PutObject", "s3:PutObjectRetention", "kms:GenerateDataKey"].every((action) => writer.includes(action)),
    );
    assert.deepEqual(
      [...restorer, ...auditor].filter((action) => action.startsWith("s3:Put")),
      [],
    );
    assert.ok(restorer.includes("s3:RestoreObject"));
    const { Statement } = await policyOf(component, "writer");
    assert.deepEqual(Statement[0].Condition, { StringLike: { "s3:prefix": ["app/*"] } });
    assert.ok(JSON.stringify(Statement).includes("arn:aws:s3:::archive-1a2b/app/*"));
  });

  it("lets the database's role write rows without a condition, and nobody else, and nothing else", async () => {
    const role = "arn:aws:iam::123456789012:role/events-export";
    const { of, component } = await make({ prefix: "app", kmsKeyArn: KEY, serverSideWriters: [role] });
    const { Statement } = JSON.parse(String(of("bucketPolicy:BucketPolicy")?.policy));
    const statement = (sid: string) => Statement.find(({ Sid }: { Sid: string }) => Sid === sid);
    const rows = ["arn:aws:s3:::archive-1a2b/*.copy", "arn:aws:s3:::archive-1a2b/*.copy_part*"];
    const unconditional = { Null: { "s3:if-none-match": "true" }, Bool: { "s3:ObjectCreationOperation": "true" } };
    assert.deepEqual(statement("Replace").NotResource, ["arn:aws:s3:::archive-1a2b/app/parquet/*", ...rows]);
    assert.deepEqual(statement("Replace").Condition, unconditional);
    assert.deepEqual(statement("ReplaceRows"), {
      Sid: "ReplaceRows",
      Effect: "Deny",
      Principal: "*",
      Action: "s3:PutObject",
      Resource: rows,
      Condition: { ...unconditional, ArnNotEquals: { "aws:PrincipalArn": [role] } },
    });
    const server = await policyOf(component, "server");
    assert.deepEqual(server.Statement, [
      {
        Sid: "UseObjects",
        Effect: "Allow",
        Action: ["s3:PutObject", "s3:AbortMultipartUpload"],
        Resource: ["arn:aws:s3:::archive-1a2b/app/*.copy", "arn:aws:s3:::archive-1a2b/app/*.copy_part*"],
      },
      { Sid: "UseKey", Effect: "Allow", Action: ["kms:GenerateDataKey", "kms:Decrypt"], Resource: [KEY] },
    ]);
  });

  it("knows the rows of a server by the keys that they get", async () => {
    const origin = { systemIdentifier: "1", database: "app", parent: { schema: "public", name: "events" } };
    const generation = { partition: "events_2026_01", oid: 1, generation: 1 };
    const { rows, noteOf } = serverSideKeys(origin, generation, 0, 0, newToken());
    const written = filesOf(rows, 3);
    const { component } = await make({ kmsKeyArn: KEY });
    const { Statement } = await policyOf(component, "server");
    const patterns = (Statement[0].Resource as string[]).map((arn) => {
      const literals = arn
        .slice("arn:aws:s3:::archive-1a2b/".length)
        .split("*")
        .map((text) => text.replaceAll(".", "\\."));
      return new RegExp(`^${literals.join(".*")}$`);
    });
    const allowed = (key: string) => patterns.some((pattern) => pattern.test(key));
    assert.ok(written.every(allowed), String(written));
    const others = [
      noteOf(1),
      noteOf(2),
      manifestKey(origin, generation),
      partKeys(origin, generation, 0, 0, { format: "text", encrypted: false }).rows,
    ];
    assert.deepEqual(others.filter(allowed), []);
  });

  const REFUSED: Record<string, [ArchiveBucketArgs, string]> = {
    "a class that wants thirty days": [
      { lifecycle: { transitions: [{ afterDays: 10, storageClass: "STANDARD_IA" }] } },
      "lifecycle.transitions[0].afterDays",
    ],
    "a way back to a dearer class": [
      {
        lifecycle: {
          transitions: [
            { afterDays: 30, storageClass: "GLACIER" },
            { afterDays: 200, storageClass: "GLACIER_IR" },
          ],
        },
      },
      "lifecycle.transitions[1].storageClass",
    ],
    "a stay in STANDARD_IA of less than thirty days": [
      {
        lifecycle: {
          transitions: [
            { afterDays: 30, storageClass: "STANDARD_IA" },
            { afterDays: 59, storageClass: "GLACIER" },
          ],
        },
      },
      "lifecycle.transitions[1].afterDays",
    ],
    "an end before the last move": [
      { lifecycle: { transitions: [{ afterDays: 90, storageClass: "GLACIER" }], expireAfterDays: 90 } },
      "lifecycle.expireAfterDays",
    ],
    "an end before object lock lets go": [
      { lifecycle: { expireAfterDays: 100 }, objectLock: { mode: "GOVERNANCE", days: 365 } },
      "lifecycle.expireAfterDays",
    ],
    "no whole number of days": [{ lifecycle: { noncurrentDays: 0 } }, "lifecycle.noncurrentDays"],
    "a lock of no days": [{ objectLock: { mode: "GOVERNANCE", days: 0 } }, "objectLock.days"],
    "an end of a table's before object lock lets go": [
      { tables: { events: { lifecycle: { expireAfterDays: 9 } } }, objectLock: { mode: "GOVERNANCE", days: 365 } },
      'tables["events"].lifecycle.expireAfterDays',
    ],
    "a table's place that is a path": [{ tables: { "a/b": {} } }, 'tables["a/b"]'],
    "a server that writes into a bucket with S3's own keys": [{ serverSideWriters: [] }, "serverSideWriters"],
    "a prefix that begins with a slash": [{ prefix: "/app" }, "prefix"],
  };

  for (const [title, [args, property]] of Object.entries(REFUSED))
    it(`refuses ${title}, before anything is made`, () => {
      assert.throws(
        () => new ArchiveBucket("archive", args),
        (error) => {
          assert.ok(InputPropertiesError.isInstance(error));
          assert.deepEqual(
            error.errors?.map(({ propertyPath }) => propertyPath),
            [property],
          );
          return true;
        },
      );
      assert.deepEqual(
        made.filter(({ type }) => type.startsWith("aws:")),
        [],
      );
    });
});
