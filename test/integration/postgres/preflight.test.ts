/** What would make an update fail is named before its first statement; once it is put right the same update goes through. */
import assert from "node:assert/strict";
import { chown, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Client } from "pg";
import { postgresAccount } from "../../../tools/postgres/account";
import { run } from "../../../tools/processes";
import { partitionsOf } from "../../support/partitions";
import {
  type Connection,
  describeOnEachPostgres,
  ownDirectory,
  type TestServer,
  withServer,
} from "../../support/postgres";
import type { Program, State, UpWithoutEngine } from "../../support/without-engine";

const { upWithoutEngine } = require("../../support/without-engine") as { upWithoutEngine: UpWithoutEngine };

const partitionBy = { range: { column: "at", type: "date", every: "month" } };

const PARENT = "CREATE TABLE events (id bigint, at date NOT NULL, note text) PARTITION BY RANGE (at)";

/** Months from January 2026 to the one of `asOf`. */
const program = (asOf: string): Program => ({
  table: { name: "events", partitionBy },
  set: { table: "events", partitionBy, window: { from: "2026-01", ahead: 0 }, asOf },
});

const names = async (client: Client) => Object.keys(await partitionsOf(client, "events"));

/** The error or the reasons of a partial failure, in one text. */
async function failureOf(up: Promise<State>): Promise<string> {
  const error: unknown = await up.then(
    () => assert.fail("it went through"),
    (reason: unknown) => reason,
  );
  return error instanceof Error ? error.message : String(error);
}

/** Servers of their own cost seconds each: the oldest and the newest version tell enough. */
const WITH_OWN_SERVERS = [14, 18];

