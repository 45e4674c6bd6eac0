/** Compiles the provider and the components into `dist`, unless nothing has changed since the last time. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { CHECKOUT, NODE_PROGRAMS } from "./paths";
import { type Log, run, withProgress } from "./processes";

const OUTPUT = join(CHECKOUT, "dist");
// Not inside dist, which is published.
const STAMP = join(CHECKOUT, "node_modules", ".cache", "pulumi-pgpartition", "built-from");
const PROJECT = join(CHECKOUT, "tsconfig.build.json");

/** Builds; false when `dist` was up to date. */
export async function build(log: Log): Promise<boolean> {
  const fingerprint = await fingerprintOfSources();
  if (existsSync(OUTPUT) && existsSync(STAMP) && (await readFile(STAMP, "utf8")) === fingerprint) {
    return false;
  }
  await withProgress(log, "Compiling the provider", () => run(join(NODE_PROGRAMS, "tsc"), ["-p", PROJECT]));
  await mkdir(dirname(STAMP), { recursive: true });
  await writeFile(STAMP, fingerprint);
  return true;
}

/** Changes whenever the compiler might give another result. */
async function fingerprintOfSources(): Promise<string> {
  const { include } = JSON.parse(await readFile(PROJECT, "utf8")) as { include: string[] };
  const configuration = ["tsconfig.json", "tsconfig.build.json", "package-lock.json"].map((name) =>
    join(CHECKOUT, name),
  );
  const sources = await Promise.all(include.map((folder) => listFiles(join(CHECKOUT, folder))));
  const hash = createHash("sha256");
  for (const file of [...configuration, ...sources.flat().sort()]) {
    const { mtimeMs, size } = await stat(file);
    hash.update(`${file}\0${mtimeMs}\0${size}\n`);
  }
  return hash.digest("hex");
}

async function listFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}
