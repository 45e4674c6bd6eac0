import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { findInPath } from "../../../tools/pulumi/installed";

describe("a Pulumi CLI on PATH", () => {
  const path = process.env.PATH;
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), "pulumi-test-"));
  });
  afterEach(async () => {
    process.env.PATH = path;
    await rm(root, { recursive: true });
  });

  async function directoryWith(name: string, programs: Record<string, string>): Promise<string> {
    const directory = join(root, name);
    await mkdir(directory);
    for (const [program, script] of Object.entries(programs)) {
      await writeFile(join(directory, program), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    }
    return directory;
  }
  const host = { "pulumi-language-nodejs": "" };

  it("is taken with a language host that is elsewhere on PATH", async () => {
    const cli = await directoryWith("cli", { pulumi: "echo v3.259.0" });
    process.env.PATH = [cli, await directoryWith("host", host)].join(delimiter);
    assert.deepEqual(await findInPath(), { binDir: cli, version: "3.259.0" });
  });

  it("is taken with a language host beside the file that a link on PATH leads to", async () => {
    const real = await directoryWith("real", { pulumi: "echo v3.200.0", ...host });
    const links = await directoryWith("links", {});
    await symlink(join(real, "pulumi"), join(links, "pulumi"));
    process.env.PATH = links;
    assert.deepEqual(await findInPath(), { binDir: links, version: "3.200.0" });
  });

  for (const [reason, programs] of Object.entries({
    "there is no language host": { pulumi: "echo v3.259.0" },
    "it is too old": { pulumi: "echo v3.199.9", ...host },
    "it does not run": { pulumi: "echo v3.259.0; exit 1", ...host },
    "it is something else": { pulumi: "echo hello", ...host },
    "there is none": host,
  })) {
    it(`is left alone when ${reason}`, async () => {
      process.env.PATH = await directoryWith("bin", programs);
      assert.equal(await findInPath(), undefined);
    });
  }
});
