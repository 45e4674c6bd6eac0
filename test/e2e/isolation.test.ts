/** One table that cannot be made as declared stops neither the others nor its own partitions, and nothing done is forgotten. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import { describeOnNewest, type TestDatabase } from "../support/postgres";
import { TestStack } from "../support/stack";

const ROLE = "isolation_deployer";

const COLUMNS = `[
  { name: "id", type: "bigint", nullable: false },
  { name: "created_at", type: "timestamptz", nullable: false },
  { name: "tenant", type: "bigint" },
]`;

/** Three months each; what `table` and `set` add makes the difference. */
const PROGRAM = `
const by = { range: { column: "created_at", every: "month", type: "timestamptz" } };
const policy = { partitionBy: by, window: { from: "2026-01", ahead: 0 }, asOf: "2026-03" };
const table = (name, more) =>
  new pgp.PartitionedTable(name, { columns: ${COLUMNS}, ...policy, ...more }, { provider });
const set = (name) => new pgp.PartitionSet(name, { table: name, reorganize: "refuse", ...policy }, { provider });

table("refers", { foreignKeys: [{ columns: ["tenant"], references: { table: "tenants", columns: ["id"] } }] });
table("blocked", {});
set("occupied");
set("others");
table("healthy", {});
table("homeless", { schema: "later" });
`;

const ALL = ["01", "02", "03"];

describeOnNewest("tables of which some cannot be made", (server) => {
  let database: TestDatabase;
  let client: Client;
  let stack: TestStack;

  before(async () => {
    database = await server().createDatabase();
    client = await database.client();
    await client.query(`
      CREATE ROLE ${ROLE} LOGIN PASSWORD 'secret';
      GRANT CREATE ON SCHEMA public TO ${ROLE};
      CREATE TABLE others (id bigint, created_at timestamptz NOT NULL) PARTITION BY RANGE (created_at);
      SET ROLE ${ROLE};
      CREATE TABLE blocked_2026_02 (note text);
      CREATE TABLE occupied (id bigint, created_at timestamptz NOT NULL) PARTITION BY RANGE (created_at);
      CREATE TABLE occupied_default PARTITION OF occupied DEFAULT;
      INSERT INTO occupied VALUES (1, '2026-02-14 Z');
      RESET ROLE;`);
    const connection = { ...database.connection, user: ROLE, password: "secret" };
    stack = await TestStack.create({ database: connection, program: PROGRAM });
  });

  after(async () => {
    await stack?.remove();
    await client?.query(`DROP OWNED BY ${ROLE}; DROP ROLE ${ROLE}`);
    await database?.drop();
  });

  const months = async (table: string): Promise<string[]> => {
    const { rows } = await client.query<{ name: string }>(
      `SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
       WHERE i.inhparent = to_regclass($1) AND c.relname NOT LIKE '%default' ORDER BY 1`,
      [table],
    );
    return rows.map(({ name }) => name.slice(-2));
  };

  const changes = async (): Promise<string[]> => {
    const preview = await stack.preview();
    assert.equal(preview.code, 0, preview.output);
    return preview.steps
      .filter(({ op }) => op !== "same")
      .map(({ op, urn }) => `${op} ${urn.split(/::|\$/).slice(-2).join(" ").replaceAll("pgpartition:index:", "")}`)
      .sort();
  };

  it("are shown in the preview where a schema is missing", async () => {
    const { output } = await stack.run(["preview"]);
    assert.match(output, /schema "later" does not exist \(SQLSTATE 3F000\)\. Create it first: CREATE SCHEMA "later"/);
  });

  it("with --continue-on-error leave no other table and no other partition undone, and each says why", async () => {
    const up = await stack.run(["up", "--yes", "--skip-preview", "--continue-on-error"]);
    assert.notEqual(up.code, 0, up.output);
    assert.deepEqual(await months("healthy"), ALL);
    assert.deepEqual(await months("blocked"), ["01", "03"]);
    assert.deepEqual(await months("occupied"), ["01", "03"]);
    assert.deepEqual(await months("others"), []);
    assert.match(up.output, /relation "public\.tenants" does not exist \(SQLSTATE 42P01\)/);
    assert.match(up.output, /error: The schema "later" does not exist .* Nothing was created/);
    assert.match(up.output, /public\.blocked_2026_02 exists already and is not known as a partition/);
    assert.match(
      up.output,
      /The DEFAULT partition public\.occupied_default holds rows that belong to occupied_2026_02/,
    );
    assert.match(
      up.output,
      /error: public\.others belongs to postgres; isolation_deployer is not a member of that role/,
    );
  });

  it("are all that the next preview shows and the next up makes, once nothing is in their way", async () => {
    await client.query(`
      CREATE TABLE tenants (id bigint PRIMARY KEY);
      ALTER TABLE tenants OWNER TO ${ROLE};
      ALTER TABLE others OWNER TO ${ROLE};
      DELETE FROM occupied_default;
      DROP TABLE blocked_2026_02;
      CREATE SCHEMA later AUTHORIZATION ${ROLE};`);
    assert.deepEqual(await changes(), [
      "create Partition blocked_2026_02",
      ...ALL.map((month) => `create Partition homeless_2026_${month}`),
      "create Partition occupied_2026_02",
      ...ALL.map((month) => `create Partition others_2026_${month}`),
      ...ALL.map((month) => `create Partition refers_2026_${month}`),
      "create PartitionSet homeless",
      "create PartitionSet others",
      "create PartitionSet refers",
      "create Table homeless",
      "create Table refers",
      "update PartitionSet blocked",
      "update PartitionSet occupied",
    ]);
    await stack.mustUp();
    for (const table of ["refers", "blocked", "occupied", "others", "healthy", "later.homeless"]) {
      assert.deepEqual(await months(table), ALL, table);
    }
    const second = await stack.run(["preview", "--expect-no-changes"]);
    assert.equal(second.code, 0, second.output);
  });
});
