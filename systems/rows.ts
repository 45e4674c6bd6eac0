/** Rows as an application would write them: through the parent, in batches, the same ones in every run. */
import type { Client } from "pg";

/** Where messages for the person at the terminal go. */
export type Log = (message: string) => void;

/** Rows of one table. */
export interface Generator {
  /** Qualified and quoted. */
  table: string;
  /** How many rows there will be. */
  rows: number;
  /** Rows of referenced tables, made first; must be idempotent. */
  before?: string;
  /**
   * `INSERT … SELECT` over `generate_series($1::int, $2::int) AS n`. `$3::timestamp` is the moment that counts as now;
   * the rows' times lie around it.
   */
  insert: string;
}

const BATCH = 5_000;

/** The date that `asOf` stands for: its first day when only a month is given. */
export function dateOf(asOf: string): string {
  return asOf.length === "2026-11".length ? `${asOf}-01` : asOf.slice(0, "2026-11-01".length);
}

/** Writes the rows of one table, or none when it has some; gives the number of rows written. */
export async function generate(client: Client, generator: Generator, asOf: string, log: Log): Promise<number> {
  const { table, rows, before, insert } = generator;
  const { rows: found } = await client.query(`SELECT FROM ${table} LIMIT 1`);
  if (found.length > 0) {
    log(`${table} has rows already`);
    return 0;
  }
  if (before !== undefined) {
    await client.query(before);
  }
  for (let first = 1; first <= rows; first += BATCH) {
    await client.query(insert, [first, Math.min(first + BATCH - 1, rows), dateOf(asOf)]);
  }
  return rows;
}
