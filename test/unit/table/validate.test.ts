import assert from "node:assert/strict";
import fc from "fast-check";
import { checkTable } from "../../../topology/table/validate";
import { UNKNOWN } from "../../../topology/unknown";
import { chatMessages, SYSTEM_TABLES } from "../../integration/table/tables";

type Inputs = Record<string, unknown>;

const BASE = {
  name: "events",
  partitionBy: { range: { column: "at" } },
  columns: [
    { name: "id", type: "uuid" },
    { name: "at", type: "timestamptz" },
    { name: "twice", type: "int", generated: { expression: "1", kind: "virtual" } },
  ],
  primaryKey: ["id", "at"],
};

function failures(raw: Inputs): string[] {
  return checkTable(raw).failures.map(({ property, reason }) => `${property}: ${reason}`);
}

/** Exactly one failure, at this path and in these words. */
function assertFails(raw: Inputs, property: string, words: RegExp): void {
  const { table, failures: found } = checkTable(raw);
  assert.deepEqual(
    found.map((failure) => failure.property),
    [property],
    JSON.stringify(found),
  );
  assert.match(found[0]?.reason ?? "", words);
  assert.equal(table, undefined);
}

const column = (more: Inputs) => ({ ...BASE, columns: [...BASE.columns, { name: "x", type: "int", ...more }] });

