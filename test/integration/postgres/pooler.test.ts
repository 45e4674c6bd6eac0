/** Through a proxy that pools transactions nothing is done, and it says why; one that pools sessions is as good as the server. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConnectionError } from "../../../postgres/errors";
import { ARCHIVED, contentOf, Months, PINNED } from "../../support/months";
import { startPooler } from "../../support/pooler";
import { describeOnEachPostgres, type TestDatabase } from "../../support/postgres";
import { sessionsOn } from "./support";

describeOnEachPostgres("behind a pooler", (server) => {
  let database: TestDatabase;
  beforeEach(async () => {
    database = await server().createDatabase();
  });
  afterEach(() => database.drop());

  it("of transactions no session is opened, and its settings are left alone", async () => {
    const pooler = await startPooler(database.connection, "transaction");
    const sessions = sessionsOn(pooler.connection);
    try {
      await assert.rejects(
        sessions.withSession((session) => session.query("SELECT 1")),
        (error: unknown) =>
          error instanceof ConnectionError && /pools transactions.*pool_mode = session/s.test(error.message),
      );
    } finally {
      await sessions.close();
      await pooler.close();
    }
  });

  it("of sessions rows are archived, proven and brought back", async () => {
    const pooler = await startPooler(database.connection, "session");
    const directory = await mkdtemp(join(tmpdir(), "archive-test-"));
    const client = await database.client();
    try {
      const months = new Months(pooler.connection, `file://${directory}`);
      await months.up();
      await client.query(
        "INSERT INTO events SELECT i, '2026-01-01'::date + i % 80, 'row' FROM generate_series(1, 500) AS i",
      );
      const whole = await contentOf(client);
      await months.up(ARCHIVED);
      assert.equal(months.tiers.events_2026_01, "archived");
      await months.up(PINNED);
      assert.deepEqual(await contentOf(client), whole);
    } finally {
      await pooler.close();
      await rm(directory, { recursive: true });
    }
  });

  it("of sessions everything works", async () => {
    const pooler = await startPooler(database.connection, "session");
    const sessions = sessionsOn(pooler.connection);
    try {
      const work = () => sessions.withSession((session) => session.query("SELECT current_setting('TimeZone') AS zone"));
      assert.deepEqual(await Promise.all([work(), work()]), [[{ zone: "UTC" }], [{ zone: "UTC" }]]);
    } finally {
      await sessions.close();
      await pooler.close();
    }
  });
});
