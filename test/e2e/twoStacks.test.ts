/** Two stacks that declare one table and run at the same moment: both end well, and everything is made once. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import { catalogSnapshot } from "../support/catalog-snapshot";
import { describeOnNewest, type TestDatabase } from "../support/postgres";
import { type CommandResult, TestStack } from "../support/stack";

const program = (asOf: string) => `
new pgp.PartitionedTable("events", {
  columns: [
    { name: "id", type: "bigint", nullable: false },
    { name: "created_at", type: "timestamptz", nullable: false },
  ],
  primaryKey: ["id", "created_at"],
  indexes: [{ name: "events_created_at", columns: ["created_at"] }],
  partitionBy: { range: { column: "created_at", every: "month" } },
  window: { from: "2026-01", ahead: 3 },
  asOf: "${asOf}",
  lifecycle: [{ after: "9 months", tier: "detached" }, { after: "10 months", tier: "dropped" }],
  defaultPartition: true,
}, { provider });
`;

describeOnNewest("two stacks with one table", (server) => {
  let database: TestDatabase;
  let client: Client;
  let stacks: TestStack[] = [];

  before(async () => {
    database = await server().createDatabase();
    client = await database.client();
    const options = { database: database.connection, program: program("2026-09") };
    stacks = await Promise.all([TestStack.create(options), TestStack.create(options)]);
  });
  after(async () => {
    for (const stack of stacks) await stack.remove();
    await database?.drop();
  });

  /** Both at once, with the gate closed until two of their sessions have come to it. */
  const together = async (close: string, atGate: string): Promise<CommandResult[]> => {
    const gate = await database.client("gate");
    await gate.query(close);
    const ups = Promise.all(stacks.map((stack) => stack.up()));
    const seen = new Set<number>();
    const ended = ups.then(() => true);
    while (seen.size < 2 && !(await Promise.race([ended, nothingYet()]))) {
      const { rows } = await client.query<{ pid: number }>(atGate);
      for (const { pid } of rows) seen.add(pid);
    }
    await gate.query("ROLLBACK");
    await gate.end();
    const results = await ups;
    assert.equal(seen.size, 2, `they did not meet:\n${results.map(({ output }) => output).join("\n")}`);
    return results;
  };

  it("create it at the same moment: one makes it, the other one finds it made", async () => {
    // Whoever creates a table of that name has to wait for a transaction that has done so.
    const results = await together(
      "BEGIN; CREATE TABLE events (gate int)",
      `SELECT pid FROM pg_stat_activity WHERE datname = current_database()
       AND application_name = 'pulumi-pgpartition' AND query LIKE 'CREATE TABLE "public"."events" (%'`,
    );
    for (const { code, output } of results) assert.equal(code, 0, output);
    assert.equal(
      (await catalogSnapshot(client, "public")).filter((text) => text.startsWith("relation events")).length,
      14,
    );
  });

  it("move it on at the same moment: one waits for the other, and no statement is sent twice", async () => {
    const rows = "SELECT g, timestamptz '2026-01-01 Z' + g * interval '1 day' FROM generate_series(0, 364) g";
    await client.query(`INSERT INTO events ${rows}`);
    await Promise.all(stacks.map((stack) => stack.setProgram(program("2026-12"))));
    await database.logStatements();
    const results = await together(
      "BEGIN; SELECT FROM events LIMIT 1",
      `SELECT pid FROM pg_stat_activity WHERE datname = current_database()
       AND application_name = 'pulumi-pgpartition' AND query LIKE '%pg_try_advisory_lock%'
       UNION SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted`,
    );
    for (const { code, output } of results) assert.equal(code, 0, output);
    const changing = (await database.statements()).filter((sql) => /^(ALTER TABLE|DROP TABLE)/.test(sql));
    assert.deepEqual(changing.map((sql) => sql.replace(/"public"\.| FOR VALUES.*/g, "")).sort(), [
      'ALTER TABLE "events" ATTACH PARTITION "events_2027_01"',
      'ALTER TABLE "events" ATTACH PARTITION "events_2027_02"',
      'ALTER TABLE "events" ATTACH PARTITION "events_2027_03"',
      'ALTER TABLE "events" DETACH PARTITION "events_2026_01"',
      'ALTER TABLE "events" DETACH PARTITION "events_2026_02"',
      'DROP TABLE "events_2026_01"',
    ]);
    const [first, second] = await Promise.all(
      stacks.map((stack) => stack.run(["preview", "--refresh", "--expect-no-changes"])),
    );
    assert.equal(first?.code, 0, first?.output);
    assert.equal(second?.code, 0, second?.output);
  });
});

function nothingYet(): Promise<false> {
  return new Promise((resolve) => setImmediate(() => resolve(false)));
}
