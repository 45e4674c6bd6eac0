/** What stands below a partitioned table, as PostgreSQL itself tells it. */
import type { Client } from "pg";

const CHILDREN = `
  SELECT format('%I.%I', n.nspname, c.relname) AS name, pg_get_expr(c.relpartbound, c.oid) AS bound,
    to_jsonb(i) ->> 'inhdetachpending' AS pending
  FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE i.inhparent = to_regclass($1) ORDER BY 1`;

/** Bounds of the children by qualified name (without `public.`), in the order of the names. */
export async function partitionsOf(client: Client, table: string): Promise<Record<string, string>> {
  const { rows } = await client.query<{ name: string; bound: string; pending: string }>(CHILDREN, [table]);
  return Object.fromEntries(
    rows.map(({ name, bound, pending }) => [
      name.replace(/^public\./, ""),
      pending === "true" ? `${bound} (detach pending)` : bound,
    ]),
  );
}

/** Leaves a partition half detached, as a DETACH CONCURRENTLY that somebody cancelled does. */
export async function interruptDetach(client: () => Promise<Client>, table: string, partition: string): Promise<void> {
  const [reader, detacher, watcher] = [await client(), await client(), await client()];
  await reader.query("BEGIN");
  await reader.query(`SELECT FROM ${table} LIMIT 1`);
  const { rows } = await detacher.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
  const detached = detacher
    .query(`ALTER TABLE ${table} DETACH PARTITION ${partition} CONCURRENTLY`)
    .catch(() => undefined);
  const pending = "SELECT FROM pg_inherits WHERE inhrelid = to_regclass($1) AND inhdetachpending";
  while ((await watcher.query(pending, [partition])).rowCount === 0);
  await watcher.query("SELECT pg_cancel_backend($1)", [rows[0]?.pid]);
  await detached;
  await reader.query("ROLLBACK");
  await Promise.all([reader.end(), detacher.end(), watcher.end()]);
}
