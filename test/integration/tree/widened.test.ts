/** A large partition that gets a wider bound is looked through before it leaves, not while its table is locked. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import type { Sessions } from "../../../postgres/connection";
import { renderStep } from "../../../postgres/statements";
import type { PartitionBound } from "../../../topology/model";
import { describeOnEachPostgres, type TestDatabase } from "../../support/postgres";
import { range, readParentOf, sessionsOn, step } from "../postgres/support";
import { SetUnderTest } from "./support";

/** Keys, the bound that the partition has, and the wider one. */
const CASES: Record<string, { type: string; by: string; old: string; rows: string; wide: PartitionBound }> = {
  numbers: { type: "int", by: "RANGE (k)", old: "FROM (0) TO (10)", rows: "0, 9", wide: range("0", "20") },
  "open ends": { type: "int", by: "RANGE (k)", old: "FROM (0) TO (10)", rows: "0, 9", wide: range("MINVALUE", "20") },
  instants: {
    type: "timestamptz",
    by: "RANGE (k)",
    old: "FROM ('2026-01-01Z') TO ('2026-02-01Z')",
    rows: "timestamptz '2026-01-05Z'",
    wide: range("2026-01-01 00:00:00+00", "2026-03-01 00:00:00+00"),
  },
  texts: { type: "text", by: "LIST (k)", old: "IN ('a')", rows: "'a'", wide: { values: ["a", "b"] } },
  "texts and NULL": { type: "text", by: "LIST (k)", old: "IN ('a')", rows: "'a'", wide: { values: ["a", null] } },
};

describeOnEachPostgres("a wider bound for a large partition", (server) => {
  let database: TestDatabase;
  let client: Client;
  let sessions: Sessions;

  before(async () => {
    database = await server().createDatabase();
    client = await database.client();
    sessions = sessionsOn(database.connection);
  });
  after(async () => {
    await sessions.close();
    await database.drop();
  });
  beforeEach(() => client.query("DROP SCHEMA IF EXISTS s CASCADE; CREATE SCHEMA s"));

  const checks = async (): Promise<string[]> =>
    (await client.query<{ name: string }>("SELECT conname::text AS name FROM pg_constraint WHERE contype = 'c'")).rows
      .map(({ name }) => name)
      .filter((name) => name.startsWith("pgpartition"));

  for (const [what, { type, by, old, rows, wide }] of Object.entries(CASES))
    it(`of ${what}: the CHECK is what PostgreSQL takes for a proof`, async () => {
      const values = rows.split(", ").map((one) => `(${one})`);
      await client.query(`CREATE TABLE s.p (k ${type}, note text) PARTITION BY ${by}`);
      await client.query(`CREATE TABLE s.c PARTITION OF s.p FOR VALUES ${old}`);
      await client.query(`INSERT INTO s.p VALUES ${values.join(", ")}`);
      const { rows: found } = await client.query<{ oid: number }>("SELECT 's.c'::regclass::oid AS oid");
      const statements = renderStep(
        step("detachAttach", "c", { bound: wide, oid: Number(found[0]?.oid), widens: true }),
        await readParentOf(sessions),
      );
      const notices: string[] = [];
      client.on("notice", ({ message = "" }) => notices.push(message));
      await client.query("SET client_min_messages = debug1");
      for (const { sql, alone } of statements.filter((one) => one.alone)) if (alone) await client.query(sql);
      await client.query("BEGIN");
      for (const { sql } of statements.filter((one) => !one.alone)) await client.query(sql);
      await client.query("COMMIT; RESET client_min_messages");
      client.removeAllListeners("notice");
      assert.match(notices.join("\n"), /partition constraint for table "c" is implied by existing constraints/);
      assert.deepEqual(await checks(), []);
      const { rows: counted } = await client.query("SELECT count(*)::int AS n FROM s.p");
      assert.deepEqual(counted, [{ n: values.length }]);
    });

  const declared = (to: number, more: object = {}) => ({
    schema: "s",
    table: "p",
    partitionBy: { range: { column: "k", type: "integer" } },
    partitions: { c: { from: 0, to, ...more } },
  });

  it("is proven first, whatever an interrupted run has left; a smaller one is only attached", async () => {
    await client.query("CREATE TABLE s.p (k int PRIMARY KEY, pad text) PARTITION BY RANGE (k)");
    const set = new SetUnderTest(sessions);
    await set.settle(declared(20_000));
    await client.query("INSERT INTO s.p SELECT n, repeat('x', 1000) FROM generate_series(1, 12000) n; ANALYZE s.p");
    const { steps } = await set.preview(declared(40_000));
    assert.deepEqual(
      steps.map(({ id, widens }) => [id, widens]),
      [["rebound:c", true]],
    );
    await client.query("ALTER TABLE s.c ADD CONSTRAINT pgpartition_bound CHECK (k IS NOT NULL AND k < 30000)");
    assert.deepEqual(await set.settle(declared(40_000)), ["rebound:c"]);
    assert.deepEqual(await checks(), []);
    // A run was interrupted, and something else is declared since.
    await client.query(
      "ALTER TABLE s.c ADD CONSTRAINT pgpartition_bound CHECK (k IS NOT NULL AND k >= 0 AND k < 50000)",
    );
    assert.deepEqual(await set.settle(declared(30_000)), ["rebound:c"]);
    assert.deepEqual(await checks(), []);
    await client.query("DELETE FROM s.p WHERE k > 10");
    await client.query("VACUUM FULL s.c");
    const small = await set.preview(declared(60_000));
    assert.deepEqual(
      small.steps.map(({ id, widens }) => [id, widens]),
      [["rebound:c", undefined]],
    );
  });
});
