/** A clone of the database has the keys of the original: what it archives is not what the original has dropped tables for. */
import assert from "node:assert/strict";
import { cp, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Client } from "pg";
import { exportPartition } from "../../../archive/export";
import { FileStore } from "../../../archive/stores/file";
import type { Sessions } from "../../../postgres/connection";
import type { Properties } from "../../../provider/values";
import { ARCHIVED, Months, PINNED } from "../../support/months";
import { describeOnNewest, type TestDatabase } from "../../support/postgres";
import { openForEachTest } from "../postgres/opened";
import { OneResource } from "./one-resource";
import { changeRows, oidOf, originOf } from "./support";

const JANUARY = "events_2026_01";

describeOnNewest("an archive into which a clone of the database writes as well", (server) => {
  let database: TestDatabase;
  let client: Client;
  let sessions: Sessions;
  let directory: string;
  let set: OneResource;
  let before: Properties;

  openForEachTest(server, (opened) => {
    ({ database, client, sessions } = opened);
  });
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "archive-test-"));
    set = new OneResource(database.connection);
    await client.query("CREATE TABLE events (id bigint, at date NOT NULL, payload text) PARTITION BY RANGE (at)");
    await set.up(program());
    before = set.outputs;
    await ofClone();
    await changeRows(database, "TRUNCATE events; INSERT INTO events VALUES (1, '2026-01-10', 'original')");
    await set.up(program(ARCHIVED));
    assert.deepEqual(await payloads(), []);
  });
  afterEach(() => rm(directory, { recursive: true }));

  const program = (more: Properties = {}): Properties =>
    new Months(database.connection, `file://${directory}/original`).program(more).set;
  const payloads = async () =>
    (await client.query("SELECT payload FROM events ORDER BY id")).rows.map(({ payload }) => payload as string);

  /** Two exports of the table that January is now, with other rows, beside the archive: the second one is numbered 2. */
  async function ofClone(): Promise<void> {
    const store = new FileStore(join(directory, "clone"));
    for (const id of [1, 2]) {
      await changeRows(database, `INSERT INTO events VALUES (${id}, '2026-01-10', 'clone')`);
      await sessions.withSession(async (session) => {
        const bound = { from: "2026-01-01", to: "2026-02-01" };
        const oid = await oidOf(session, JANUARY);
        await exportPartition(
          session,
          { schema: "public", name: JANUARY, oid, bound, keyColumns: ["at"] },
          { store, origin: await originOf(session), format: "text" },
        );
      });
    }
  }

  /** The clone's second export comes into the archive. */
  async function clonesExport(): Promise<void> {
    const keys = (await readdir(join(directory, "clone"), { recursive: true })).filter((key) =>
      /\.2\/manifest\.json$/.test(key),
    );
    assert.equal(keys.length, 1);
    for (const key of keys)
      await cp(join(directory, "clone", dirname(key)), join(directory, "original", dirname(key)), { recursive: true });
  }

  it("gives back the rows that the table was dropped for", async () => {
    await clonesExport();
    await set.refresh();
    await set.up(program(ARCHIVED));
    await set.up(program(PINNED));
    assert.deepEqual(await payloads(), ["original"]);
    // What is archived after that is the newest again.
    await changeRows(database, "UPDATE events SET payload = 'changed'");
    await set.up(program(ARCHIVED));
    assert.deepEqual(await payloads(), []);
    await set.up(program(PINNED));
    assert.deepEqual(await payloads(), ["changed"]);
  });

  it("gives them back when nobody has recorded the drop before the clone wrote, and when the state was lost", async () => {
    const { outputs } = set;
    for (const forgotten of [before, { partitions: undefined }]) {
      set.outputs = { ...outputs, archives: undefined, snapshot: undefined, ...forgotten };
      await clonesExport();
      await set.refresh();
      await set.up(program(PINNED));
      assert.deepEqual(await payloads(), ["original"]);
      await set.up(program(ARCHIVED));
      assert.deepEqual(await payloads(), []);
    }
  });

  it("does not have the clone's rows stand in for those that are lost", async () => {
    await clonesExport();
    const { archives } = set.outputs as { archives: Record<string, { manifest: { key: string } }> };
    await rm(join(directory, "original", archives[JANUARY]?.manifest.key ?? ""));
    await set.refresh();
    assert.equal(set.tiers[JANUARY], "missing");
    await assert.rejects(set.up(program(PINNED)));
    assert.deepEqual(await payloads(), []);
  });
});
