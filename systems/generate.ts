/** Rows for all systems, some 100,000, the same ones for the same `asOf`. */
import type { Client } from "pg";
import { generate, type Log } from "./rows";
import { SYSTEMS } from "./systems";

/** What was written to one table. */
export interface Inserted {
  /** Qualified and quoted. */
  table: string;
  /** 0 when the table had rows already. */
  rows: number;
}

/**
 * Inserts rows through the parents, as the applications would. Their times lie between two months before `asOf` and
 * four days after it, so the tables need partitions for that time. A table that has rows is left alone.
 */
export async function insertRows(client: Client, { asOf }: { asOf: string }, log: Log): Promise<Inserted[]> {
  const inserted: Inserted[] = [];
  for (const generator of SYSTEMS.flatMap(({ rows }) => rows)) {
    inserted.push({ table: generator.table, rows: await generate(client, generator, asOf, log) });
  }
  return inserted;
}
