/** Row security must not hide rows from an archive: who does not see all of them is refused. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "pg";
import { Sessions } from "../../../postgres/connection";
import { describeOnOldestAndNewest, type TestDatabase } from "../../support/postgres";
import { openForEachTest } from "../postgres/opened";
import { SetUnderTest } from "../tree/support";
import { keysIn } from "./support";

type Raw = Record<string, unknown>;

describeOnOldestAndNewest("an archive of a table with row security", (server) => {
  let database: TestDatabase;
  let client: Client;
  let directory: string;
  let role: string;
  let own: Sessions;
  let stack: SetUnderTest;

  openForEachTest(server, (opened) => {
    ({ database, client } = opened);
  });
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "archive-test-"));
    role = `keeper_${database.connection.database}`;
    await client.query(`CREATE ROLE ${role} LOGIN PASSWORD 'x'; GRANT CREATE ON SCHEMA public TO ${role};
      CREATE TABLE events (id int NOT NULL, at date NOT NULL, tenant text) PARTITION BY RANGE (at);
      ALTER TABLE events OWNER TO ${role}; ALTER TABLE events ENABLE ROW LEVEL SECURITY;
      CREATE POLICY own ON events USING (tenant = 'a')`);
    const { host, port, database: name } = database.connection;
    own = new Sessions({ host, port, database: name, username: role, password: "x" });
    stack = new SetUnderTest(own);
    await stack.settle(months());
    await client.query(
      "INSERT INTO events SELECT i, '2026-01-05', CASE i % 2 WHEN 0 THEN 'a' ELSE 'b' END FROM generate_series(1, 20) i",
    );
  });
  afterEach(async () => {
    await own.close();
    const administrator = new Client({ ...database.connection, database: "postgres" });
    await administrator.connect();
    await administrator.query(`DROP ROLE ${role}`);
    await administrator.end();
    await rm(directory, { recursive: true });
  });

  const months = (more: Raw = {}): Raw => ({
    table: "events",
    partitionBy: { range: { column: "at", type: "date", every: "month" } },
    window: { from: "2026-01", ahead: 0 },
    asOf: "2026-02",
    archive: { store: `file://${directory}` },
    ...more,
  });
  const aged = () => months({ lifecycle: [{ after: "0 months", tier: "archived" }] });
  const FORCE = "FORCE ROW LEVEL SECURITY";
  const count = async () => (await client.query("SELECT count(*)::int AS n FROM events")).rows[0].n;

  it("holds all rows when its owner makes it, and a restored partition has the policies again", async () => {
    await stack.settle(aged());
    assert.equal(await count(), 0);
    await stack.settle(months());
    assert.equal(await count(), 20);
    const { rows } =
      await client.query(`SELECT relrowsecurity AS enabled, array(SELECT polname::text FROM pg_policy WHERE polrelid = c.oid) AS policies
      FROM pg_class c WHERE oid = 'events_2026_01'::regclass`);
    assert.deepEqual(rows, [{ enabled: true, policies: ["own"] }]);
  });

  it("is not made where it applies to the owner, and the rows stay in their place", async () => {
    await client.query(`ALTER TABLE events ${FORCE}; ALTER TABLE events_2026_01 ${FORCE}`);
    const { failed } = await stack.up(aged());
    assert.match(failed.join(), /Row security applies to the role .*BYPASSRLS/);
    assert.deepEqual([await count(), await keysIn(directory)], [20, []]);
    const { rows } = await client.query(
      "SELECT relispartition AS attached FROM pg_class WHERE oid = 'events_2026_01'::regclass",
    );
    assert.deepEqual(rows, [{ attached: true }]);
  });

  it("keeps the table when it begins to apply after the export", async () => {
    stack.around = (archiver) => ({
      parallel: archiver.parallel,
      close: () => archiver.close(),
      async export(run) {
        const outcome = await archiver.export(run);
        await client.query(`DELETE FROM events WHERE tenant = 'b' AND id = 1; ALTER TABLE events_2026_01 ${FORCE}`);
        return outcome;
      },
      restore: (run) => archiver.restore(run),
      prove: (run) => archiver.prove(run),
    });
    const { failed } = await stack.up(aged());
    assert.match(failed.join(), /Row security applies to the role .*BYPASSRLS/);
    assert.equal((await client.query("SELECT count(*)::int AS n FROM events_2026_01")).rows[0].n, 19);
  });

  it("is restored with forced policies, or refused with what to do, and never in part", async () => {
    await stack.settle(aged());
    await client.query(`ALTER TABLE events ${FORCE}`);
    const { failed } = await stack.up(months());
    assert.match(failed.join(), /Row security applies to the role .*BYPASSRLS/);
    assert.equal(await count(), 0);
    await client.query("ALTER TABLE events NO FORCE ROW LEVEL SECURITY");
    await stack.settle(months());
    assert.equal(await count(), 20);
  });
});
