/** From a row of the catalog to an index. */
import type { ActualIndex } from "../../topology/table/model";

export interface IndexRow {
  name: string;
  unique: boolean;
  valid: boolean;
  method: string;
  nulls_not_distinct: boolean;
  predicate: string | null;
  keys: string[];
  include: string[];
  tablespace: string | null;
}

export function indexFrom(row: IndexRow): ActualIndex {
  return {
    name: row.name,
    keys: row.keys,
    include: row.include,
    unique: row.unique,
    nullsNotDistinct: row.nulls_not_distinct,
    method: row.method,
    where: row.predicate ?? undefined,
    valid: row.valid,
    ...(row.tablespace === null ? {} : { tablespace: row.tablespace }),
  };
}
