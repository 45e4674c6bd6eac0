import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import * as fc from "fast-check";
import { measureRows, writeRows } from "../../../archive/object";
import { StoreError } from "../../../archive/store";
import { FileStore } from "../../../archive/stores/file";

const ROWS = Array.from({ length: 2_000 }, (_, row) => `${row}\tvalue ${row % 7}\n`).join("");

describe("an object of rows in a directory", () => {
  let directory: string;
  let store: FileStore;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "archive-test-"));
    store = new FileStore(directory);
  });
  afterEach(() => rm(directory, { recursive: true }));

  const write = (key: string, text: string) => writeRows(store, key, Readable.from([Buffer.from(text)]));
  const failure = (expected: string) => (error: unknown) => error instanceof StoreError && error.failure === expected;

  it("is measured from the store as it was when it was written", async () => {
    const written = await write("a/rows.copy.zst", ROWS);
    assert.deepEqual(await measureRows(store, written), written);
    assert.deepEqual([written.rows, written.textBytes], [2_000, ROWS.length]);
    assert.equal((await store.find("a/rows.copy.zst"))?.bytes, written.bytes);
    const none = await write("a/none.copy.zst", "");
    assert.deepEqual([none.rows, await measureRows(store, none)], [0, none]);
  });

  it("is never replaced, and what was written beside it is gone", async () => {
    const written = await write("rows", ROWS);
    await assert.rejects(write("rows", "1\n"), failure("exists"));
    assert.deepEqual(await measureRows(store, written), written);
    assert.deepEqual(await readdir(directory), ["rows"]);
  });

  it("is refused by a store that fails before, while and after the whole of a small text is given on", async () => {
    for (let turns = 0; turns < 20; turns++) {
      const failing = Object.assign(Object.create(store) as FileStore, {
        write: async () => {
          for (let turn = 0; turn < turns; turn++) await nextTurn();
          throw new StoreError("refused", "no");
        },
      });
      for (const text of ["", "1\n", ROWS])
        await assert.rejects(writeRows(failing, "rows", Readable.from([Buffer.from(text)])), failure("refused"));
    }
  });

  it("is not there when its text breaks off, and nothing is left of it", async () => {
    const broken = Readable.from(
      (async function* () {
        yield Buffer.from(ROWS);
        throw new Error("the server went away");
      })(),
    );
    await assert.rejects(writeRows(store, "rows", broken), /the server went away/);
    assert.equal(await store.find("rows"), undefined);
    assert.deepEqual(await readdir(directory), []);
  });

  it("with any one bit flipped, or cut off anywhere, is not what it was", async () => {
    const { key, ...written } = await write("rows", ROWS);
    const whole = await readFile(join(directory, key));
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
        await writeFile(join(directory, key), damaged);
        const measured = await measureRows(store, { key, format: "text" }).catch((error: unknown) => {
          assert.ok(failure("corrupt")(error), String(error));
          return undefined;
        });
        assert.notEqual(measured?.sha256, written.sha256);
      }),
    );
  });

  it("is refused under keys that lead elsewhere", async () => {
    for (const key of ["../rows", "a//rows", "/rows", "a/./rows", ""]) {
      await assert.rejects(write(key, ROWS), failure("refused"), key);
    }
  });

  it("is listed by the beginning of its key, without what is unfinished", async () => {
    for (const key of ["b/2", "b/1", "a/1", "b.txt"]) await write(key, "1\n");
    await writeFile(join(directory, "b", "3.x.unfinished"), "half");
    const keys: string[] = [];
    for await (const { key } of store.list("b/")) keys.push(key);
    assert.deepEqual(keys, ["b/1", "b/2"]);
  });

  it("is missing where there is none", async () => {
    await assert.rejects(measureRows(store, { key: "none", format: "text" }), failure("missing"));
  });
});
