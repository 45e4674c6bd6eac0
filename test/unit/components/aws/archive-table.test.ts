/** What an ArchiveTable asks of Glue, by Pulumi's mocks: there is no AWS here. */
import assert from "node:assert/strict";
import { InputPropertiesError, type Output, runtime } from "@pulumi/pulumi";
import { ArchiveTable, type ArchiveTableArgs } from "../../../../components/aws";
import { columnsOf, type DeclaredArchive, locationOf } from "../../../../components/aws/glue";
import type { Identity } from "../../../../resources";

describe("an ArchiveTable (mocked AWS)", () => {
  let made: { type: string; inputs: Record<string, unknown> }[];

  before(async () => {
    await runtime.setMocks({
      newResource({ type, name, inputs }) {
        made.push({ type, inputs });
        return { id: `${name}-id`, state: inputs };
      },
      call: ({ inputs }) => inputs,
    });
  });
  beforeEach(() => {
    made = [];
  });

  const value = <T>(of: Output<T>) => new Promise<T>((resolve) => void of.apply(resolve));

  const ARGS: ArchiveTableArgs = {
    database: "history",
    set: {
      schema: "public",
      table: "Events",
      identity: { systemIdentifier: "7123", database: "app", parentOid: 16_400 },
    },
    archive: {
      store: "s3://archive-1a2b/app?region=eu-central-1",
      parquet: { columns: { tags: "string", photo: "omit" } },
    },
    columns: [
      { name: "id", type: "bigint" },
      { name: "createdAt", type: "timestamptz", comment: "when it happened" },
      { name: "amount", type: "numeric(12,2)" },
      { name: "tags", type: "text[]" },
      { name: "photo", type: "bytea" },
      { name: "total", type: "numeric", generated: { expression: "amount * 2" } },
    ],
  };

  async function make(more: Partial<ArchiveTableArgs> = {}) {
    const component = new ArchiveTable("events", { ...ARGS, ...more });
    const location = await value(component.location);
    await new Promise((resolve) => setImmediate(resolve));
    await runtime.disconnect();
    const table = made.find(({ type }) => type === "aws:glue/catalogTable:CatalogTable")?.inputs;
    return { location, table };
  }

  const LOCATION = "s3://archive-1a2b/app/parquet/7123/app/public/Events/";

  it("is over the folder of the table, with the types that Athena has for its columns", async () => {
    const { table, location } = await make();
    assert.equal(location, LOCATION);
    assert.equal(table?.name, "events");
    assert.equal(table?.databaseName, "history");
    assert.equal(table?.tableType, "EXTERNAL_TABLE");
    assert.equal(table?.partitionKeys, undefined);
    assert.deepEqual(table?.parameters, { classification: "parquet" });
    const descriptor = table?.storageDescriptor as Record<string, unknown>;
    assert.equal(descriptor.location, LOCATION);
    assert.deepEqual(descriptor.columns, [
      { name: "id", type: "bigint" },
      { name: "createdat", type: "timestamp", comment: "when it happened" },
      { name: "amount", type: "decimal(12,2)" },
      { name: "tags", type: "string" },
    ]);
    assert.match(JSON.stringify(descriptor.serDeInfo), /ParquetHiveSerDe/);
  });

  it("tells Athena which partitions there are when they are listed", async () => {
    const { table } = await make({ partitions: ["events_2024_01", "a,b"] });
    assert.deepEqual(table?.partitionKeys, [{ name: "pg_partition", type: "string" }]);
    assert.deepEqual(table?.parameters, {
      classification: "parquet",
      "projection.enabled": "true",
      "projection.pg_partition.type": "enum",
      "projection.pg_partition.values": "events_2024_01,a%2Cb",
      "storage.location.template": `${LOCATION}pg_partition=\${pg_partition}/`,
    });
  });

  it("is where the copy has a store of its own", async () => {
    const archive = { store: "file:///var/archive", parquet: { store: "s3://queries?region=eu-central-1" } };
    const { location } = await make({ archive, columns: [{ name: "id", type: "bigint" }] });
    assert.equal(location, "s3://queries/parquet/7123/app/public/Events/");
  });

  it("is refused with what Athena could not read", () => {
    const { identity } = ARGS.set as { identity: Identity };
    const at = (archive: DeclaredArchive, of: Identity | undefined = identity) =>
      locationOf(archive, "public", "t", of);
    assert.throws(() => at({ store: "s3://archive" }), /declares no Parquet copy/);
    assert.throws(() => at({ store: "file:///var/archive", parquet: {} }), /reads from S3 only/);
    assert.throws(() => locationOf({ store: "s3://archive", parquet: {} }, "public", "t", undefined), /no identity/);
    const columns = [
      { name: "amount", type: "numeric" },
      { name: "tags", type: "text[]" },
    ];
    assert.throws(
      () => columnsOf(columns, { store: "s3://archive", parquet: {} }),
      (error) => InputPropertiesError.isInstance(error) && error.errors?.length === 2,
    );
  });
});
