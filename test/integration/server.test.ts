import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { Client } from "pg";
import { removeServer, startServer } from "../../tools/postgres";
import { describeOnEachPostgres, type TestDatabase } from "../support/postgres";

describeOnEachPostgres("a PostgreSQL server for tests", (server) => {
  let database: TestDatabase;
  beforeEach(async () => {
    database = await server().createDatabase();
  });
  afterEach(async () => {
    await database.drop();
  });

  it("is of the major version asked for, in UTC, with UTF-8 databases and the settings that tests rely on", async () => {
    const client = await database.client();
    const { rows } = await client.query(`
      SELECT current_setting('server_version_num')::int / 10000 AS major, current_setting('TimeZone') AS zone,
             current_setting('server_encoding') AS encoding, current_setting('max_connections') AS connections,
             current_setting('max_prepared_transactions') AS prepared, current_setting('is_superuser') AS superuser`);
    assert.deepEqual(rows, [
      { major: server().major, zone: "UTC", encoding: "UTF8", connections: "60", prepared: "10", superuser: "on" },
    ]);
  });

  it("refuses a wrong password", async () => {
    await assert.rejects(
      async () => {
        const client = new Client({ ...database.connection, password: "wrong" });
        await client.connect();
      },
      { code: "28P01" },
    );
  });

  it("logs the statements of one database, in order, with application name and parameters", async () => {
    const other = await server().createDatabase();
    await other.logStatements();
    await database.logStatements();
    const [client, stranger] = [await database.client("first"), await other.client("stranger")];
    const multiLine = "SELECT 1,\n\t2 -- a line that begins with a tab";
    await client.query(multiLine);
    await stranger.query("SELECT 'elsewhere'");
    await client.query("SELECT $1::text", ["x"]);
    await assert.rejects(client.query("SELECT 1/0"), { code: "22012" });
    const second = await database.client("second");
    await second.query("SELECT 3");

    assert.deepEqual(await database.statements(), [multiLine, "SELECT $1::text", "SELECT 1/0", "SELECT 3"]);
    const log = await database.statementLog();
    assert.deepEqual(
      log.map(({ applicationName, parameters }) => [applicationName, parameters]),
      [
        ["first", undefined],
        ["first", "$1 = 'x'"],
        ["first", undefined],
        ["second", undefined],
      ],
    );
    assert.equal(new Set(log.map(({ pid }) => pid)).size, 2);
    await other.drop();
  });

  it("drops a database with sessions and prepared transactions in it", async () => {
    const client = await database.client();
    await client.query("CREATE TABLE t (i int)");
    await client.query("BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'left behind'");
    const stranger = new Client(database.connection);
    stranger.on("error", () => undefined);
    await stranger.connect();
    await database.drop();
    await assert.rejects(database.client(), { code: "3D000" });
  });

  it("is found again, not started twice, on the same data directory", async () => {
    const { major, server: running } = server();
    const again = await startServer({ major, dataDir: running.dataDir, settings: { fsync: "off" } });
    assert.deepEqual([again.pid, again.port, again.password], [running.pid, running.port, running.password]);
    assert.ok(existsSync(`${running.dataDir}/postmaster.pid`));
  });

  it("starts again after it was killed", async function () {
    this.timeout(60_000);
    const { major, server: running } = server();
    const options = { major, dataDir: `${running.dataDir}-killed`, settings: { fsync: "off" } };
    const first = await startServer(options);
    process.kill(first.pid, "SIGKILL");
    const second = await startServer(options);
    try {
      assert.notEqual(second.pid, first.pid);
      assert.equal(second.password, first.password);
    } finally {
      await removeServer(options.dataDir);
    }
  });

  it("keeps its data over a stop and a start, and says so when the directory is of another version", async function () {
    this.timeout(60_000);
    const { major, server: running } = server();
    const dataDir = `${running.dataDir}-restarted`;
    const settings = { fsync: "off" };
    const first = await startServer({ major, dataDir, settings });
    await first.stop();
    const second = await startServer({ major, dataDir, settings, port: first.port });
    try {
      assert.deepEqual([second.port, second.password], [first.port, first.password]);
      assert.notEqual(second.pid, first.pid);
      const otherMajor = major === 18 ? 17 : 18;
      await assert.rejects(startServer({ major: otherMajor, dataDir, settings }), /is a cluster of PostgreSQL/);
    } finally {
      await removeServer(dataDir);
    }
  });
});
