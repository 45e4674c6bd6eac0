/**
 * The Pulumi engine on this machine: the CLI `pulumi` and its language host `pulumi-language-nodejs`. Sources in the
 * order of their cost; the first that gives both wins.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { cacheRoot, installOnce } from "./cache";
import { errorMessage, type Log } from "./processes";
import { buildEngine } from "./pulumi/from-go";
import { findInPath, readVersion } from "./pulumi/installed";
import { downloadOfficial } from "./pulumi/official";

/** The version that is installed when the machine has none. */
export const PULUMI_VERSION = "3.259.0";

/** Where the engine is. */
export interface PulumiEngine {
  /** The directory that holds the CLI; to be put on PATH. */
  binDir: string;
  /** Version of the CLI, without "v". */
  version: string;
}

/**
 * Finds the Pulumi CLI and Node.js language host: on PATH, in the cache, by the official download, or by building
 * both from Go modules (minutes, once on a machine).
 * @throws when nothing works, with the reason of every attempt and what to install.
 */
export async function ensurePulumi(log: Log): Promise<PulumiEngine> {
  const installed = await findInPath();
  if (installed !== undefined) {
    return installed;
  }
  const directory = join(cacheRoot(), `pulumi-${PULUMI_VERSION}`);
  if (!existsSync(directory)) {
    await installOnce(directory, (scratch) => fill(scratch, log));
  }
  const binDir = join(directory, "bin");
  return { binDir, version: await readVersion(binDir) };
}

const SOURCES: readonly { name: string; fill: (scratch: string, version: string, log: Log) => Promise<void> }[] = [
  { name: "official download", fill: downloadOfficial },
  { name: "build from Go modules", fill: buildEngine },
];

/** Makes `<scratch>/bin` from the first source that works. */
async function fill(scratch: string, log: Log): Promise<void> {
  const reasons: string[] = [];
  for (const source of SOURCES) {
    try {
      await source.fill(scratch, PULUMI_VERSION, log);
      await readVersion(join(scratch, "bin"));
      return;
    } catch (error) {
      const reason = errorMessage(error);
      reasons.push(`${source.name}: ${reason}`);
      log(`Pulumi ${PULUMI_VERSION}, ${source.name}: not possible here (${reason.split("\n")[0]})`);
    }
  }
  throw new Error(
    [
      `Pulumi is not on this machine and could not be installed.`,
      ...reasons.map((reason) => `  ${reason}`),
      `Install the Pulumi CLI with its Node.js language host (https://www.pulumi.com/docs/install/) so that both are on PATH,`,
      `or install Go 1.26 or newer and a way to its module proxy, and try again.`,
    ].join("\n"),
  );
}
