import type { Session } from "../connection";

/** The little that this folder asks of a connection; a `pg.Client` has it. */
export interface Queryable {
  query<R>(sql: string, values?: unknown[]): Promise<{ rows: R[] }>;
}

/** A session as such a connection. */
export function queryable(session: Session): Queryable {
  return {
    query: async <R>(sql: string, values?: unknown[]) => ({
      rows: (await session.query(sql, values)) as R[],
    }),
  };
}

/** Runs work in a transaction: committed when it succeeds, else rolled back. The client must not be in one. */
export async function inTransaction<T>(client: Queryable, begin: string, work: () => Promise<T>): Promise<T> {
  await client.query(begin);
  try {
    const result = await work();
    await client.query("COMMIT");
    return result;
  } catch (error) {
    await client.query("ROLLBACK").catch(() => undefined);
    throw error;
  }
}

/** Settings on which the text of expressions depends, pinned until the transaction ends. */
const PINNED: Record<string, string> = {
  search_path: "",
  TimeZone: "UTC",
  DateStyle: "ISO, YMD",
  IntervalStyle: "postgres",
  extra_float_digits: "1",
  bytea_output: "hex",
  standard_conforming_strings: "on",
  quote_all_identifiers: "off",
};

/** From here to the end of the transaction, expressions are read and printed alike on every server and for every role. */
export async function pinSettings(client: Queryable): Promise<void> {
  const settings = Object.entries(PINNED);
  const calls = settings.map((_, index) => `pg_catalog.set_config($${2 * index + 1}, $${2 * index + 2}, true)`);
  await client.query(`SELECT ${calls.join(", ")}`, settings.flat());
}
