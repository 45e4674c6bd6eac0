/**
 * Where servers and stacks of tests are: in memory where there is room. Half of the processor time of tests of DDL went
 * into making and removing files, with `fsync` off.
 */
import { createHash } from "node:crypto";
import { existsSync, lstatSync, mkdirSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { CHECKOUT } from "../../tools/paths";

const MEMORY = "/dev/shm";

/** What all parts of `npm test` were seen to use together, several times over. */
const ROOM_BYTES = 4 * 2 ** 30;

/** `PGPARTITION_TEST_ROOT`, else a directory in memory, the same one for every run of this checkout, else `.test`. */
export const TEST_ROOT = process.env.PGPARTITION_TEST_ROOT ?? inMemory() ?? join(CHECKOUT, ".test");

function inMemory(): string | undefined {
  if (!existsSync(MEMORY)) return undefined;
  const { bavail, bsize } = statfsSync(MEMORY);
  if (Math.min(bavail * bsize, process.availableMemory()) < ROOM_BYTES) return undefined;
  const uid = process.getuid?.();
  const directory = join(
    MEMORY,
    `pgpartition-${uid}-${createHash("sha256").update(CHECKOUT).digest("hex").slice(0, 16)}`,
  );
  // The server may run as another user, who has to get through.
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  const found = lstatSync(directory);
  // Everybody may write there, so that somebody else may have made it.
  return found.isDirectory() && found.uid === uid ? directory : undefined;
}
