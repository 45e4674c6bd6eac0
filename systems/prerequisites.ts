/** What the applications' own migrations make before their tables are partitioned. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Client } from "pg";
import { SYSTEMS } from "./systems";

/** Types, functions, schemas and referenced tables of all systems. Idempotent. */
export async function applyPrerequisites(client: Client): Promise<void> {
  for (const { folder } of SYSTEMS) {
    await client.query(await readFile(join(__dirname, folder, "prerequisites.sql"), "utf8"));
  }
}
