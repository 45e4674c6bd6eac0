/** What archives are compressed with. Node.js has it since 22.15; the provider itself runs on older ones. */
import * as zlib from "node:zlib";

/** Why this Node.js cannot write or read an archive; undefined when it can. */
export function zstdProblem(
  { zstd, version } = { zstd: "createZstdCompress" in zlib, version: process.version },
): string | undefined {
  if (zstd) return undefined;
  return `needs Node.js 22.15 or later, which has zstd; the provider runs with ${version}. Upgrade the Node.js that runs Pulumi.`;
}
