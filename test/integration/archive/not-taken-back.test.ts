/** Rows that PostgreSQL has and would not take: bytes that are no characters, and what a constraint has never been asked about. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client } from "pg";
import { restoreBeside } from "../../../archive/beside";
import { FileStore } from "../../../archive/stores/file";
import { ROW_FORMATS } from "../../../topology/archive";
import { catalogSnapshot } from "../../support/catalog-snapshot";
import { describeOnEachPostgres, type TestDatabase } from "../../support/postgres";
import { openForEachTest } from "../postgres/opened";
import { SetUnderTest } from "../tree/support";
import { changeRows, keysIn } from "./support";

const EVENTS = "CREATE TABLE events (id int NOT NULL, at date NOT NULL, note text) PARTITION BY RANGE (at)";
const ROWS = "INSERT INTO events SELECT i, '2026-01-01'::date + i % 90, 'é' FROM generate_series(1, 900) AS i";

describeOnEachPostgres("rows that PostgreSQL would not take back", (server) => {
  let database: TestDatabase;
  let client: Client;
  let stack: SetUnderTest;
  let directory: string;

  openForEachTest(server, (opened) => {
    ({ database, client } = opened);
    stack = new SetUnderTest(opened.sessions);
  });
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "archive-test-"));
    await client.query(EVENTS);
  });
  afterEach(() => rm(directory, { recursive: true }));

  const months = (tier: string, archive: object = {}) => ({
    table: "events",
    partitionBy: { range: { column: "at", type: "date", every: "month" } },
    window: { from: "2026-01", ahead: 0 },
    asOf: "2026-03",
    archive: { store: `file://${directory}`, ...archive },
    ...(tier === "live" ? {} : { lifecycle: [{ after: "1 month", tier }] }),
  });

  for (const format of ROW_FORMATS)
    it(`are not archived as ${format} when they hold bytes that are no characters, and are named`, async () => {
      await stack.settle(months("live"));
      await changeRows(database, ROWS);
      // As a conversion of former times may have left them.
      await client.query("CREATE CAST (bytea AS text) WITHOUT FUNCTION");
      await changeRows(database, String.raw`UPDATE events SET note = '\x61c328'::bytea::text WHERE id = 5`);
      const { failed } = await stack.up(months("archived", { format }));
      assert.match(failed.join(), /"events_2026_01" holds bytes that are no character of UTF8: 0xc3\w* after "5.*a"\./);
      const { rows } = await client.query("SELECT count(*)::int AS n FROM events WHERE at < '2026-02-01'");
      assert.equal(rows[0].n, 310);
      assert.deepEqual(await keysIn(directory), []);
      const [, find = ""] = /All such rows: (SELECT .*\$')/.exec(failed.join()) ?? [];
      const found = await client.query(find);
      const there = await client.query("SELECT ctid FROM ONLY events_2026_01 WHERE id = 5");
      assert.deepEqual(found.rows, there.rows);
      await changeRows(database, "UPDATE events SET note = 'right' WHERE id = 5");
      await stack.settle(months("archived", { format }));
    });

  /** With buckets below each month: what is there of constraints has to be there on every level. */
  const divided = (tier: string) => ({
    ...months(tier),
    subPartitionBy: { partitionBy: { hash: { columns: ["id"], partitions: 2 } } },
  });
  const content = async () => [
    (await client.query("SELECT count(*)::int AS n, md5(string_agg(e::text, ',' ORDER BY id)) FROM events AS e")).rows,
    await catalogSnapshot(client, "public"),
  ];

  for (const [title, program] of Object.entries({ months, "divided months": divided }))
    it(`since a CHECK came that was never validated come back beside it (${title})`, async () => {
      await stack.settle(program("live"));
      await changeRows(database, ROWS);
      await client.query('ALTER TABLE events ADD CONSTRAINT "late!" CHECK (id > 100) NOT VALID');
      const before = await content();
      await stack.settle(program("archived"));
      await stack.settle(program("live"));
      assert.deepEqual(await content(), before);
      await assert.rejects(client.query("INSERT INTO events VALUES (1, '2026-01-05')"), { code: "23514" });
    });

  it("since a NOT NULL came that was never validated come back beside it, also by the manifest's own text", async function () {
    if (server().major < 18) this.skip();
    await stack.settle(months("live"));
    await changeRows(database, `${ROWS}; UPDATE events SET note = NULL WHERE id % 7 = 0`);
    await client.query("ALTER TABLE events ADD CONSTRAINT late NOT NULL note NOT VALID");
    const before = await content();
    await stack.settle(months("archived"));
    const [, key = ""] = /^(.*manifest\.json)$/m.exec((await keysIn(directory)).join("\n")) ?? [];
    const store = new FileStore(directory);
    const into = { schema: "public", name: "january" };
    await stack.sessions.withSession((session) =>
      restoreBeside({ session, store, manifest: { key, bytes: 0 }, into, indexes: true }),
    );
    const { rows } = await client.query("SELECT count(*)::int AS n FROM january WHERE note IS NULL");
    assert.equal(rows[0].n, 45);
    await client.query("DROP TABLE january");
    await stack.settle(months("live"));
    assert.deepEqual(await content(), before);
    await assert.rejects(client.query("INSERT INTO events VALUES (1, '2026-01-05')"), { code: "23502" });
  });
});
