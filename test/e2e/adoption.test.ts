/** Tables that were there first: adopted by declaring them, or by import. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Client } from "pg";
import { partitionsOf } from "../support/partitions";
import { describeOnEachPostgres, type TestDatabase } from "../support/postgres";
import { type CommandResult, type Preview, TestStack } from "../support/stack";

const january = "FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')";
const february = "FOR VALUES FROM ('2026-02-01') TO ('2026-03-01')";
const parent = (name: string, more = "") =>
  `CREATE TABLE ${name} (id bigint NOT NULL, at date NOT NULL, note text${more}, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);`;

/** What stands in the database before the stack is heard of. */
const BY_HAND = `
  ${parent("equal")}
  CREATE INDEX equal_note ON equal (note);
  CREATE TABLE equal_2026_01 PARTITION OF equal ${january};
  CREATE TABLE equal_2026_02 PARTITION OF equal ${february};
  CREATE TABLE equal_default PARTITION OF equal DEFAULT;

  CREATE TABLE unequal (id integer NOT NULL, at date NOT NULL, extra text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
  CREATE TABLE unequal_2026_01 PARTITION OF unequal ${january};
  CREATE TABLE unequal_february PARTITION OF unequal ${february};

  ${parent("partman")}
  CREATE TABLE partman_p2026_01 PARTITION OF partman ${january};
  CREATE TABLE partman_p2026_02 PARTITION OF partman ${february};
  CREATE TABLE partman_default PARTITION OF partman DEFAULT;

  ${parent("named")}
  CREATE TABLE named_first PARTITION OF named ${january};
  CREATE TABLE named_second PARTITION OF named ${february};

  CREATE TABLE strange_2026_01 (LIKE equal INCLUDING ALL);
  CREATE TABLE strange_2026_02 (id bigint NOT NULL, at date NOT NULL);
  INSERT INTO strange_2026_01 SELECT g, '2026-01-05' FROM generate_series(1, 5) g;
  INSERT INTO strange_2026_02 VALUES (1, '2026-02-05');

  ${parent("imported")}
  CREATE TABLE imported_2026_01 PARTITION OF imported ${january};
  CREATE TABLE imported_rest PARTITION OF imported DEFAULT;

  ${parent("optioned")}
  CREATE TABLE optioned_2026_01 PARTITION OF optioned ${january};
  CREATE TABLE optioned_2026_02 PARTITION OF optioned ${february};

  INSERT INTO equal VALUES (1, '2026-01-05'); INSERT INTO unequal VALUES (1, '2026-01-05');
  INSERT INTO partman VALUES (1, '2026-01-05'); INSERT INTO named VALUES (1, '2026-01-05');
  INSERT INTO imported VALUES (1, '2026-01-05'); INSERT INTO optioned VALUES (1, '2026-01-05');`;

const program = (database: string, more = "") => `
const columns = [
  { name: "id", type: "bigint" },
  { name: "at", type: "date" },
  { name: "note", type: "text" },
];
const partitionBy = { range: { column: "at", type: "date", every: "month" } };
const months = { partitionBy, window: { from: "2026-01", ahead: 1 }, asOf: "2026-01" };
const table = (name, args) =>
  new pgp.PartitionedTable(name, { ...months, columns, primaryKey: ["id", "at"], ...args }, { provider });
table("equal", { indexes: [{ name: "equal_note", columns: ["note"] }], defaultPartition: true });
table("partman", { naming: "pg_partman4", defaultPartition: true });
table("named", { partitions: {
  named_first: { from: "2026-01-01", to: "2026-02-01" },
  named_second: { from: "2026-02-01", to: "2026-03-01" },
} });
new pgp.Table("columned", { name: "optioned", partitionBy, columns, primaryKey: ["id", "at"] },
  { provider, import: "${database}/public.optioned" });
new pgp.PartitionSet("optioned", { table: "optioned", ...months }, { provider, import: "${database}/public.optioned" });
${more}
`;

const UNLIKE = `
table("unequal", { indexes: [{ name: "unequal_note", columns: ["note"] }] });
table("strange", { adopt: ["strange_2026_01", "strange_2026_02"] });
`;

/** What was imported, as the import recorded it; and a parent with its columns declared. */
const IMPORTED = `
new pgp.PartitionSet("imported", {
  table: "imported",
  partitionBy: { range: { column: "at", type: "date" } },
  partitions: { imported_2026_01: { from: "2026-01-01", to: "2026-02-01" }, imported_rest: { default: true } },
}, { protect: true });
new pgp.Table("imported", { name: "imported", partitionBy }, { provider, protect: true });
`;

/** Everything about relations that a statement could have changed. */
const FINGERPRINT = `
  SELECT md5(string_agg(concat(c.oid, c.xmin, c.relname, c.relfilenode, c.relpartbound, i.inhparent), ',' ORDER BY c.oid))
  FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
  WHERE c.relnamespace = 'public'::regnamespace AND c.relname ~ '^(equal|partman|named|optioned|imported)'`;

