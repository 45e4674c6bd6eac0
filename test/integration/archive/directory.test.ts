/** What happens to directories that archives are in: moved, exchanged, closed, linked, in the wrong hands. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { StoreError, type StoreFailure } from "../../../archive/store";
import { FileStore } from "../../../archive/stores/file";

const failing = (failure: StoreFailure, message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof StoreError, String(error));
  assert.equal(error.failure, failure, error.message);
  assert.match(error.message, message);
  return true;
};

describe("the directory of an archive", () => {
  let above: string;
  let directory: string;
  let store: FileStore;
  beforeEach(async () => {
    above = await mkdtemp(join(tmpdir(), "archive-test-"));
    directory = join(above, "archive");
    store = new FileStore(directory);
    await store.write("a/1", Readable.from([Buffer.from("one")]));
  });
  afterEach(() => rm(above, { recursive: true }));

  const write = (key: string) => store.write(key, Readable.from([Buffer.from("two")]));
  const keys = async (of = store) => {
    const found: string[] = [];
    for await (const { key } of of.list("")) found.push(key);
    return found;
  };

  for (const [title, what, exchange] of [
    ["moved away", /is gone than when this run began: unmounted, or moved/, async () => undefined],
    ["another one", /is another directory than when this run began/, () => mkdir(directory)],
  ] as const)
    it(`is nothing to write to or to read from when it is ${title} in the middle of a run`, async () => {
      await rename(directory, join(above, "away"));
      await exchange();
      for (const asked of [() => write("a/2"), () => store.read("a/1"), () => keys()])
        await assert.rejects(asked(), failing("unreachable", what));
      assert.ok(!(await readdir(above, { recursive: true })).some((name) => name.endsWith("a/2")));
      await rm(directory, { recursive: true, force: true });
      await rename(join(above, "away"), directory);
      assert.equal(await text(await store.read("a/1")), "one");
      await write("a/2");
      assert.deepEqual(await keys(), ["a/1", "a/2"]);
    });

  it("may also go away while an object is written, which then is nowhere", async () => {
    const leaving = async function* () {
      yield Buffer.from("half");
      await rename(directory, join(above, "away"));
      await mkdir(directory);
      yield Buffer.from("the other");
    };
    await assert.rejects(store.write("a/2", Readable.from(leaving())), failing("unreachable", /another directory/));
    const left = await readdir(above, { recursive: true });
    assert.ok(!left.some((name) => name.endsWith("a/2")), String(left));
  });

  it("is made when there is none yet", async () => {
    store = new FileStore(join(above, "new", "archive"));
    assert.deepEqual(await keys(), []);
    await write("a/1");
    assert.deepEqual(await keys(), ["a/1"]);
  });

  it("is told to be none when it is a file, or one is in the way", async () => {
    await writeFile(join(above, "file"), "");
    store = new FileStore(join(above, "file"));
    await assert.rejects(write("a/1"), failing("refused", /no directory|ENOTDIR/));
    await assert.rejects(keys(), failing("refused", /ENOTDIR/));
    store = new FileStore(directory);
    await assert.rejects(write("a/1/2"), failing("refused", /no directory|ENOTDIR/));
    await assert.rejects(store.find("a/1/2"), failing("refused", /ENOTDIR/));
  });

  it("has no object where a directory is", async () => {
    await assert.rejects(store.find("a"), failing("refused", /is no file/));
    await assert.rejects(write("a"), StoreError);
    assert.deepEqual(await keys(), ["a/1"]);
  });

  it("may have links in it, or be one", async () => {
    await rename(join(directory, "a"), join(above, "larger disk"));
    await symlink(join(above, "larger disk"), join(directory, "a"));
    await symlink(".", join(directory, "a", "round"));
    await symlink("nowhere", join(directory, "a", "broken"));
    await symlink(directory, join(above, "link"));
    store = new FileStore(join(above, "link"));
    await write("a/2");
    const found = (await keys()).filter((key) => !key.includes("round"));
    assert.deepEqual(found, ["a/1", "a/2"]);
    assert.equal(await text(await store.read("a/1")), "one");
  });

  it("that may not be read or written says so, and is never taken for an empty one", async function () {
    const { geteuid, seteuid } = process;
    if (geteuid?.() !== 0 || seteuid === undefined) this.skip();
    await mkdir(join(directory, "closed"), { mode: 0o700 });
    await writeFile(join(directory, "closed", "1"), "");
    process.seteuid?.(65_534);
    try {
      await assert.rejects(keys(), failing("refused", /EACCES.*rights/));
      await assert.rejects(write("a/2"), failing("refused", /EACCES.*rights/));
      await assert.rejects(store.find("closed/1"), failing("refused", /EACCES/));
    } finally {
      process.seteuid?.(0);
    }
  });
});
