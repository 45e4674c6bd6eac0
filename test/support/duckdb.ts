/** DuckDB, a reader of Parquet that has nothing to do with ours. */
import { DuckDBInstance, type JS } from "@duckdb/node-api";

/** Rows of one query, as JavaScript values. Times of day have no zone but UTC. */
export async function duckdb(query: string): Promise<Record<string, JS>[]> {
  const instance = await DuckDBInstance.create();
  const connection = await instance.connect();
  try {
    const result = await connection.runAndReadAll(query);
    return result.getRowObjectsJS();
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
