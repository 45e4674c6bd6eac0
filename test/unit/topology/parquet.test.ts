/** Which columns a Parquet copy has, by what a program or the catalog calls their types. */
import assert from "node:assert/strict";
import { glueType, parquetColumns, parquetFolder, parquetPrefix, requireMapping } from "../../../topology/parquet";

describe("columns of a Parquet copy", () => {
  const glue = (type: string, mapping?: string) => {
    const { columns, problems } = parquetColumns([{ name: "c", type }], mapping === undefined ? {} : { c: mapping });
    return columns[0] === undefined ? `refused: ${problems[0]?.reason}` : glueType(columns[0]);
  };

  it("are stored by their type, however it is written", () => {
    const types: [string, string][] = [
      ["bigint", "bigint"],
      ["int8", "bigint"],
      ["INT", "int"],
      ["smallint", "smallint"],
      ["varchar(20)", "string"],
      ["character varying(20)", "string"],
      ["char(3)", "string"],
      ["numeric(12, 2)", "decimal(12,2)"],
      ["decimal(12,2)", "decimal(12,2)"],
      ["numeric(5)", "decimal(5,0)"],
      ["numeric(2,5)", "decimal(5,5)"],
      ["timestamptz", "timestamp"],
      ["timestamptz(3)", "timestamp"],
      ["timestamp(3) with time zone", "timestamp"],
      ["timestamp without time zone", "timestamp"],
      ["public.citext", "string"],
      ["jsonb", "string"],
      ["float8", "double"],
    ];
    for (const [type, wanted] of types) assert.equal(glue(type), wanted, type);
  });

  it("are refused when no reader would give them back as they are", () => {
    for (const type of [
      "numeric",
      "numeric(39)",
      "numeric(3,-2)",
      "interval",
      "text[]",
      "numrange",
      "public.date",
      'own."text"',
    ])
      assert.match(glue(type), /^refused: .*"string"/, type);
  });

  it("are stored as declared", () => {
    assert.equal(glue("numeric", "decimal(38,10)"), "decimal(38,10)");
    assert.equal(glue("interval", "string"), "string");
    assert.match(glue("bigint", "decimal(20,0)"), /only numeric/);
    assert.deepEqual(
      parquetColumns([{ name: "c", type: "text" }], { c: "omit" }).problems.map(({ column }) => column),
      ["*"],
    );
    for (const wrong of ["text", "decimal(39,0)", "decimal(5,6)", "decimal(0,0)", "decimal(5)"])
      assert.throws(() => requireMapping(wrong), /must be|digits/, wrong);
  });

  it("are in folders whose names any reader takes apart again", () => {
    const origin = { systemIdentifier: "7", database: "a/b", schema: "public", table: "my events" };
    assert.equal(
      parquetPrefix(origin) + parquetFolder("p=1.x"),
      "parquet/7/a%2Fb/public/my%20events/pg_partition=p%3D1%2Ex/",
    );
  });
});
