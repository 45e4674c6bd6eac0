/** What an application can do to a row while it is being copied, and what must not be copied along. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import type { Sessions } from "../../../postgres/connection";
import type { ExecutionEvent } from "../../../postgres/executor";
import { renderStep } from "../../../postgres/statements";
import type { Step } from "../../../topology/steps";
import { describeOnEachPostgres, type TestDatabase } from "../../support/postgres";
import { carryOut, QUICK, range, readParentOf, sessionsOn } from "../postgres/support";
import { contentOf, leftovers, reorganizing } from "./support";

describeOnEachPostgres("the capture of a copy", (server) => {
  let database: TestDatabase;
  let client: Client;
  let sessions: Sessions;
  let step: Step;

  beforeEach(async () => {
    database = await server().createDatabase();
    client = await database.client();
    sessions = sessionsOn(database.connection);
    await client.query("CREATE SCHEMA s");
    await client.query("CREATE TABLE s.p (id int, k int, note text, PRIMARY KEY (id, k)) PARTITION BY RANGE (k)");
    await client.query("CREATE TABLE s.a PARTITION OF s.p FOR VALUES FROM (0) TO (100)");
    await client.query("CREATE TABLE s.b PARTITION OF s.p FOR VALUES FROM (100) TO (200)");
    await client.query("INSERT INTO s.p SELECT i, i, 'n' FROM generate_series(0, 149) i");
    step = await reorganizing(sessions, "copyAndSwap", ["a"], { a: range("0", "50"), a2: range("50", "100") });
  });
  afterEach(async () => {
    await sessions.close();
    await database.drop();
  });

  /** Carries out the statements of the plan by hand up to the capture, or through the copy. */
  async function begin(through: "capture" | "copy"): Promise<void> {
    for (const { sql } of renderStep(step, await readParentOf(sessions))) {
      const isBatch = sql.includes("FOR SHARE ON CONFLICT");
      if (isBatch && through === "capture") return;
      if (sql.startsWith("SELECT side")) return;
      const isProgress = sql.includes("SET next = $2");
      const source = step.reorganization?.sources[0];
      const stop = "SELECT pg_relation_size('s.a') / 8192 AS blocks";
      const { rows } = await client.query<{ blocks: string }>(stop);
      await client.query(
        sql,
        isBatch ? ["(0,0)", "(1000,0)"] : isProgress ? [source?.oid, rows[0]?.blocks] : undefined,
      );
    }
  }

  /** The run finishes what was begun, and nothing is lost or invented. */
  async function finish(): Promise<ExecutionEvent[]> {
    const before = await contentOf(client, "s.p");
    const report = await carryOut(sessions, [step], { ladder: { ...QUICK, budget: 20_000 } });
    assert.deepEqual(report.failed, []);
    assert.equal(await contentOf(client, "s.p"), before);
    assert.deepEqual(await leftovers(client), []);
    return report.events;
  }

  it("keeps the last version of a row that a trigger of the application changes again", async () => {
    await client.query(
      "CREATE FUNCTION s.again() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN" +
        " UPDATE s.p SET note = NEW.note || '+' WHERE id = NEW.id AND k = NEW.k; RETURN NULL; END $$",
    );
    await client.query(
      'CREATE TRIGGER "#aaa" AFTER UPDATE ON s.p FOR EACH ROW WHEN (length(NEW.note) < 5) EXECUTE FUNCTION s.again()',
    );
    await begin("copy");
    await client.query("UPDATE s.p SET note = 'm' WHERE id < 20");
    await finish();
  });

  it("sees writes under session_replication_role = replica", async () => {
    await begin("copy");
    await client.query("SET session_replication_role = replica");
    await client.query("UPDATE s.p SET note = 'm' WHERE id < 20");
    await client.query("DELETE FROM s.p WHERE id = 30");
    await client.query("RESET session_replication_role");
    await finish();
  });

  for (const target of ["s.a", "s.p"]) {
    it(`begins again after TRUNCATE of ${target}`, async () => {
      await begin("copy");
      await client.query(`TRUNCATE ${target}`);
      await client.query("INSERT INTO s.p VALUES (1, 1, 'after'), (60, 60, 'after')");
      await finish();
    });
  }

  for (const [title, sql] of [
    ["UPDATE", "UPDATE s.p SET note = 'm' WHERE id < 20"],
    ["UPDATE of the key", "UPDATE s.p SET id = id + 1000 WHERE id < 20"],
    ["UPDATE that moves rows away and in", "UPDATE s.p SET k = (k + 95) % 190 WHERE id % 10 = 1"],
    ["DELETE", "DELETE FROM s.p WHERE id < 20"],
    ["INSERT", "INSERT INTO s.p SELECT i, i % 100, 'new' FROM generate_series(1000, 1100) i"],
  ]) {
    it(`takes part in a REPEATABLE READ transaction from before the copy: ${title}`, async () => {
      await begin("capture");
      const writer = await database.client("writer");
      await writer.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
      await writer.query("SELECT count(*) FROM pg_class");
      const copy = renderStep(step, await readParentOf(sessions)).find((one) =>
        one.sql.includes("FOR SHARE ON CONFLICT"),
      );
      await client.query(copy?.sql ?? "", ["(0,0)", "(1000,0)"]);
      await writer.query(String(sql));
      await writer.query("COMMIT");
      await finish();
    });
  }

  it("lets a reader with an old snapshot count the same before and after the exchange", async () => {
    const reader = await database.client("report");
    await reader.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
    await reader.query("SELECT count(*) FROM pg_class");
    let seen: string | undefined;
    const report = await carryOut(sessions, [step], {
      ladder: { ...QUICK, budget: 20_000 },
      onEvent: (event) => {
        if (event.type !== "waiting" || seen !== undefined) return;
        seen = event.blockers.map(({ application }) => application).join();
        void reader.query("SELECT count(*) FROM s.p").then(() => reader.query("COMMIT"));
      },
    });
    assert.deepEqual([report.failed, seen], [[], "report"]);
  });

  it("names who has an old snapshot and goes on from there in the next run", async () => {
    const reader = await database.client("report");
    await reader.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
    await reader.query("SELECT count(*) FROM pg_class");
    const report = await carryOut(sessions, [step]);
    assert.match(report.failed[0]?.error.reason ?? "", /application report.*has an older snapshot/);
    assert.equal((await leftovers(client)).length > 0, true);
    const { rows } = await reader.query("SELECT count(*)::int AS count FROM s.p");
    assert.deepEqual(rows, [{ count: 150 }]);
    await reader.query("COMMIT");
    await finish();
  });

  it("gives up, and leaves nothing in the application's way, when the copy differs", async () => {
    await begin("copy");
    const { rows } = await client.query<{ name: string }>(
      "SELECT relname::text AS name FROM pg_class WHERE relkind = 'p' AND relname LIKE 'pgpartition%'",
    );
    await client.query(`UPDATE s."${rows[0]?.name}" SET note = 'wrong' WHERE id = 7`);
    const before = await contentOf(client, "s.p");
    const report = await carryOut(sessions, [step]);
    assert.match(report.failed[0]?.error.reason ?? "", /the copy differs from the partitions it was made of/);
    assert.equal(await contentOf(client, "s.p"), before);
    assert.deepEqual(await leftovers(client), []);
    await finish();
  });

  it("gives up when there is no room left, and loses nothing", async () => {
    await client.query(
      "CREATE FUNCTION s.room(int) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN" +
        " IF $1 > 120 AND current_setting('test.no_room', true) = 'on' THEN RAISE 'no space left' USING ERRCODE = 'disk_full'; END IF;" +
        " RETURN true; END $$",
    );
    await client.query("ALTER TABLE s.p ADD CHECK (s.room(id))");
    await client.query("UPDATE s.p SET k = id % 100");
    // Only sessions that begin from now on: the copy finds no room for some rows of the source, the application does.
    await client.query(
      `ALTER DATABASE ${client.escapeIdentifier(database.connection.database)} SET test.no_room = 'on'`,
    );
    await sessions.close();
    sessions = sessionsOn(database.connection);
    const before = await contentOf(client, "s.p");
    const report = await carryOut(sessions, [step]);
    assert.deepEqual([report.done, report.failed[0]?.error.sqlstate], [[], "53100"]);
    assert.deepEqual(await leftovers(client), []);
    assert.equal(await contentOf(client, "s.p"), before);
    await client.query(`ALTER DATABASE ${client.escapeIdentifier(database.connection.database)} RESET ALL`);
    await sessions.close();
    sessions = sessionsOn(database.connection);
    await finish();
  });
});
