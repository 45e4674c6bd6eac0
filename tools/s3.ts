/** The S3 server of the tests: Versity S3 Gateway on a directory (Apache-2.0). */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { cacheRoot, installOnce } from "./cache";
import { findExecutable } from "./executables";
import { buildFromGoModules } from "./go-build";
import type { Log } from "./processes";

/** The version in `tools/toolchain/s3/go.mod`. */
const VERSION = "1.8.0";
const PROGRAM = "versitygw";

/**
 * Where the server's program is: on PATH, in the cache, or built from Go modules (minutes, once on a machine).
 * @throws where there is no Go, or no way to its modules.
 */
export async function ensureS3Server(log: Log): Promise<string> {
  const installed = findExecutable(PROGRAM);
  if (installed !== undefined) return installed;
  const directory = join(cacheRoot(), `${PROGRAM}-${VERSION}`);
  if (!existsSync(directory)) {
    const build = {
      module: "s3",
      title: `the S3 server of the tests (${PROGRAM} ${VERSION})`,
      program: PROGRAM,
      package: "github.com/versity/versitygw/cmd/versitygw",
      flags: ["-ldflags", "-s -w"],
    };
    await installOnce(directory, (scratch) => buildFromGoModules(scratch, [build], log));
  }
  return join(directory, "bin", PROGRAM);
}