describeOnEachPostgres("before an update", (server) => {
  const own = function (this: Mocha.Context): TestServer {
    if (!WITH_OWN_SERVERS.includes(server().major)) this.skip();
    return server();
  };

  it("a missing right on the schema is named with its GRANT", async () => {
    const database = await server().createDatabase();
    const role = `owner_${database.connection.database}`;
    const client = await database.client();
    await client.query(`CREATE ROLE ${role} LOGIN PASSWORD 'x'; ${PARENT}; ALTER TABLE events OWNER TO ${role}`);
    await client.query("REVOKE CREATE ON SCHEMA public FROM PUBLIC");
    const connection: Connection = { ...database.connection, user: role, password: "x" };
    const failure = await failureOf(upWithoutEngine(connection, program("2026-02"), {}));
    assert.ok(
      failure.includes(`${role} may not create tables in schema public: GRANT CREATE ON SCHEMA public TO ${role}`),
      failure,
    );
    assert.deepEqual(await names(client), []);
    await client.query(`GRANT CREATE ON SCHEMA public TO ${role}`);
    await upWithoutEngine(connection, program("2026-02"), {});
    assert.deepEqual(await names(client), ["events_2026_01", "events_2026_02"]);
    await database.drop();
    const other = await server().createDatabase();
    await (await other.client()).query(`DROP ROLE ${role}`);
    await other.drop();
  });

  it("a table of another owner is named", async () => {
    const database = await server().createDatabase();
    const role = `stranger_${database.connection.database}`;
    const client = await database.client();
    await client.query(`CREATE ROLE ${role} LOGIN PASSWORD 'x'; GRANT CREATE ON SCHEMA public TO ${role}; ${PARENT}`);
    const connection: Connection = { ...database.connection, user: role, password: "x" };
    const failure = await failureOf(upWithoutEngine(connection, program("2026-02"), {}));
    assert.match(failure, /public\.events belongs to postgres; stranger_\w+ is not a member of that role/);
    await client.query(`GRANT postgres TO ${role}`);
    await upWithoutEngine(connection, program("2026-02"), {});
    assert.equal((await names(client)).length, 2);
    await client.query(`DROP OWNED BY ${role}`);
    await database.drop();
    const other = await server().createDatabase();
    await (await other.client()).query(`DROP ROLE ${role}`);
    await other.drop();
  });

  it("a role that is to change nothing is told so", async () => {
    const database = await server().createDatabase();
    const client = await database.client();
    const { database: name } = database.connection;
    await client.query(PARENT);
    await client.query(`ALTER DATABASE ${name} SET default_transaction_read_only = on`);
    const failure = await failureOf(upWithoutEngine(database.connection, program("2026-02"), {}));
    assert.match(failure, /default_transaction_read_only is on for postgres in database/);
    assert.deepEqual(await names(client), []);
    await client.query(`ALTER DATABASE ${name} RESET default_transaction_read_only`);
    await upWithoutEngine(database.connection, program("2026-02"), {});
    assert.equal((await names(client)).length, 2);
    await database.drop();
  });

  it("a full disk fails the partitions of that disk and leaves nothing half made; a tablespace needs its GRANT", async function () {
    const { major } = own.call(this);
    const account = await postgresAccount();
    const disk = join(ownDirectory(`disk-${major}.d`));
    await mkdir(disk, { recursive: true });
    try {
      await run("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", disk]);
    } catch (error) {
      process.stderr.write(
        `not tried: a file system cannot be mounted here (${error instanceof Error ? error.message : error})\n`,
      );
      return this.skip();
    }
    try {
      if (account) await chown(disk, account.uid, account.gid);
      await run("chmod", ["700", disk]);
      const database = await server().createDatabase();
      const client = await database.client();
      const role = `tenant_${database.connection.database}`;
      await client.query(`CREATE TABLESPACE small LOCATION '${disk}'`);
      await client.query(`${PARENT} TABLESPACE small; CREATE INDEX ON events (id)`);
      await client.query(
        `CREATE ROLE ${role} LOGIN PASSWORD 'x'; GRANT CREATE ON SCHEMA public TO ${role}; ALTER TABLE events OWNER TO ${role}`,
      );
      const connection: Connection = { ...database.connection, user: role, password: "x" };
      const refused = await failureOf(upWithoutEngine(connection, program("2026-02"), {}));
      assert.ok(refused.includes(`GRANT CREATE ON TABLESPACE small TO ${role}`), refused);
      await client.query(`GRANT CREATE ON TABLESPACE small TO ${role}`);
      const state = await upWithoutEngine(connection, program("2026-01"), {});

      await client.query("CREATE TABLE filler (note text) TABLESPACE small");
      const full = client.query("INSERT INTO filler SELECT repeat('x', 1000) FROM generate_series(1, 10000)");
      await assert.rejects(full, { code: "53100" });
      // What the failed statement wrote stays on the disk until VACUUM.
      const failure = await failureOf(upWithoutEngine(connection, program("2026-02"), state));
      assert.match(failure, /partitions\.events_2026_02: .*No space left on device/);
      assert.deepEqual(await names(client), ["events_2026_01"]);
      assert.deepEqual((await client.query("SELECT to_regclass('events_2026_02') AS made")).rows, [{ made: null }]);
      await client.query("DROP TABLE filler; CHECKPOINT");
      await upWithoutEngine(connection, program("2026-02"), state);
      assert.deepEqual(await names(client), ["events_2026_01", "events_2026_02"]);
      for (const sql of ["DROP TABLE events", `DROP OWNED BY ${role}`, "DROP TABLESPACE small", `DROP ROLE ${role}`])
        await client.query(sql);
      await database.drop();
    } finally {
      await run("umount", ["-l", disk]);
    }
  });

  it("a small lock table gets small transactions, and a plan that cannot fit is refused", async function () {
    const { major } = own.call(this);
    const settings = { max_locks_per_transaction: "10", max_connections: "20", max_prepared_transactions: "0" };
    await withServer(major, `few-locks-${major}`, settings, async ({ createDatabase }) => {
      const database = await createDatabase();
      const client = await database.client();
      await client.query(`${PARENT}; CREATE INDEX ON events (id)`);
      // 84 in one transaction would take more than the 200 locks of all sessions.
      await upWithoutEngine(database.connection, program("2032-12"), {});
      assert.equal((await names(client)).length, 84);
      await client.query(`DROP TABLE events; ${PARENT}`);
      for (let column = 0; column < 120; column++) await client.query(`CREATE INDEX ON events ((id + ${column}))`);
      const failure = await failureOf(upWithoutEngine(database.connection, program("2026-01"), {}));
      assert.match(failure, /takes about \d+ locks at once; .*Raise max_locks_per_transaction/);
      assert.deepEqual(await names(client), []);
      await database.drop();
    });
  });

  it("a standby is told from its primary, and serves once it has been promoted", async function () {
    const { major } = own.call(this);
    const name = `primary-${major}`;
    const wal = { wal_level: "replica", max_wal_senders: "4" };
    // The copy of a server that has been shut down follows it once both are started.
    await withServer(major, name, wal, async ({ server: original }) => {
      await original.stop();
      await run("cp", ["-a", original.dataDir, `${original.dataDir}-standby`]);
      await writeFile(join(`${original.dataDir}-standby`, "standby.signal"), "");
      await withServer(major, name, wal, async (primary) => {
        const { host, port, user, password } = primary.server;
        const following = { ...wal, primary_conninfo: `host=${host} port=${port} user=${user} password=${password}` };
        await withServer(major, `${name}-standby`, following, (standby) => promoteAndUse(primary, standby));
      });
    });
  });
});

async function promoteAndUse(primary: TestServer, standby: TestServer): Promise<void> {
  const database = await primary.createDatabase("shop");
  await (await database.client()).query(PARENT);
  const connection: Connection = { ...database.connection, port: standby.server.port };
  const replayed = await connectedTo(connection);
  while ((await replayed.query("SELECT to_regclass('events') AS made")).rows[0].made === null);
  const failure = await failureOf(upWithoutEngine(connection, program("2026-02"), {}));
  assert.match(failure, /is on a standby; connect to the primary/);
  await replayed.query("SELECT pg_promote()");
  await upWithoutEngine(connection, program("2026-02"), {});
  assert.equal((await names(replayed)).length, 2);
  await replayed.end();
  await database.drop();
}

/** The database may not have been replayed yet. */
async function connectedTo(connection: Connection): Promise<Client> {
  const { Client: NewClient } = await import("pg");
  for (;;) {
    const client = new NewClient(connection);
    try {
      await client.connect();
      return client;
    } catch (error) {
      if ((error as { code?: string }).code !== "3D000") throw error;
      await client.end().catch(() => undefined);
    }
  }
}
