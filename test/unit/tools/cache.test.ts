import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installOnce } from "../../../tools/cache";

describe("the cache of tools", () => {
  let root: string;
  let target: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), "cache-test-"));
    target = join(root, "deep", "tool-1.0");
  });
  afterEach(() => rm(root, { recursive: true }));

  const fillWith = (text: string) => async (scratch: string) => {
    await writeFile(join(scratch, "file"), text);
  };
  const content = () => readFile(join(target, "file"), "utf8");

  it("makes a tool once", async () => {
    assert.equal(await installOnce(target, fillWith("first")), target);
    await installOnce(target, () => assert.fail("made twice"));
    assert.equal(await content(), "first");
    assert.deepEqual(await readdir(join(root, "deep")), ["tool-1.0"]);
  });

  it("leaves nothing behind when making it fails", async () => {
    const failing = async (scratch: string) => {
      await fillWith("half")(scratch);
      throw new Error("no network");
    };
    await assert.rejects(installOnce(target, failing), /no network/);
    assert.deepEqual(await readdir(join(root, "deep")), []);
  });

  it("gives both of two that make it at once the same tool", async () => {
    let open = () => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const slow = installOnce(target, async (scratch) => {
      await fillWith("slow")(scratch);
      await gate;
    });
    await installOnce(target, fillWith("quick"));
    open();
    assert.equal(await slow, target);
    assert.equal(await content(), "quick");
    assert.deepEqual(await readdir(join(root, "deep")), ["tool-1.0"]);
  });

  it("removes what a killed process left, not what a living one is making", async () => {
    const dead = `${target}.tmp-999999999-0a0b0c0d`;
    const alive = `${target}.tmp-${process.pid}-0a0b0c0d`;
    await mkdir(dead, { recursive: true });
    await mkdir(alive);
    await installOnce(target, fillWith("x"));
    assert.deepEqual([existsSync(dead), existsSync(alive)], [false, true]);
  });
});
