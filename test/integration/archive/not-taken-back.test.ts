/** Rows that PostgreSQL has and would not take: bytes that are no characters, and what a constraint has never been asked about. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client } from "pg";
import { ROW_FORMATS } from "../../../topology/archive";
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
});
