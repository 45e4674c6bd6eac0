/** A move that PostgreSQL would refuse is left out of the update, which says so once. */
import assert from "node:assert/strict";
import { databaseOf, Subject } from "../../model/subject";
import { describeOnEachPostgres, type TestDatabase } from "../../support/postgres";

const program = (every: string) => ({
  schema: "public",
  table: "events",
  partitionBy: { range: { column: "at", type: "date", every } },
  window: { from: "2026-01", ahead: 0 },
  asOf: "2026-01-10",
});

describeOnEachPostgres("a move of rows that are referenced", (server) => {
  let database: TestDatabase;

  beforeEach(async () => {
    database = await server().createDatabase();
  });

  afterEach(() => database.drop());

  it("is refused in one line, and nothing of it is tried", async () => {
    const client = await database.client();
    await client.query(`CREATE TABLE events (id bigint, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
      CREATE TABLE events_2026_01 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
      CREATE TABLE visits (id bigint, at date, FOREIGN KEY (id, at) REFERENCES events);
      INSERT INTO events VALUES (1, '2026-01-15')`);
    const reached = databaseOf(database.connection);
    try {
      const subject = new Subject(reached);
      const [months, quarters] = ["month", "quarter"].map((every) => subject.check(program(every)));
      assert.ok(months && quarters);
      assert.deepEqual(await subject.up(months), { refused: [], whole: false });
      const { refused } = await subject.up({ ...quarters, asOf: "2026-01-10" });
      assert.equal(refused.length, 1, refused.join("\n"));
      assert.match(refused[0] ?? "", /^partitions\.events_2026_q1 .*reference the rows/);
      assert.deepEqual((await client.query("SELECT id::int, tableoid::regclass::text AS leaf FROM events")).rows, [
        { id: 1, leaf: "events_2026_01" },
      ]);
    } finally {
      await reached.cancel();
    }
  });
});
