/** The Parquet copy of a partitioned table as a table of Glue, so that Athena can query it. */
import { CatalogTable } from "@pulumi/aws/glue";
import { all, ComponentResource, type ComponentResourceOptions, type Input, type Output, output } from "@pulumi/pulumi";
import type { Archive, Identity } from "../../resources";
import { PARTITION_COLUMN } from "../../topology/parquet";
import { type ArchiveTableColumn, columnsOf, type DeclaredArchive, HIVE, locationOf, parametersOf } from "./glue";

export type { ArchiveTableColumn } from "./glue";

export interface ArchiveTableArgs {
  /** Name of the Glue database. */
  database: Input<string>;
  /** Name of the table there. Default: that of the PostgreSQL table, in small letters. */
  name?: Input<string>;
  /** Of the Glue catalog. Default: the account's. */
  catalogId?: Input<string>;
  /** The set whose partitions these are: `partitionSet` of a PartitionedTable. */
  set: {
    schema: Input<string>;
    table: Input<string>;
    identity: Input<Identity | undefined>;
  };
  /** What the set declares as `archive`, with `parquet`. */
  archive: Input<Archive>;
  /** The table's columns. */
  columns: Input<ArchiveTableColumn[]>;
  /**
   * Names of the partitions that queries see, as a column `pg_partition` by which Athena leaves out the files of all others.
   * Default: every file of the table is seen, as soon as it is there, and there is no such column. A partition that is not in
   * this list is missing from every result without a word.
   */
  partitions?: Input<Input<string>[]>;
  /** Description of the table. */
  comment?: Input<string>;
}

/**
 * An external table in the Glue catalog over the folder of a Parquet copy.
 * @throws InputPropertiesError with every column that has no place in Parquet; the export would refuse the same.
 */
export class ArchiveTable extends ComponentResource {
  /** Name of the table in Glue. */
  readonly name: Output<string>;
  readonly database: Output<string>;
  /** `s3://bucket/…/`: the folder of the table. */
  readonly location: Output<string>;

  constructor(name: string, args: ArchiveTableArgs, options?: ComponentResourceOptions) {
    super("pgpartition:aws:ArchiveTable", name, {}, options);
    const { database, set, catalogId, partitions } = args;
    this.location = all([args.archive, set.schema, set.table, set.identity]).apply(
      ([archive, schema, table, identity]) => locationOf(archive as DeclaredArchive, schema, table, identity),
    );
    const columns = all([args.columns, args.archive]).apply(([declared, archive]) =>
      columnsOf(declared, archive as DeclaredArchive),
    );
    const listed = output(partitions).apply((names) => names as string[] | undefined);
    const table = new CatalogTable(
      name,
      {
        catalogId,
        databaseName: database,
        name: output(args.name ?? set.table).apply((text) => text.toLowerCase()),
        description: args.comment,
        tableType: "EXTERNAL_TABLE",
        parameters: all([listed, this.location]).apply(([names, location]) => parametersOf(names, location)),
        partitionKeys: partitions === undefined ? undefined : [{ name: PARTITION_COLUMN, type: "string" }],
        storageDescriptor: {
          location: this.location,
          columns,
          inputFormat: `${HIVE}.MapredParquetInputFormat`,
          outputFormat: `${HIVE}.MapredParquetOutputFormat`,
          serDeInfo: {
            serializationLibrary: `${HIVE}.serde.ParquetHiveSerDe`,
            parameters: { "serialization.format": "1" },
          },
        },
      },
      { parent: this },
    );
    this.name = table.name;
    this.database = table.databaseName;
    this.registerOutputs({ name: this.name, database: this.database, location: this.location });
  }
}
