/** A set of more partitions than get rows of their own: what changes is what shows. */
import assert from "node:assert/strict";
import { type TestDatabase, testMajors, testServer } from "../support/postgres";
import { TestStack } from "../support/stack";

const PARTITIONS = 300;

const program = (listed = "") => `
new pgp.PartitionedTable("events", {
  columns: [
    { name: "id", type: "bigint", nullable: false },
    { name: "created_at", type: "timestamptz", nullable: false },
  ],
  primaryKey: ["id", "created_at"],
  partitionBy: { range: { column: "created_at", every: "day" } },
  window: { from: "2026-01-01", ahead: ${PARTITIONS - 1} },
  asOf: "2026-01-01",
  ${listed}
}, { provider });`;

const LEAF = "events_2026_03_05";
const DETACHED = `partitions: { ${LEAF}: { from: "2026-03-05", to: "2026-03-06", tier: "detached" } },`;

// What the engine shows does not depend on the server behind it.
const major = testMajors().at(-1) ?? 18;

describe(`a set of ${PARTITIONS} partitions (PostgreSQL ${major})`, () => {
  let database: TestDatabase;
  let stack: TestStack;

  before(async () => {
    database = await (await testServer(major)).createDatabase();
    stack = await TestStack.create({ database: database.connection, program: program() });
    await stack.mustUp();
  });

  after(async () => {
    await stack?.remove();
    await database?.drop();
  });

  /** Lines of the diff that say something of a partition, without its own properties. */
  async function changedLines(): Promise<string[]> {
    const { code, output } = await stack.previewText();
    assert.equal(code, 0, output);
    return output.split("\n").filter((line) => /^\s*[+~-] +events_\d/.test(line));
  }

  it("shows one line for one leaf that the program changes", async () => {
    await stack.setProgram(program(DETACHED));
    const lines = await changedLines();
    assert.equal(lines.length, 1, lines.join("\n"));
    assert.match(lines[0] ?? "", new RegExp(`~ +${LEAF}`));
    const { steps } = await stack.preview();
    const changed = steps.flatMap(({ detailedDiff }) => Object.keys(detailedDiff ?? {}));
    assert.deepEqual(changed, [`partitions.${LEAF}.tier`]);
    await stack.setProgram(program());
  });

  it("shows one line for one leaf that is gone", async () => {
    const client = await database.client();
    await client.query(`DROP TABLE ${LEAF}`);
    assert.equal((await stack.refresh()).code, 0);
    const lines = await changedLines();
    assert.equal(lines.length, 1, lines.join("\n"));
    assert.match(lines[0] ?? "", new RegExp(`\\+ +${LEAF}`));
  });
});
