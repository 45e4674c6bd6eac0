/** What is declared of an archive in S3, as requests really say it, and what people are told when S3 refuses. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { HeadObjectCommand } from "@aws-sdk/client-s3";
import { openStore } from "../../../archive/open";
import type { Store } from "../../../archive/store";
import { StoreError, type StoreFailure } from "../../../archive/store";
import { S3Store } from "../../../archive/stores/s3";
import { ARCHIVE_DEFAULTS, type ArchiveSettings } from "../../../topology/archive";
import { type Answer, RecordingProxy, s3Error } from "../../support/recording-proxy";
import { describeOnS3 } from "../../support/s3";

/** More than one part of an upload. */
const LARGE = randomBytes(17 * 2 ** 20);
const SMALL = Buffer.from("rows");
const KEY = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const NOW = new Date("2099-01-01T12:00:00Z");

const SETTINGS = {
  storageClass: "GLACIER_IR",
  kmsKeyId: KEY,
  tags: { "cost center": "a/b=c", team: "données" },
  retention: { mode: "GOVERNANCE", days: 30 },
} as const;

const SENT = {
  "x-amz-storage-class": "GLACIER_IR",
  "x-amz-server-side-encryption": "aws:kms",
  "x-amz-server-side-encryption-aws-kms-key-id": KEY,
  "x-amz-tagging": "cost+center=a%2Fb%3Dc&team=donn%C3%A9es",
  "x-amz-object-lock-mode": "GOVERNANCE",
  "x-amz-object-lock-retain-until-date": "2099-01-31T12:00:00Z",
};

const LISTED: Answer = {
  status: 200,
  headers: { "content-type": "application/xml" },
  body: "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>",
};

