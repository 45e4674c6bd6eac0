/** Counters save reading. Where they were lost, or nobody counts, rows are read again instead of taken for the same. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { exportPartition } from "../../../archive/export";
import type { Manifest } from "../../../archive/manifest";
import { type Presence, readPresence, requireSame } from "../../../archive/presence";
import { FileStore } from "../../../archive/stores/file";
import { readEpoch } from "../../../postgres/archive/changes";
import { type Session, Sessions } from "../../../postgres/connection";
import { startServer } from "../../../tools/postgres";
import { isAlive } from "../../../tools/processes";
import { describeOnOldestAndNewest, type TestDatabase, withServer } from "../../support/postgres";
import { changeRows, EVENTS, january, originOf, PART_BLOCKS } from "./support";

/** What was committed before a crash is there after it. */
const SETTINGS = { wal_level: "replica", synchronous_commit: "on" };
const UPDATE = "UPDATE events_2024_01 SET payload = 'other' WHERE id = 5";
const DELETE = "DELETE FROM events_2024_01 WHERE id = 77";

describeOnOldestAndNewest("what counters say of rows since their export", (server) => {
  let directory: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "archive-test-"));
  });
  afterEach(() => rm(directory, { recursive: true }));

  /** Nothing of a session outlives a restart. */
  async function inSession<T>({ connection }: TestDatabase, action: (session: Session) => Promise<T>): Promise<T> {
    const { user: username, ...rest } = connection;
    const sessions = new Sessions({ ...rest, username });
    try {
      return await sessions.withSession(action);
    } finally {
      await sessions.close();
    }
  }

  const exported = (database: TestDatabase): Promise<Manifest> =>
    inSession(database, async (session) => {
      const options = { store: new FileStore(directory), origin: await originOf(session), partBlocks: PART_BLOCKS };
      return (await exportPartition(session, await january(session), options)).manifest;
    });

  const seen = (database: TestDatabase, manifest: Manifest): Promise<Presence["kind"]> =>
    inSession(database, async (session) => {
      const [presence] = await readPresence(session, [manifest]);
      assert.ok(presence);
      if (presence.kind === "changed") await requireSame(session, presence, manifest);
      return presence.kind;
    });

  describe("of the server that all tests share", () => {
    let database: TestDatabase;
    beforeEach(async () => {
      database = await server().createDatabase();
      await changeRows(database, EVENTS);
    });
    afterEach(() => database.drop());
    const sent = async (sql: string) => {
      const client = await database.client();
      await client.query(sql);
      await client.end();
    };

    /** 14 resets some time after. */
    const reset = async () => {
      const client = await database.client();
      const last = async () =>
        (await client.query("SELECT stats_reset::text FROM pg_stat_database WHERE datname = current_database()"))
          .rows[0]?.stats_reset;
      const before = await last();
      await client.query("SELECT pg_stat_reset()");
      while ((await last()) === before) await pause(20);
      await client.end();
    };

    it("is nothing when they were reset, before and after", async () => {
      await reset();
      const manifest = await exported(database);
      await sent(DELETE);
      await reset();
      await assert.rejects(seen(database, manifest), /rows instead of/);
    });

    it("is nothing where nobody counts", async () => {
      await sent(`ALTER DATABASE ${database.connection.database} SET track_counts = off`);
      const manifest = await exported(database);
      assert.equal(await seen(database, manifest), "changed");
      await sent(DELETE);
      await assert.rejects(seen(database, manifest), /rows instead of/);
    });

    it("is told to a role that may know little of the server", async () => {
      await sent(
        `CREATE ROLE archivist_${database.connection.database}; REVOKE EXECUTE ON FUNCTION pg_control_checkpoint() FROM PUBLIC`,
      );
      const manifest = await exported(database);
      const asked = inSession(database, async (session) => {
        await session.query(`SET ROLE archivist_${database.connection.database}`);
        return [await readEpoch(session), await readEpoch(session)];
      });
      const [one, other] = await asked;
      await sent(`DROP ROLE archivist_${database.connection.database}`);
      assert.ok(one !== undefined && one === other);
      assert.equal(await seen(database, manifest), "unchanged");
    });
  });

  it("ends with a crash and with a promotion, and outlives a restart", async function () {
    this.timeout(0);
    const { major } = server();
    await withServer(major, `counters-${major}`, SETTINGS, async ({ createDatabase, server: own }) => {
      const { dataDir, port } = own;
      const restart = async (signal: "SIGQUIT" | "SIGINT") => {
        const { pid } = await startServer({ major, dataDir, port });
        process.kill(pid, signal);
        while (isAlive(pid)) await pause(20);
        await startServer({ major, dataDir, port, settings: SETTINGS });
      };
      const database = await createDatabase();
      await changeRows(database, EVENTS);
      await restart("SIGQUIT");
      await changeRows(database, UPDATE);
      const manifest = await exported(database);
      assert.equal(await seen(database, manifest), "unchanged");
      await restart("SIGINT");

      assert.equal(await seen(database, manifest), "unchanged", "a clean restart is no reason to read anything again");
      await changeRows(database, DELETE);
      await restart("SIGQUIT");
      // Every counter has the value that it had when the rows were exported.
      await changeRows(database, UPDATE);
      await assert.rejects(seen(database, manifest), /rows instead of/);

      const again = await exported(database);
      assert.equal(await seen(database, again), "unchanged");
      await writeFile(join(dataDir, "standby.signal"), "");
      await restart("SIGINT");
      const client = await database.client();
      await client.query("SELECT pg_promote()");
      await client.query("CHECKPOINT");
      assert.equal(await seen(database, again), "changed", "it was a standby, which does not count");
    });
  });
});
