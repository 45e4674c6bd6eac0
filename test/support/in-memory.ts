/**
 * Imported first: puts databases and stacks into memory where the system has a place for that. On a disk
 * the same bare DDL was seen to take from 2.2 to 6.3 s, depending on what else had been written in the seconds before.
 * BENCH_ON_DISK=1 leaves them on the disk.
 */
import { chmodSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";

const MEMORY = "/dev/shm";

if (existsSync(MEMORY) && process.env.BENCH_ON_DISK !== "1") {
  const root = mkdtempSync(join(MEMORY, "pgpartition-bench-"));
  // The server may run as another user, who has to get through.
  chmodSync(root, 0o755);
  process.env.PGPARTITION_TEST_ROOT = root;
  process.once("exit", () => rmSync(root, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 }));
}