describeOnEachPostgres("tables that were there first", (server) => {
  let database: TestDatabase;
  let stack: TestStack;
  let client: Client;
  let preview: Preview;
  let up: CommandResult;
  let fingerprints: unknown[];

  const fingerprint = async () => (await client.query(FINGERPRINT)).rows[0]?.md5;

  before(async () => {
    database = await server().createDatabase();
    client = await database.client();
    await client.query(BY_HAND);
    await client.query("ANALYZE");
    const name = database.connection.database;
    stack = await TestStack.create({ database: database.connection, program: program(name, UNLIKE) });
    fingerprints = [await fingerprint()];
    preview = await stack.preview();
    await database.logStatements();
    up = await stack.run(["up", "--yes", "--skip-preview", "--continue-on-error"]);
    fingerprints.push(await fingerprint());
  });

  after(async () => {
    await stack?.remove();
    await database?.drop();
  });

  const saidOf = (table: string): string =>
    preview.diagnostics
      .filter(({ urn }) => urn?.endsWith(`::${table}`))
      .map(({ message }) => message)
      .join("\n");

  it("are adopted without being touched when they are as declared, and the preview says so", async () => {
    assert.equal(fingerprints[0], fingerprints[1]);
    for (const table of ["equal", "partman", "named"]) {
      assert.match(saidOf(table), /exists already and is as declared: it is adopted without being touched/);
      assert.match(up.output, new RegExp(`PartitionSet ${table} created`));
    }
    const sent = await database.statements();
    assert.ok(sent.length > 0);
    const changing = sent.filter((sql) =>
      /^\s*(?:CREATE|ALTER|DROP|TRUNCATE|COMMENT|GRANT|INSERT|UPDATE|DELETE)\b/i.test(sql),
    );
    // Comparisons are made with a temporary table, in a transaction that is rolled back.
    const elsewhere = changing.filter((sql) => !sql.includes("pg_temp") && !/"(?:strange|unequal)/.test(sql));
    assert.deepEqual(elsewhere, []);
  });

  it("show every difference by its property when they are not as declared", () => {
    const said = saidOf("unequal");
    assert.match(said, /exists already and is adopted; these are its differences/);
    assert.match(said, /columns\[0\]\.type: The type of "id" is integer, declared is bigint/);
    assert.match(said, /columns\[2\]: The table has no column "note"/);
    assert.match(said, /columns: The column "extra" is not declared; it is left alone/);
    assert.match(said, /indexes\[0\]: The table has no index "unequal_note"/);
    assert.match(said, /partitions\.unequal_2026_02 .* is held by public\.unequal_february, not by unequal_2026_02/);
    assert.match(up.output, /The type of "id" is integer, declared is bigint/);
  });

  it("that have a planned name are attached when adopt names them and they fit, else refused with what does not fit", async () => {
    assert.deepEqual(Object.keys(await partitionsOf(client, "strange")), ["strange_2026_01"]);
    const { rows } = await client.query("SELECT count(*)::int AS rows FROM strange");
    assert.equal(rows[0].rows, 5);
    assert.match(up.output, /strange_2026_02 exists already .*about 1 rows.*it does not fit: column note is missing/);
  });

  it("are imported by id with the CLI's default provider or a named one, and with the import option of a policy", async () => {
    const { host, port, user, password, database: name } = database.connection;
    const config = Object.entries({ host, port, username: user, database: name });
    const pairs = config.flatMap(([key, value]) => ["--plaintext", `pgpartition:${key}=${value}`]);
    // As a pair: by itself a password that begins with a hyphen is taken for a flag.
    await stack.mustRun(["config", "set-all", "--secret", `pgpartition:password=${password}`, ...pairs]);
    const file = join(stack.directory, "import.json");
    const id = `${name}/public.imported`;
    const named = { db: "urn:pulumi:test::e2e::pulumi:providers:pgpartition::db" };
    const resources = [
      { type: "pgpartition:index:PartitionSet", name: "imported", id },
      { type: "pgpartition:index:Table", name: "imported", id, provider: "db" },
    ];
    await writeFile(file, JSON.stringify({ nameTable: named, resources }));
    // The language host of this test writes no code; the inputs are those that the import records.
    await stack.mustRun(["import", "--file", file, "--yes", "--skip-preview", "--generate-code=false"]);

    await stack.setProgram(program(name, `${UNLIKE}${IMPORTED}`));
    preview = await stack.preview();
    assert.equal(preview.code, 0, preview.output);
    const changed = preview.steps.filter(({ op }) => op !== "same").map(({ urn }) => urn.split("::").at(-1) ?? "");
    assert.deepEqual(
      changed.filter((resource) => !/^(?:unequal|strange)/.test(resource)),
      [],
    );
    assert.match(up.output, /public\.optioned was imported\. Whether its columns/);
    assert.equal(await fingerprint(), fingerprints[0]);
  });
});
