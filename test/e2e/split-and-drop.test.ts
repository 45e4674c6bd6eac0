/** A year of which the policy keeps only a part: split first, and only what it gives up leaves, in one update. */
import assert from "node:assert/strict";
import { partitionsOf } from "../support/partitions";
import { describeOnOldestAndNewest, type TestDatabase } from "../support/postgres";
import { TestStack } from "../support/stack";

const program = (every: string, more: string) => `
new pgp.PartitionedTable("events", {
  columns: [{ name: "id", type: "bigint" }, { name: "at", type: "date" }], primaryKey: ["id", "at"],
  partitionBy: { range: { column: "at", every: "${every}" } }, asOf: "2024-07", ${more} }, { provider });
`;

describeOnOldestAndNewest("a year of which a part is given up", (server) => {
  let database: TestDatabase;
  let stack: TestStack;

  before(async () => {
    database = await server().createDatabase();
    stack = await TestStack.create({
      database: database.connection,
      program: program("year", 'window: { from: "2024-01", ahead: 0 }'),
    });
    await stack.mustUp();
  });

  after(async () => {
    await stack?.remove();
    await database?.drop();
  });

  it("is split, and what is older than the policy keeps leaves in the same update, as the preview says", async () => {
    const client = await database.client();
    await client.query("INSERT INTO events SELECT g, date '2024-01-01' + g FROM generate_series(0, 365) g");
    const lifecycle = 'lifecycle: [{ after: "2 months", tier: "detached" }, { after: "4 months", tier: "dropped" }]';
    await stack.setProgram(program("month", `window: { from: "2024-01", ahead: 5 }, ${lifecycle}`));
    const { code, output } = await stack.previewText();
    assert.equal(code, 0, output);
    assert.match(output, /drop pgpartition_retired_\d+_0 +\(older than the policy keeps \(before 2024-03-01\)\)/);
    assert.match(output, /detach events_2024_04 .*\(after 2 months: detached\)/);
    await stack.mustUp();
    assert.deepEqual(
      Object.keys(await partitionsOf(client, "events")),
      [5, 6, 7, 8, 9, 10, 11, 12].map((month) => `events_2024_${String(month).padStart(2, "0")}`),
    );
    const count = async (what: string) =>
      (await client.query(`SELECT count(*)::int AS rows FROM ${what}`)).rows[0].rows;
    assert.equal(await count("events"), 245);
    assert.equal(await count("events_2024_03"), 31);
    assert.equal(await count("events_2024_04"), 30);
    assert.equal(await count("pg_class WHERE relname LIKE 'pgpartition%' OR relname = 'events_2024'"), 0);
    const second = await stack.run(["preview", "--expect-no-changes"]);
    assert.equal(second.code, 0, second.output);
  });
});
