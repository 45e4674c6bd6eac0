/** The type of the partition key, taken from the declared columns so that nobody writes it twice. */
import type { Column, PartitionBy } from "../resources";

/** Spellings of the types that have periods; anything else passes through as it is written. */
const SPELLINGS: [RegExp, string][] = [
  [/^date$/i, "date"],
  [/^(timestamptz|timestamp)(\(\d\))? *with time zone$/i, "timestamptz"],
  [/^timestamptz *(\(\d\))?$/i, "timestamptz"],
  [/^timestamp *(\(\d\))?( *without time zone)?$/i, "timestamp"],
  [/^(int2|smallint|smallserial|serial2)$/i, "smallint"],
  [/^(int4?|integer|serial4?)$/i, "integer"],
  [/^(int8|bigint|bigserial|serial8)$/i, "bigint"],
  [/^uuid$/i, "uuid"],
];

export function keyTypeOf(columnType: string): string {
  const text = columnType.trim();
  return SPELLINGS.find(([pattern]) => pattern.test(text))?.[1] ?? text;
}

/** The same partition key with its `type` filled in; unchanged when it is declared, or when no column tells. */
export function withKeyType(partitionBy: PartitionBy, columns: Column[] | undefined): PartitionBy {
  const fill = <Key extends { column?: string; type?: string }>(key: Key): Key => {
    const column = columns?.find(({ name }) => name === key.column);
    return key.type !== undefined || column === undefined ? key : { ...key, type: keyTypeOf(column.type) };
  };
  if ("range" in partitionBy) return { range: fill(partitionBy.range) };
  if ("list" in partitionBy) return { list: fill(partitionBy.list) };
  return partitionBy;
}
