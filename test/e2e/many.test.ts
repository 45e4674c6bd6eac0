/** More partition sets in one stack than sessions: each needs one at a time, so that none waits for another for ever. */
import assert from "node:assert/strict";
import { type TestDatabase, testMajors, testServer } from "../support/postgres";
import { TestStack } from "../support/stack";

const SETS = 8;

const PROGRAM = `
for (let number = 1; number <= ${SETS}; number++) {
  new pgp.PartitionedTable("t" + number, {
    columns: [{ name: "at", type: "date", nullable: false }],
    partitionBy: { range: { column: "at", every: "month" } },
    window: { from: "2026-11", ahead: 1 },
    asOf: "2026-11",
  }, { provider });
}`;

// Sessions are shared out in the same way whatever PostgreSQL is behind them.
const major = testMajors().at(-1) ?? 18;

describe(`a stack of more sets than sessions (PostgreSQL ${major})`, () => {
  let database: TestDatabase;
  let stack: TestStack;

  before(async () => {
    database = await (await testServer(major)).createDatabase();
    stack = await TestStack.create({ database: { ...database.connection, maxConnections: 1 }, program: PROGRAM });
  });

  after(async () => {
    await stack?.remove();
    await database?.drop();
  });

  it("is made over one session", async () => {
    await database.logStatements();
    await stack.mustUp();
    const client = await database.client();
    const { rows } = await client.query(
      "SELECT inhparent::regclass::text AS parent, count(*)::int AS partitions FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE c.relkind = 'r' GROUP BY 1 ORDER BY 1",
    );
    const numbers = Array.from({ length: SETS }, (_, index) => index + 1);
    assert.deepEqual(
      rows,
      numbers.map((number) => ({ parent: `t${number}`, partitions: 2 })),
    );
    const log = await database.statementLog();
    const sessions = new Set(
      log.filter(({ applicationName }) => applicationName === "pulumi-pgpartition").map(({ pid }) => pid),
    );
    assert.equal(sessions.size, 1);
  });
});
