/** Rows that nobody reads without a key: what is written, what is refused, and what the refusal says. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import * as fc from "fast-check";
import { cipherOf } from "../../../archive/encryption";
import { measureRows, type RowsObject, readRows, writeRows } from "../../../archive/object";
import { StoreError } from "../../../archive/store";
import { FileStore } from "../../../archive/stores/file";
import { ArchiveError } from "../../../postgres/errors";
import type { ArchiveEncryption } from "../../../topology/encryption";
import { StandInKms } from "../../support/kms";

const ROWS = Array.from({ length: 20_000 }, (_, row) => `${row}\t${row % 7} secret\n`).join("");

describe("encrypted objects of rows", () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "archive-test-"));
  });
  afterEach(() => rm(directory, { recursive: true }));

  const keyFile = async (name: string, content = `${randomBytes(32).toString("hex")}\n`) => {
    const path = join(directory, name);
    await writeFile(path, content);
    return path;
  };
  const storeWith = (encryption?: ArchiveEncryption) =>
    new FileStore(join(directory, "store"), encryption && cipherOf(encryption));
  const write = (store: FileStore, key: string, rows = ROWS) =>
    writeRows(store, key, Readable.from([Buffer.from(rows)]));
  const contentOf = (key: string) => join(directory, "store", key);
  const isCorrupt = (error: unknown) => error instanceof StoreError && error.failure === "corrupt";

  async function comeBack(store: FileStore, written: RowsObject): Promise<void> {
    assert.deepEqual(await measureRows(store, written), written);
    assert.equal(await text(await readRows(store, written)), ROWS);
  }

  describe("with a key in a file", () => {
    let store: FileStore;
    let path: string;
    beforeEach(async () => {
      path = await keyFile("key");
      store = storeWith({ keyFile: path });
    });

    it("come back as they were, and add up to what they do without a key", async () => {
      const written = await write(store, "a/rows");
      await comeBack(store, written);
      const plain = await write(storeWith(), "b/rows");
      assert.deepEqual([written.rows, written.hash, written.textBytes], [plain.rows, plain.hash, plain.textBytes]);
      await comeBack(store, plain);
      assert.notEqual(written.sha256, (await write(store, "c/rows")).sha256);
    });

    it("hold neither rows nor the key, and name the key by a fingerprint", async () => {
      const { encryptedWith } = await write(store, "rows");
      assert.match(encryptedWith ?? "", /^file:[0-9a-f]{32}$/);
      const key = (await readFile(path, "utf8")).trim();
      const stored = await readFile(contentOf("rows"));
      assert.ok(!stored.includes(Buffer.from(key, "hex")) && !stored.includes(key));
      assert.ok(!stored.includes(Buffer.from([0x28, 0xb5, 0x2f, 0xfd])), "a frame of zstd");
      assert.ok(!key.includes(encryptedWith?.slice(5) ?? key));
    });

    it("are read with a former key, and written with the new one", async () => {
      const written = await write(store, "rows");
      const next = storeWith({ keyFile: await keyFile("next"), former: [{ keyFile: path }] });
      await comeBack(next, written);
      const again = await write(next, "again");
      assert.notEqual(again.encryptedWith, written.encryptedWith);
      await assert.rejects(measureRows(store, again), (error: unknown) => {
        assert.ok(error instanceof ArchiveError && !(error instanceof StoreError));
        assert.match(
          error.message,
          /again is encrypted with the key file of fingerprint [0-9a-f]{32}.*not declared.*former/,
        );
        return true;
      });
    });

    it("are not read without a key, which is said and is no damage", async () => {
      const written = await write(store, "rows");
      for (const read of [measureRows, readRows])
        await assert.rejects(read(storeWith(), written), (error: unknown) => {
          assert.ok(error instanceof ArchiveError && !(error instanceof StoreError));
          return /store\/rows is encrypted with .* not declared/.test(error.message);
        });
    });

    it("do not decrypt in the place of another one", async () => {
      const [one, other] = [await write(store, "one"), await write(store, "other")];
      await writeFile(contentOf("one"), await readFile(contentOf("other")));
      await assert.rejects(measureRows(store, one), isCorrupt);
      await assert.rejects(text(await readRows(store, one)), /encrypted as other/);
      await comeBack(store, other);
    });

    it("with any one bit flipped, or cut off anywhere, are not what they were, and give no row that was not written", async () => {
      const { key, ...written } = await write(store, "rows");
      const whole = await readFile(contentOf(key));
      const damages = fc.oneof(
        fc.nat(whole.length * 8 - 1).map((bit) => {
          const damaged = Buffer.from(whole);
          damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
          return damaged;
        }),
        fc.nat(whole.length - 1).map((length) => whole.subarray(0, length)),
      );
      await fc.assert(
        fc.asyncProperty(damages, async (damaged) => {
          await writeFile(contentOf(key), damaged);
          await assert.rejects(measureRows(store, { key, ...written }), isCorrupt);
        }),
        { numRuns: 60 },
      );
    });

    it("are given up when nobody reads on", async () => {
      const written = await write(store, "rows", ROWS.repeat(20));
      const rows = await readRows(store, written);
      rows.destroy();
      const stop = new AbortController();
      const measured = measureRows(store, written, { signal: stop.signal });
      stop.abort();
      await assert.rejects(measured, { name: "AbortError" });
      assert.deepEqual(await measureRows(store, written), written);
    });
  });

  it("need a key file that is there and is one, and never tell what is in it", async () => {
    await assert.rejects(write(storeWith({ keyFile: join(directory, "none") }), "rows"), /archive.encryption.*ENOENT/);
    for (const content of ["", "not a key", "ab".repeat(16), "zz".repeat(32)]) {
      const path = await keyFile("wrong", content);
      await assert.rejects(write(storeWith({ keyFile: path }), "rows"), (error: unknown) => {
        assert.ok(error instanceof ArchiveError);
        assert.match(error.message, /is no key: it holds 64 hexadecimal digits/);
        return content === "" || !error.message.includes(content);
      });
    }
  });

  describe("with a key of KMS (a stand-in for it)", () => {
    const kms = new StandInKms();
    const names = ["AWS_ENDPOINT_URL_KMS", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] as const;
    const former = names.map((name) => process.env[name]);
    before(async () => {
      process.env.AWS_ENDPOINT_URL_KMS = await kms.start();
      process.env.AWS_ACCESS_KEY_ID ??= "test";
      process.env.AWS_SECRET_ACCESS_KEY ??= "test";
    });
    after(() => {
      kms.stop();
      for (const [at, name] of names.entries()) {
        if (former[at] === undefined) delete process.env[name];
        else process.env[name] = former[at];
      }
    });

    it("come back as they were, and name the key by its ARN", async () => {
      const kmsKeyId = kms.createKey();
      const store = storeWith({ kmsKeyId });
      const written = await write(store, "rows");
      assert.equal(written.encryptedWith, kmsKeyId);
      await comeBack(store, written);
    });

    it("are neither written nor read with a key that cannot be used, which is said and is no damage", async () => {
      const kmsKeyId = kms.createKey();
      const store = storeWith({ kmsKeyId });
      const written = await write(store, "rows");
      kms.disable(kmsKeyId);
      const refused = (error: unknown) => {
        assert.ok(error instanceof ArchiveError && !(error instanceof StoreError), String(error));
        assert.match(error.message, /KMS key arn:.*DisabledException.*kms:GenerateDataKey/);
        return true;
      };
      await assert.rejects(measureRows(store, written), refused);
      await assert.rejects(text(await readRows(store, written)), refused);
      await assert.rejects(write(store, "other"), refused);
      assert.equal(await store.find("other"), undefined);
    });

    it("do not decrypt in the place of another one", async () => {
      const store = storeWith({ kmsKeyId: kms.createKey() });
      const one = await write(store, "one");
      await write(store, "other");
      await writeFile(contentOf("one"), await readFile(contentOf("other")));
      await assert.rejects(measureRows(store, one), isCorrupt);
    });
  });
});
