/** What the manifest of a partition says of its Parquet copy. */
import type { ParquetColumn } from "../../topology/parquet";
import {
  anything,
  fail,
  integer,
  list,
  object,
  optional,
  type Reader,
  required,
  scalar,
  text,
} from "../../topology/policy/reader";
import type { StoredObject } from "../store";
import type { ColumnSum } from "./sums";

/** One file: the rows of one part of the archive, in their order. */
export interface ParquetFile extends StoredObject {
  sha256: string;
  rows: number;
  /** SHA-256 of the part's own object. */
  source: string;
  /** What the values of each column add up to. */
  columns: Record<string, ColumnSum>;
}

export interface ParquetCopy {
  /** URL of the store, without credentials, when it is not the archive's own. */
  store?: string;
  /** Where all files of the table are. */
  prefix: string;
  columns: ParquetColumn[];
  files: ParquetFile[];
}

const digest = scalar(
  "64 hexadecimal digits",
  (value): value is string => typeof value === "string" && /^[0-9a-f]{64}$/.test(value),
);

const sum = object<ColumnSum>({ values: required(integer(0)), sha256: required(digest) }) as Reader<ColumnSum>;

const sums: Reader<Record<string, ColumnSum>> = (value, path, report) => {
  const given = anything(value, path, report);
  if (given === undefined) return undefined;
  const read = Object.entries(given).map(([name, item]): [string, ColumnSum | undefined] => [
    name,
    sum(item, `${path}.${name}`, report),
  ]);
  return Object.fromEntries(read) as Record<string, ColumnSum>;
};

const column: Reader<ParquetColumn> = (value, path, report) => {
  const given = anything(value, path, report);
  if (given === undefined) return undefined;
  const whole = typeof given.name === "string" && typeof given.kind === "string";
  return whole ? (given as unknown as ParquetColumn) : fail(report, path, "is no column of a Parquet copy");
};

const file = object<ParquetFile>({
  key: required(text),
  version: optional(text),
  bytes: required(integer(0)),
  sha256: required(digest),
  rows: required(integer(0)),
  source: required(digest),
  columns: required(sums),
}) as Reader<ParquetFile>;

export const parquetCopy = object<ParquetCopy>({
  store: optional(text),
  prefix: required(text),
  columns: required(list(column, 1)),
  files: required(list(file)),
}) as Reader<ParquetCopy>;
