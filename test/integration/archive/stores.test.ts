/** What the archive relies on in a store holds in each of them. */
import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import {
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  PutObjectCommand,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { type Store, StoreError, type StoreFailure } from "../../../archive/store";
import { FileStore } from "../../../archive/stores/file";
import { S3Store } from "../../../archive/stores/s3";
import { describeOnS3 } from "../../support/s3";

const failing = (failure: StoreFailure) => (error: unknown) => {
  assert.ok(error instanceof StoreError, String(error));
  assert.equal(error.failure, failure, error.message);
  return true;
};

const HOUR_MS = 3_600_000;

/** Whose key does not matter. */
const ANY = (key: string) => key !== "";

/** Pieces of a size that is no divisor of a part. */
function pieces(content: Buffer, size = 1_000_003): Readable {
  const count = Math.ceil(content.length / size);
  return Readable.from(Array.from({ length: count }, (_, piece) => content.subarray(piece * size, (piece + 1) * size)));
}

const keys = async (store: Store, prefix: string) => {
  const found: string[] = [];
  for await (const { key } of store.list(prefix)) found.push(key);
  return found;
};

function behavesAsAStore(open: () => Store): void {
  let store: Store;
  beforeEach(() => {
    store = open();
  });
  afterEach(() => store.close());

  for (const [title, bytes] of [
    ["nothing", 0],
    ["a little", 11],
    ["one part", 16 * 2 ** 20],
    ["some parts", 40 * 2 ** 20 + 7],
  ] as const) {
    it(`gives back what was written: ${title}`, async () => {
      const content = randomBytes(bytes);
      const written = await store.write("a/rows", pieces(content));
      assert.deepEqual([written.key, written.bytes], ["a/rows", bytes]);
      assert.deepEqual(await store.find("a/rows"), written);
      assert.ok(content.equals(await buffer(await store.read("a/rows", written.version))));
    });
  }

  it("never replaces an object", async () => {
    for (const bytes of [100, 17 * 2 ** 20]) {
      const [first, second] = [randomBytes(bytes), randomBytes(bytes)];
      const key = `rows-${bytes}`;
      await store.write(key, pieces(first));
      await assert.rejects(store.write(key, pieces(second)), failing("exists"));
      assert.ok(first.equals(await buffer(await store.read(key))));
    }
  });

  it("lets one of two writers win", async () => {
    const contents = [randomBytes(17 * 2 ** 20), randomBytes(17 * 2 ** 20)];
    const ends = await Promise.allSettled(contents.map((content) => store.write("rows", pieces(content))));
    assert.deepEqual(ends.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
    const winner = contents[ends.findIndex(({ status }) => status === "fulfilled")];
    assert.ok(winner?.equals(await buffer(await store.read("rows"))));
  });

  it("has nothing under a key whose content broke off, or was given up", async () => {
    const breaking = (end: () => void) =>
      Readable.from(
        (async function* () {
          for (let piece = 0; piece < 20; piece++) yield randomBytes(2 ** 20);
          end();
          for (;;) yield randomBytes(2 ** 20);
        })(),
      );
    const broken = breaking(() => {
      throw new Error("the server went away");
    });
    await assert.rejects(store.write("rows", broken), /the server went away/);
    const giveUp = new AbortController();
    await assert.rejects(
      store.write(
        "rows",
        breaking(() => giveUp.abort()),
        giveUp.signal,
      ),
      { name: "AbortError" },
    );
    assert.equal(await store.find("rows"), undefined);
    assert.deepEqual(await keys(store, ""), []);
  });

  it("sweeps nothing of a writer that is at work", async () => {
    const content = randomBytes(40 * 2 ** 20);
    const swept: number[] = [];
    const atWork = async function* () {
      yield content.subarray(0, 36 * 2 ** 20);
      swept.push(await store.sweep("a/", new Date(Date.now() - HOUR_MS), ANY));
      yield content.subarray(36 * 2 ** 20);
    };
    await store.write("a/rows", Readable.from(atWork()));
    assert.deepEqual(swept, [0]);
    assert.ok(content.equals(await buffer(await store.read("a/rows"))));
  });

  it("lists by the begin of the key, in order", async () => {
    const odd = "c/x é+?%20&=";
    for (const key of ["b/2", "b/1", "a/1", "b.txt", odd]) await store.write(key, pieces(Buffer.from(key)));
    assert.deepEqual(await keys(store, "b/"), ["b/1", "b/2"]);
    assert.deepEqual(await keys(store, "c/"), [odd]);
    assert.equal((await buffer(await store.read(odd))).toString(), odd);
  });

  it("says that an object is missing", async () => {
    await assert.rejects(store.read("none"), failing("missing"));
    assert.equal(await store.find("none"), undefined);
    assert.deepEqual(await keys(store, "none"), []);
  });
}

describe("a store in a directory", () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "archive-test-"));
  });
  afterEach(() => rm(directory, { recursive: true }));
  behavesAsAStore(() => new FileStore(directory));

  it("sweeps what killed writers have left long ago, below a prefix only, and never takes it for an object", async () => {
    const store = new FileStore(directory);
    const long = new Date(Date.now() - 2 * HOUR_MS);
    const ending = `.${randomUUID()}.unfinished`;
    const fresh = `a/2${ending}`;
    // The last ones are nothing that a store has made, or of a key that is not the caller's.
    const others = [`b/1${ending}`, "a/1.unfinished", "a/3.1234.unfinished", `a/${ending}`, `a/theirs${ending}`];
    for (const path of [`a/1${ending}`, fresh, ...others]) {
      await mkdir(join(directory, path.slice(0, 1)), { recursive: true });
      await writeFile(join(directory, path), "half");
      if (path !== fresh) await utimes(join(directory, path), long, long);
    }
    assert.deepEqual(await keys(store, ""), []);
    const since = new Date(Date.now() - HOUR_MS);
    const isOwn = (key: string) => /^[abc]\/\d$/.test(key);
    const swept: number[] = [];
    for (const prefix of ["a/", "a/", "c/"]) swept.push(await store.sweep(prefix, since, isOwn));
    assert.deepEqual(swept, [1, 0, 0]);
    const left = (await readdir(directory, { recursive: true })).filter((name) => name.includes("/"));
    assert.deepEqual(left.sort(), [fresh, ...others].sort());
  });
});