describeOnS3("a bucket, as requests reach it", (server) => {
  const environment = { ...process.env };
  let proxy: RecordingProxy;
  let bucket: string;
  let stores: Store[];

  beforeEach(async () => {
    stores = [];
    proxy = await RecordingProxy.to(server().endpoint);
    bucket = await server().createBucket({ versioned: true, lock: true });
    Object.assign(environment, process.env);
  });
  afterEach(() => {
    for (const store of stores) store.close();
    proxy.close();
    process.env = { ...environment };
  });

  function open(settings: Partial<ArchiveSettings> = {}, parameters = "&region=eu-central-1"): Store {
    const url = `s3://${bucket}/app?endpoint=${proxy.endpoint}${parameters}`;
    const store = openStore({ ...ARCHIVE_DEFAULTS, ...settings, store: url }, NOW);
    stores.push(store);
    return store;
  }
  const said = (method: string, names: object) => {
    const { headers } = proxy.last(method);
    return Object.fromEntries(Object.keys(names).map((name) => [name, headers[name]]));
  };
  const everything = async (store: Store) => {
    for await (const _ of store.list("")) return;
  };

  for (const [title, content, method] of [
    ["in one request", SMALL, "PUT"],
    ["in parts", LARGE, "POST"],
  ] as const) {
    it(`every object that is written ${title} gets class, key, tags and object lock, and the sum of its bytes`, async () => {
      // What begins an upload in parts says all this; the last POST ends it.
      proxy.answer = ({ url }) => (url.includes("uploads") ? s3Error(403, "AccessDenied", "seen") : undefined);
      await open(SETTINGS)
        .write("rows", Readable.from([content]))
        .catch((error: unknown) => assert.match(String(error), /seen/));
      assert.deepEqual(said(method, SENT), SENT);
      const { headers } = proxy.last(method);
      assert.equal(headers["x-amz-sdk-checksum-algorithm"] ?? headers["x-amz-checksum-algorithm"], "CRC32");
    });
  }

  it("the server keeps class, tags and lock of what is written, and nothing is said that is not declared", async () => {
    const { kmsKeyId: _, ...settings } = SETTINGS;
    for (const [key, content] of [
      ["small", SMALL],
      ["large", LARGE],
    ] as const) {
      await open(settings).write(key, Readable.from([content]));
      const head = await server().client.send(new HeadObjectCommand({ Bucket: bucket, Key: `app/${key}` }));
      assert.equal(head.ObjectLockMode, "GOVERNANCE");
      assert.equal(head.ObjectLockRetainUntilDate?.toISOString(), "2099-01-31T12:00:00.000Z");
    }
    await open().write("plain", Readable.from([SMALL]));
    assert.deepEqual(
      Object.values(said("PUT", SENT)),
      Object.keys(SENT).map(() => undefined),
    );
  });

  it("a bucket in another region than the declared one is followed there", async () => {
    const elsewhere = s3Error(301, "PermanentRedirect", "somewhere else", { "x-amz-bucket-region": "us-west-2" });
    proxy.answer = ({ headers }) => (headers.authorization?.includes("/us-west-2/") ? LISTED : elsewhere);
    await everything(open());
    assert.equal(proxy.requests.length, 2);
  });

  it("a clock that is an hour off is corrected by that of S3", async () => {
    const hour = 3_600_000;
    const there = () => new Date(Date.now() + hour);
    const skewed = () => s3Error(403, "RequestTimeTooSkewed", "too large", { date: there().toUTCString() });
    proxy.answer = ({ headers }) => {
      const sent = String(headers["x-amz-date"]).replace(/^(....)(..)(..T..)(..)(..Z)$/, "$1-$2-$3:$4:$5");
      return there().getTime() - Date.parse(sent) < hour / 4 ? LISTED : skewed();
    };
    await everything(open());
    assert.equal(proxy.requests.length, 2);
  });

  it("the bucket is part of the host name unless the path is asked for, or the endpoint is somebody's own", async () => {
    const at = (parameters: object) =>
      new S3Store({ bucket: "archive", prefix: "", region: "eu-central-1", ...parameters }, { attempts: 1 });
    for (const [parameters, host] of [
      [{ endpoint: "http://s3.invalid" }, "s3.invalid"],
      [{ endpoint: "http://s3.invalid", pathStyle: false }, "archive.s3.invalid"],
      [{ endpoint: "http://s3.invalid", pathStyle: true }, "s3.invalid"],
    ] as const) {
      const store = at(parameters);
      await assert.rejects(everything(store), (error: Error) => {
        assert.match(error.message, new RegExp(`^s3://archive/: .* ${host} \\(this host has no address: check region`));
        return true;
      });
      store.close();
    }
  });

  describe("says who it is", () => {
    let directory: string;
    beforeEach(async () => {
      directory = await mkdtemp(join(tmpdir(), "archive-test-"));
      proxy.answer = () => LISTED;
      process.env.AWS_CONFIG_FILE = join(directory, "config");
      process.env.AWS_SHARED_CREDENTIALS_FILE = join(directory, "credentials");
      process.env.AWS_ENDPOINT_URL_STS = proxy.endpoint;
      process.env.AWS_EC2_METADATA_DISABLED = "true";
      delete process.env.AWS_REGION;
    });
    afterEach(() => rm(directory, { recursive: true }));

    const configure = (config: string) => writeFile(join(directory, "config"), config);
    const whoLists = async (store: Store) => {
      await everything(store);
      const { headers } = proxy.last("GET");
      return [/Credential=([^/]+)/.exec(headers.authorization ?? "")?.[1], headers["x-amz-security-token"]];
    };
    const withoutVariables = () => {
      delete process.env.AWS_ACCESS_KEY_ID;
      delete process.env.AWS_SECRET_ACCESS_KEY;
    };
    const session = (name: string) => ({
      status: 200,
      headers: { "content-type": "text/xml" },
      body: `<R xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><${name}Result><Credentials><AccessKeyId>ASSUMED</AccessKeyId>
        <SecretAccessKey>s</SecretAccessKey><SessionToken>token</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>
        </Credentials></${name}Result></R>`,
    });

    it("with the profile that the URL names, whatever the environment has", async () => {
      await configure(
        "[profile archive]\naws_access_key_id = PROFILE\naws_secret_access_key = s\nregion = eu-west-3\n",
      );
      assert.deepEqual(await whoLists(open({}, "&profile=archive")), ["PROFILE", undefined]);
      assert.match(proxy.last("GET").headers.authorization ?? "", /\/eu-west-3\/s3\//);
    });

    it("with the role of a profile", async () => {
      await configure(
        "[profile base]\naws_access_key_id = BASE\naws_secret_access_key = s\n[profile archive]\nregion = eu-west-3\n" +
          "role_arn = arn:aws:iam::111122223333:role/archive\nsource_profile = base\n",
      );
      proxy.answer = ({ method }) => (method === "POST" ? session("AssumeRole") : LISTED);
      assert.deepEqual(await whoLists(open({}, "&profile=archive")), ["ASSUMED", "token"]);
    });

    it("with the role of a workload whose token is in a file", async () => {
      withoutVariables();
      await writeFile(join(directory, "token"), "a.b.c");
      process.env.AWS_WEB_IDENTITY_TOKEN_FILE = join(directory, "token");
      process.env.AWS_ROLE_ARN = "arn:aws:iam::111122223333:role/archive";
      proxy.answer = ({ method }) => (method === "POST" ? session("AssumeRoleWithWebIdentity") : LISTED);
      assert.deepEqual(await whoLists(open()), ["ASSUMED", "token"]);
    });

    it("with a session that a process gives, and asks it again when the session ends while the store is open", async () => {
      const script = join(directory, "give");
      const lines = [
        "#!/bin/sh",
        `echo x >> ${directory}/calls`,
        `n=$(grep -c x ${directory}/calls)`,
        "at=2099-01-01T00:00:00Z; [ $n = 1 ] && at=2020-01-01T00:00:00Z",
        `echo '{"Version":1,"AccessKeyId":"GIVEN'$n'","SecretAccessKey":"s","SessionToken":"t'$n'","Expiration":"'$at'"}'`,
      ];
      await writeFile(script, lines.join("\n"));
      await chmod(script, 0o755);
      await configure(`[profile archive]\nregion = eu-west-3\ncredential_process = ${script}\n`);
      const store = open({}, "&profile=archive");
      const seen = [await whoLists(store), await whoLists(store), await whoLists(store)];
      assert.deepEqual(seen.at(-1), ["GIVEN2", "t2"]);
    });

    it("or that nobody has said it", async () => {
      withoutVariables();
      await assert.rejects(everything(open()), refused("refused", /there are no credentials: set AWS_PROFILE/));
      await assert.rejects(
        everything(open({}, "&region=eu-west-3&profile=nobody")),
        refused("refused", /there are no credentials/),
      );
      await assert.rejects(everything(open({}, "")), refused("refused", /nobody says in which region .* is: write it/));
    });
  });

  describe("tells why it is refused, where, and what to do", () => {
    for (const [code, status, failure, advice] of [
      ["AccessDenied", 403, "refused", /attach the policy of ArchiveBucket/],
      ["ExpiredToken", 400, "refused", /get new ones and run again, which goes on/],
      ["InvalidAccessKeyId", 403, "refused", /none of this store: check the variables AWS_… or the profile/],
      ["AuthorizationHeaderMalformed", 400, "refused", /write it into archive\.store, \?region=/],
      ["NoSuchBucket", 404, "missing", /there is no such bucket: make it, or correct archive\.store/],
      ["SlowDown", 503, "unreachable", /S3 asks for fewer requests/],
      ["RequestTimeTooSkewed", 403, "refused", /the clock of this machine is wrong/],
      ["KMS.DisabledException", 400, "refused", /the KMS key of .* cannot be used/],
      ["InvalidRequest", 400, "refused", /archive\.retention needs one with object lock/],
    ] as const) {
      it(code, async () => {
        proxy.answer = () => s3Error(status, code, "as S3 says it");
        const once = { bucket: "b", prefix: "app", endpoint: proxy.endpoint, region: "eu-central-1" };
        const store = new S3Store(once, { attempts: 1 });
        stores.push(store);
        const reason = new RegExp(`^s3://b/app/(x|): ${code.replace(".", "\\.")}: as S3 says it \\(.*`);
        const told = (error: unknown) => refused(failure, reason)(error) && refused(failure, advice)(error);
        await assert.rejects(store.write("x", Readable.from([SMALL])), told);
        await assert.rejects(async () => buffer(await store.read("x")), told);
        await assert.rejects(everything(store), told);
        // HEAD has no room for a reason.
        if (status !== 404) await assert.rejects(store.find("x"), told);
      });
    }
  });
});

const refused = (failure: StoreFailure, reason: RegExp) => (error: unknown) => {
  assert.ok(error instanceof StoreError, String(error));
  assert.match(error.message, reason);
  assert.equal(error.failure, failure);
  return true;
};
