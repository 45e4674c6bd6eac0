/** Constraints that the program leaves out, through the engine: shown with their locks, dropped as shown, and no others. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import { describeOnNewest, type TestDatabase } from "../support/postgres";
import { TestStack } from "../support/stack";

const DECLARED = `
  checks: [{ name: "positive", expression: "amount > 0" }],
  unique: [{ name: "one", columns: ["id", "k"] }],
  foreignKeys: [{ name: "to_account", columns: ["account"], references: { table: "account", columns: ["id"] } }],`;

const program = (constraints: string) => `
new pgp.PartitionedTable("entry", {
  columns: [
    { name: "id", type: "bigint", nullable: false },
    { name: "k", type: "int", nullable: false },
    { name: "amount", type: "int" },
    { name: "account", type: "int" },
  ],
  partitionBy: { range: { column: "k" } },
  partitions: { low: { from: 0, to: 10 }, high: { from: 10, to: 20 } },${constraints}
}, { provider });`;

const DROPPED = /ALTER TABLE "public"\."entry" DROP CONSTRAINT "(\w+)"/g;

describeOnNewest("constraints that the program leaves out", (server) => {
  let database: TestDatabase;
  let client: Client;
  let stack: TestStack;

  before(async () => {
    database = await server().createDatabase();
    client = await database.client();
    await client.query("CREATE TABLE account (id int PRIMARY KEY); INSERT INTO account VALUES (1)");
    stack = await TestStack.create({ database: database.connection, program: program(DECLARED) });
    await stack.mustUp();
    await client.query("INSERT INTO entry VALUES (1, 1, 1, 1), (2, 11, 1, 1)");
  });
  after(async () => {
    await stack?.remove();
    await database?.drop();
  });

  /** With the tables that have them. */
  const constraints = async () => {
    const { rows } = await client.query<{ line: string }>(`
      SELECT conname || ' on ' || conrelid::regclass AS line FROM pg_constraint
      WHERE connamespace = 'public'::regnamespace AND contype IN ('c', 'u', 'f') AND conparentid = 0 AND coninhcount = 0 ORDER BY 1`);
    return rows.map(({ line }) => line);
  };

  async function noChanges(): Promise<void> {
    const { code, output } = await stack.run(["preview", "--refresh", "--expect-no-changes"]);
    assert.equal(code, 0, output);
  }

  it("are dropped as the preview shows, with the locks; what was never declared is shown and stays", async () => {
    await client.query("ALTER TABLE entry ADD CONSTRAINT by_hand CHECK (amount > -5)");
    await stack.setProgram(program(""));
    const { diagnostics, output } = await stack.preview();
    const text = diagnostics.map(({ message }) => message).join("\n");
    const shown = [...text.matchAll(DROPPED)].map(([, name]) => name).sort();
    assert.deepEqual(shown, ["one", "positive", "to_account"], output);
    for (const table of ["entry", "low", "high", "account"])
      assert.match(text, new RegExp(`lock: ACCESS EXCLUSIVE on "public"\\."${table}", short: blocks reads and writes`));
    assert.match(text, /The check "by_hand" .* is not declared; it is left alone/);
    assert.equal((await constraints()).length, 4, "a preview changes nothing");
    await database.logStatements();
    await stack.mustUp();
    const log = (await database.statementLog()).map(({ sql }) => sql).join("\n");
    assert.deepEqual([...log.matchAll(DROPPED)].map(([, name]) => name).sort(), shown);
    assert.deepEqual(await constraints(), ["by_hand on entry"]);
  });

  it("leave nothing to do, and are made again when the program has them again", async () => {
    await noChanges();
    await stack.setProgram(program(DECLARED));
    await stack.mustUp();
    assert.deepEqual(await constraints(), [
      "by_hand on entry",
      "one on entry",
      "positive on entry",
      "to_account on entry",
    ]);
    await noChanges();
  });
});
