/**
 * The vendor's own installation, through the npm package `pulumi`: at its first call that package downloads the CLI
 * and all language hosts from the vendor's host. Many build machines cannot reach that host, so silence ends it early.
 */
import { spawn } from "node:child_process";
import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Log, lastLines, run, withProgress } from "../processes";

/** How long the vendor's host may keep silent before we go on without it. The download itself may take any time. */
const SILENCE_MS = 10_000;

/** Fills `<scratch>/bin` with the official programs. */
export function downloadOfficial(scratch: string, version: string, log: Log): Promise<void> {
  return withProgress(log, `Downloading Pulumi ${version}`, async () => {
    const download = join(scratch, "download");
    await mkdir(download);
    try {
      const flags = ["--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"];
      await run("npm", ["install", "--prefix", download, ...flags, `pulumi@${version}`], { cwd: download });
      await install(join(download, "node_modules", "pulumi", "run.js"), join(download, "home"), version);
      await rename(join(download, "home", "versions", version, "bin"), join(scratch, "bin"));
    } finally {
      await rm(download, { recursive: true, force: true });
    }
  });
}

function install(script: string, home: string, version: string): Promise<void> {
  const child = spawn(process.execPath, [script, "version"], {
    env: { ...process.env, PULUMI_HOME: home, PULUMI_VERSION: version, PULUMI_SKIP_UPDATE_CHECK: "true" },
    stdio: ["ignore", "pipe", "pipe"],
    // A process group of its own: the package starts a shell that starts the download.
    detached: true,
  });
  const endGroup = () => child.pid !== undefined && process.kill(-child.pid, "SIGKILL");
  let written = "";
  return new Promise((resolve, reject) => {
    const silence = setTimeout(() => {
      endGroup();
      reject(new Error(`the vendor's host does not answer within ${SILENCE_MS / 1000} s`));
    }, SILENCE_MS);
    child.stdout.on("data", () => clearTimeout(silence));
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      written += chunk;
    });
    child.once("error", reject);
    child.once("close", (status) => {
      clearTimeout(silence);
      return status === 0 ? resolve() : reject(new Error(lastLines(written, 1)));
    });
  });
}