describe("checking a declared table", () => {
  it("accepts the systems' tables and fills in defaults", () => {
    for (const raw of Object.values(SYSTEM_TABLES)) {
      assert.deepEqual(failures(raw), []);
    }
    const { table } = checkTable(BASE);
    assert.deepEqual(table, {
      schema: "public",
      name: "events",
      partitionBy: { range: { columns: ["at"] } },
      columns: [
        { name: "id", type: "uuid", nullable: false },
        { name: "at", type: "timestamptz", nullable: false },
        { name: "twice", type: "int", nullable: true, generated: { expression: "1", kind: "virtual" } },
      ],
      primaryKey: { columns: ["id", "at"] },
      unique: [],
      checks: [],
      foreignKeys: [],
      indexes: [],
      onDelete: "refuse",
    });
  });

  it("gives its own result again, whatever form the inputs had", () => {
    for (const raw of [BASE, ...Object.values(SYSTEM_TABLES)]) {
      const { checked } = checkTable(raw);
      assert.deepEqual(checkTable(checked), { table: checked, checked, failures: [] });
    }
  });

  it("takes a PartitionSet's partitionBy as it is", () => {
    const policies = [
      {
        range: { column: "at", type: "timestamptz", every: "month", timezone: "UTC", anchor: "2026-01-01", offset: 0 },
      },
      { hash: { columns: ["id", "at"], partitions: 16 } },
    ];
    for (const partitionBy of policies) {
      assert.deepEqual(failures({ ...BASE, partitionBy }), []);
    }
    const list = { list: { column: "region", type: "text", values: { eu: ["de"] } } };
    assert.deepEqual(checkTable({ name: "orders", partitionBy: list }).table?.partitionBy, {
      list: { column: "region" },
    });
  });

  const PARTITION_KEYS: [string, Inputs, string, RegExp][] = [
    ["no strategy", {}, "partitionBy", /exactly one of range, list, hash/],
    ["two strategies", { range: { column: "at" }, hash: { columns: ["at"] } }, "partitionBy", /not range and hash/],
    ["an unknown strategy", { rage: { column: "at" } }, "partitionBy.rage", /did you mean "range"/],
    ["no columns", { range: {} }, "partitionBy.range.columns", /required/],
    ["an empty list", { range: { columns: [] } }, "partitionBy.range.columns", /at least one/],
    ["column and columns", { range: { column: "at", columns: ["at"] } }, "partitionBy.range", /both/],
    ["LIST with columns", { list: { columns: ["id", "at"] } }, "partitionBy.list.columns", /exactly one key column/],
    ["a generated column", { range: { columns: ["at", "twice"] } }, "partitionBy.range.columns[1]", /42P17/],
    ["a column twice", { hash: { columns: ["at", "at"] } }, "partitionBy.hash.columns[1]", /twice/],
    ["no such column", { range: { column: "nowhere" } }, "partitionBy.range.column", /not one of the declared columns/],
    [
      "a policy property misspelt",
      { range: { column: "at", evry: "month" } },
      "partitionBy.range.evry",
      /not a property/,
    ],
  ];
  for (const [title, partitionBy, property, words] of PARTITION_KEYS) {
    it(`refuses a partition key with ${title}`, () => {
      const { primaryKey: _, ...withoutKey } = BASE;
      assertFails({ ...withoutKey, partitionBy }, property, words);
    });
  }

  it("refuses key columns whose type has no order or no hash", () => {
    const keyed = (type: string, strategy: string) => ({
      name: "t",
      partitionBy: { [strategy]: strategy === "list" ? { column: "k" } : { columns: ["k"] } },
      columns: [{ name: "k", type }],
    });
    for (const strategy of ["range", "list", "hash"]) {
      assert.match(failures(keyed("JSON", strategy))[0] ?? "", /has the type JSON/);
      assert.deepEqual(failures(keyed("jsonb", strategy)), []);
    }
    assert.match(failures(keyed("bit varying(3)", "hash"))[0] ?? "", /be hashed/);
    assert.deepEqual(failures(keyed("bit varying(3)", "range")), []);
  });

  it("refuses what is unique without the partition key, and says what to write instead", () => {
    const instead = /partition key column "at"\. .*write \["id", "at"\]/;
    assertFails({ ...BASE, primaryKey: ["id"] }, "primaryKey", instead);
    assertFails({ ...BASE, primaryKey: { name: "k", columns: ["id"] } }, "primaryKey", instead);
    assertFails({ ...BASE, unique: [{ columns: ["id"] }] }, "unique[0].columns", instead);
    const unique = (columns: unknown[]) => ({ ...BASE, indexes: [{ name: "u", columns, unique: true }] });
    assertFails(unique(["id"]), "indexes[0].columns", instead);
    assertFails(unique(["id", { expression: "lower(at)" }]), "indexes[0].columns", instead);
    assert.deepEqual(failures(unique([{ expression: "lower(x)" }, { column: "at", order: "desc" }])), []);
    const hash = { ...BASE, partitionBy: { hash: { columns: ["id", "at"] } }, primaryKey: ["id"] };
    assert.deepEqual(
      checkTable(hash).failures.map(({ property }) => property),
      ["primaryKey"],
    );
  });

  const COLUMNS: [string, Inputs, string, RegExp][] = [
    ["an unknown property", { typo: 1 }, "columns[3].typo", /"type"/],
    ["no type", { type: undefined }, "columns[3].type", /required/],
    ["an empty type", { type: " " }, "columns[3].type", /empty/],
    ["more than a type", { type: "int NOT NULL" }, "columns[3].type", /`nullable`/],
    ["a name over 63 bytes", { name: "名".repeat(22) }, "columns[3].name", /66 bytes/],
    ["an empty name", { name: "" }, "columns[3].name", /empty/],
    ["a name twice", { name: "id" }, "columns[3].name", /another column/],
    ["an identity with a default", { identity: "always", default: "1" }, "columns[3].default", /identity/],
    ["an unknown identity", { identity: "sometimes" }, "columns[3].identity", /"always", "byDefault"/],
    ["an identity of text", { type: "text", identity: "always" }, "columns[3].identity", /smallint, integer or bigint/],
    ["a nullable identity", { identity: "always", nullable: true }, "columns[3].nullable", /never null/],
    [
      "a generated column with a default",
      { generated: { expression: "1" }, default: "1" },
      "columns[3].default",
      /generated/,
    ],
    [
      "a generated identity",
      { generated: { expression: "1" }, identity: "always" },
      "columns[3].identity",
      /generated/,
    ],
    ["a serial with a default", { type: "bigserial", default: "1" }, "columns[3].default", /serial/],
    ["a serial identity", { type: "serial", identity: "always" }, "columns[3].identity", /sequence already/],
    ["a generated serial", { type: "serial", generated: { expression: "1" } }, "columns[3].generated", /serial/],
    [
      "an unknown kind",
      { generated: { expression: "1", kind: "x" } },
      "columns[3].generated.kind",
      /"stored", "virtual"/,
    ],
    ["no expression", { generated: {} }, "columns[3].generated.expression", /required/],
    ["a default that is no text", { default: 1 }, "columns[3].default", /SQL as a text, not number 1/],
    ["nullable of another type", { nullable: "no" }, "columns[3].nullable", /true or false/],
    ["statistics too high", { statistics: 10001 }, "columns[3].statistics", /-1 to 10000/],
    ["a comment that is no text", { comment: 1 }, "columns[3].comment", /text/],
  ];
  for (const [title, more, property, words] of COLUMNS) {
    it(`refuses a column with ${title}`, () => assertFails(column(more), property, words));
  }

  const REST: [string, Inputs, string, RegExp][] = [
    ["an unknown property", { colums: [] }, "colums", /"columns"/],
    ["no name", { name: undefined }, "name", /required/],
    ["a schema that is no text", { schema: 1 }, "schema", /text/],
    ["columns that are no list", { columns: {}, primaryKey: undefined }, "columns", /list/],
    ["no columns at all", { columns: [], primaryKey: undefined }, "columns", /at least one/],
    ["an unknown column in the primary key", { primaryKey: ["id", "at", "no"] }, "primaryKey[2]", /not one of/],
    ["a column twice in the primary key", { primaryKey: ["id", "at", "id"] }, "primaryKey[2]", /twice/],
    ["a column twice in a constraint", { unique: [{ columns: ["at", "at"] }] }, "unique[0].columns[1]", /twice/],
    ["a virtual column in a constraint", { unique: [{ columns: ["at", "twice"] }] }, "unique[0].columns[1]", /stored/],
    ["an unbalanced check", { checks: [{ name: "c", expression: "(a" }] }, "checks[0].expression", /lacks/],
    [
      "a name twice",
      { checks: [{ name: "c", expression: "a" }], unique: [{ name: "c", columns: ["at"] }] },
      "checks[0].name",
      /another constraint or index/,
    ],
    ["an index named as the table", { indexes: [{ name: "events", columns: ["at"] }] }, "indexes[0].name", /the table/],
    ["an index without name", { indexes: [{ columns: ["at"] }] }, "indexes[0].name", /required/],
    ["an index on nothing", { indexes: [{ name: "i", columns: [] }] }, "indexes[0].columns", /at least one/],
    [
      "an index on no column",
      { indexes: [{ name: "i", columns: ["id", "no"] }] },
      "indexes[0].columns[1]",
      /not one of/,
    ],
    [
      "an index key of both kinds",
      { indexes: [{ name: "i", columns: [{ column: "at", expression: "at" }] }] },
      "indexes[0].columns[0]",
      /exactly one/,
    ],
    [
      "an index key in no order",
      { indexes: [{ name: "i", columns: [{ column: "at", order: "up" }] }] },
      "indexes[0].columns[0].order",
      /"asc", "desc"/,
    ],
    [
      "a unique index that is no btree",
      { indexes: [{ name: "i", columns: ["at"], unique: true, method: "gin" }] },
      "indexes[0].method",
      /btree/,
    ],
    [
      "an included column that is not there",
      { indexes: [{ name: "i", columns: ["at"], include: ["no"] }] },
      "indexes[0].include[0]",
      /not one of/,
    ],
    ["a foreign key to nothing", { foreignKeys: [{ columns: ["id"] }] }, "foreignKeys[0].references", /required/],
    [
      "a foreign key of other length",
      { foreignKeys: [{ columns: ["id"], references: { table: "t", columns: ["a", "b"] } }] },
      "foreignKeys[0].references.columns",
      /has 2 columns, the foreign key has 1/,
    ],
    [
      "a foreign key with an unknown action",
      { foreignKeys: [{ columns: ["id"], references: { table: "t" }, onDelete: "explode" }] },
      "foreignKeys[0].onDelete",
      /"set null"/,
    ],
    [
      "a foreign key of an unknown column",
      { foreignKeys: [{ columns: ["no"], references: { table: "t" } }] },
      "foreignKeys[0].columns[0]",
      /not one of/,
    ],
    ["an unknown onDelete", { onDelete: "cascade" }, "onDelete", /"refuse", "drop"/],
    ["null characters", { comment: "a\0" }, "comment", /NUL/],
  ];
  for (const [title, more, property, words] of REST) {
    it(`refuses a table with ${title}`, () => assertFails({ ...BASE, ...more }, property, words));
  }

  it("refuses constraints of a table whose columns are somebody else's", () => {
    const { columns: _, ...adopted } = BASE;
    assertFails(adopted, "primaryKey", /without `columns`/);
    assertFails({ ...adopted, primaryKey: undefined, indexes: [{ name: "i", columns: ["a"] }] }, "indexes", /without/);
    assert.deepEqual(failures({ ...adopted, primaryKey: undefined, comment: "mine", owner: "me" }), []);
  });

  it("a nullable column of the primary key is refused only when that was written", () => {
    const [id, ...rest] = BASE.columns;
    assertFails({ ...BASE, columns: [{ ...id, nullable: true }, ...rest] }, "columns[0].nullable", /never null/);
  });

  it("reports all failures at once", () => {
    const many = { ...BASE, name: "", primaryKey: ["id"], onDelete: 1, columns: [...BASE.columns, { name: "id" }] };
    const paths = checkTable(many).failures.map(({ property }) => property);
    assert.deepEqual(paths.sort(), ["columns[3].name", "columns[3].type", "name", "onDelete", "primaryKey"]);
  });

  it("keeps what is not known yet, checks the rest, and declares nothing", () => {
    const unknowns: Inputs[] = [
      { ...BASE, schema: UNKNOWN },
      { ...BASE, columns: UNKNOWN },
      { ...BASE, columns: [...BASE.columns, UNKNOWN] },
      { ...BASE, columns: [...BASE.columns, { name: UNKNOWN, type: UNKNOWN, default: UNKNOWN, nullable: UNKNOWN }] },
      { ...BASE, partitionBy: UNKNOWN },
      { ...BASE, partitionBy: { range: { column: UNKNOWN } } },
      { ...BASE, primaryKey: UNKNOWN },
      { ...BASE, primaryKey: ["id", UNKNOWN] },
      { ...BASE, indexes: [UNKNOWN, { name: "i", columns: ["at", UNKNOWN], unique: true }] },
      { ...BASE, foreignKeys: [{ columns: UNKNOWN, references: UNKNOWN }] },
    ];
    for (const raw of unknowns) {
      const { table, checked, failures: found } = checkTable(raw);
      assert.deepEqual(found, []);
      assert.equal(table, undefined);
      assert.deepEqual(checkTable(checked).checked, checked);
      assert.deepEqual(failures({ ...raw, onDelete: "x" }).length, 1);
    }
  });

  it("never throws, whatever it is given", () => {
    const paths = fc.constantFrom(...Object.keys(chatMessages), "unique", "owner");
    fc.assert(
      fc.property(paths, fc.anything(), (property, value) => {
        const { failures: found, table } = checkTable({ ...chatMessages, [property]: value });
        assert.equal(found.length > 0 || table !== undefined, true);
      }),
    );
  });
});