/** What a listing comes to that is given up at its first object, or once the store was `asked`. */
async function givenUp(store: Store, asked?: Promise<unknown>): Promise<string[]> {
  const stop = new AbortController();
  void asked?.then(() => stop.abort());
  const found: string[] = [];
  await assert.rejects(
    async () => {
      for await (const { key } of store.list("", stop.signal)) {
        found.push(key);
        stop.abort();
      }
    },
    { name: "AbortError" },
  );
  return found;
}

describe("a listing that is given up", () => {
  it("ends at once in a directory", async () => {
    const directory = await mkdtemp(join(tmpdir(), "archive-test-"));
    const store = new FileStore(directory);
    for (const key of ["a/1", "a/2", "b/1"]) await store.write(key, pieces(Buffer.from("x")));
    assert.deepEqual(await givenUp(store), ["a/1"]);
    await rm(directory, { recursive: true });
  });
});

describeOnS3("a store in a bucket", (server) => {
  let bucket: string;
  for (const versioned of [false, true]) {
    describe(versioned ? "with versions" : "without versions", () => {
      beforeEach(async () => {
        bucket = await server().createBucket({ versioned });
      });
      behavesAsAStore(() => new S3Store({ bucket, prefix: "team/archive", endpoint: server().endpoint }));
    });
  }

  const open = () => new S3Store({ bucket, prefix: "archive", endpoint: server().endpoint });

  it("reads the version that was written, whatever has come after it", async () => {
    bucket = await server().createBucket({ versioned: true });
    const store = open();
    const written = await store.write("rows", pieces(Buffer.from("ours")));
    const at = { Bucket: bucket, Key: "archive/rows" };
    await server().client.send(new PutObjectCommand({ ...at, Body: "theirs" }));
    assert.equal((await buffer(await store.read("rows", written.version))).toString(), "ours");
    assert.notEqual((await store.find("rows"))?.version, written.version);
    await server().client.send(new DeleteObjectCommand(at));
    assert.equal(await store.find("rows"), undefined);
    await assert.rejects(store.read("rows"), failing("missing"));
    assert.deepEqual(await store.find("rows", written.version), written);
    store.close();
  });

  it("tells the storage class of what it lists, and when it was written", async () => {
    bucket = await server().createBucket();
    const store = open();
    await store.write("rows", pieces(Buffer.from("x")));
    for await (const { storageClass, written } of store.list("")) {
      assert.equal(storageClass, "STANDARD");
      assert.ok(written instanceof Date);
    }
    store.close();
  });

  it("sweeps uploads to which nothing was added for long, below a prefix only", async () => {
    const { client } = server();
    bucket = await server().createBucket();
    const store = open();
    const begin = async (key: string) => {
      const upload = { Bucket: bucket, Key: `archive/${key}` };
      return { ...upload, UploadId: (await client.send(new CreateMultipartUploadCommand(upload))).UploadId };
    };
    /** Adds to it, and gives the hour of that, in seconds. */
    const grown = async (upload: Awaited<ReturnType<typeof begin>>, PartNumber: number) => {
      await client.send(new UploadPartCommand({ ...upload, PartNumber, Body: "rows" }));
      const { Parts = [] } = await client.send(new ListPartsCommand(upload));
      return new Date(Math.max(...Parts.map(({ LastModified }) => LastModified?.getTime() ?? 0)));
    };
    await begin("a/1");
    await begin("b/1");
    await begin("a/theirs");
    const isOwn = (key: string) => key !== "a/theirs";
    const growing = await begin("a/2");
    const began = await grown(growing, 1);
    let since = began;
    for (let part = 2; since <= began; part++) since = await grown(growing, part);
    const swept = [
      await store.sweep("a/", new Date(began.getTime() - HOUR_MS), isOwn),
      await store.sweep("a/", since, isOwn),
      await store.sweep("a/", since, isOwn),
    ];
    assert.deepEqual(swept, [0, 1, 0]);
    const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
    assert.deepEqual(Uploads.map(({ Key }) => Key).sort(), ["archive/a/2", "archive/a/theirs", "archive/b/1"]);
    store.close();
  });

  it("gives up a listing when S3 does not answer", async () => {
    const silent = createServer();
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const { port } = silent.address() as AddressInfo;
    const store = new S3Store({ bucket: "archive", prefix: "", endpoint: `http://127.0.0.1:${port}` });
    assert.deepEqual(await givenUp(store, once(silent, "request")), []);
    store.close();
    silent.closeAllConnections();
    await new Promise((resolve) => silent.close(resolve));
  });

  it("says what is wrong with a bucket that is not there, with wrong credentials and with a server that is away", async () => {
    bucket = "no-such-bucket";
    await assert.rejects(open().write("rows", pieces(Buffer.from("x"))), failing("missing"));
    bucket = await server().createBucket();
    const secret = process.env.AWS_SECRET_ACCESS_KEY;
    process.env.AWS_SECRET_ACCESS_KEY = "wrong";
    await assert.rejects(open().read("rows"), failing("refused")).finally(() => {
      process.env.AWS_SECRET_ACCESS_KEY = secret;
    });
    await server().kill();
    await assert.rejects(open().read("rows"), failing("unreachable"));
    await server().start();
    await assert.rejects(open().read("rows"), failing("missing"));
  });
});
