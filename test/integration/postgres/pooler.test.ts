/** Through a proxy that pools transactions nothing is done, and it says why; one that pools sessions is as good as the server. */
import assert from "node:assert/strict";
import { ConnectionError } from "../../../postgres/errors";
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
