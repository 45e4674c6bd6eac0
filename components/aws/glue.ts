/** What Glue says of a Parquet copy: where it is, its columns, its partitions. Pure. */
import { InputPropertiesError } from "@pulumi/pulumi";
import type { Identity } from "../../resources";
import { parseStore } from "../../topology/archive";
import { glueType, PARTITION_COLUMN, parquetColumns, parquetFolder, parquetPrefix } from "../../topology/parquet";
import { attempt } from "../../topology/values";

/** Where Hive keeps what reads Parquet. */
export const HIVE = "org.apache.hadoop.hive.ql.io.parquet";

/** A column as PartitionedTable declares it; what it says beside these is not looked at. */
export interface ArchiveTableColumn {
  name: string;
  /** Type in PostgreSQL; of a domain the type below it. An enum needs `string` in `archive.parquet.columns`. */
  type: string;
  comment?: string;
  /** Generated columns are not in the archive. */
  generated?: unknown;
}

/** What Pulumi has resolved. */
export interface DeclaredArchive {
  store: string;
  parquet?: { store?: string; columns?: Record<string, string> };
}

/** @throws InputPropertiesError: Athena cannot read it. */
export function locationOf(
  { store, parquet }: DeclaredArchive,
  schema: string,
  table: string,
  identity: Identity | undefined,
): string {
  if (parquet === undefined) throw refused("archive", 'declares no Parquet copy; declare "parquet: {}"');
  const found = attempt(() => parseStore(parquet.store ?? store));
  if ("reason" in found) throw refused("archive.store", found.reason);
  if (found.value.kind !== "s3") throw refused("archive.store", "is a directory; Athena reads from S3 only");
  if (identity === undefined) throw refused("set", "has no identity: its table does not exist");
  const { bucket, prefix } = found.value;
  const { systemIdentifier, database } = identity;
  const folder = parquetPrefix({ systemIdentifier, database, schema, table });
  return `s3://${[bucket, prefix, folder].filter((part) => part !== "").join("/")}`;
}

/** @throws InputPropertiesError with every column that has no place in Parquet. */
export function columnsOf(
  declared: readonly ArchiveTableColumn[],
  { parquet }: DeclaredArchive,
): { name: string; type: string; comment?: string }[] {
  const stored = declared.filter(({ generated }) => generated === undefined);
  const { columns, problems } = parquetColumns(stored, parquet?.columns ?? {});
  if (problems.length > 0) {
    const errors = problems.map(({ column, reason }) => ({ propertyPath: "columns", reason: `${column} ${reason}` }));
    throw new InputPropertiesError({ message: "ArchiveTable: a Parquet copy cannot hold these columns", errors });
  }
  const comments = new Map(declared.map(({ name, comment }) => [name, comment]));
  return columns.map((column) => ({
    // Athena knows no capitals, and finds them in files all the same.
    name: column.name.toLowerCase(),
    type: glueType(column),
    ...(comments.get(column.name) !== undefined && { comment: comments.get(column.name) }),
  }));
}

/** Partition projection: Athena is told which folders there are, and nobody has to add partitions to the catalog. */
export function parametersOf(partitions: string[] | undefined, location: string): Record<string, string> {
  const parquet = { classification: "parquet" };
  if (partitions === undefined) return parquet;
  const folders = partitions.map((name) => parquetFolder(name).slice(PARTITION_COLUMN.length + 1, -1));
  const projection = `projection.${PARTITION_COLUMN}`;
  return {
    ...parquet,
    "projection.enabled": "true",
    [`${projection}.type`]: "enum",
    [`${projection}.values`]: folders.join(","),
    "storage.location.template": `${location}${PARTITION_COLUMN}=\${${PARTITION_COLUMN}}/`,
  };
}

function refused(propertyPath: string, reason: string): InputPropertiesError {
  return new InputPropertiesError({
    message: `ArchiveTable: ${propertyPath} ${reason}`,
    errors: [{ propertyPath, reason }],
  });
}
