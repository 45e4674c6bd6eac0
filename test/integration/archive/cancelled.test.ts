/** A run that is cancelled while rows are on their way: it ends, holds nothing, has nothing half done, and the next one finishes. */
import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Client } from "pg";
import type { Properties } from "../../../provider/values";
import { ARCHIVED, contentOf, Months, PINNED } from "../../support/months";
import { describeOnNewest, type TestDatabase } from "../../support/postgres";
import { openForEachTest } from "../postgres/opened";
import { OneResource } from "./one-resource";

const ROWS = `INSERT INTO events SELECT i, '2026-01-01'::date + i % 60, repeat('x', 300) FROM generate_series(1, 4000) AS i`;
/** Of some 600 kB in January: rows are on their way for seconds. */
const SLOW = 200_000;

const copying = (pattern: string) =>
  `SELECT FROM pg_stat_activity WHERE state <> 'idle' AND query LIKE '${pattern}' AND application_name = 'pulumi-pgpartition'`;
const PROVING =
  "SELECT FROM pg_locks WHERE mode = 'ShareLock' AND granted AND relation = to_regclass('public.events_2026_01')";

const MOMENTS = [
  { title: "it exports", from: {}, to: ARCHIVED, reached: copying("COPY % TO STDOUT%") },
  { title: "it proves", from: {}, to: ARCHIVED, reached: `${copying("COPY % TO STDOUT%")} AND EXISTS (${PROVING})` },
  { title: "it restores", from: ARCHIVED, to: PINNED, reached: copying("COPY % FROM STDIN%") },
];

/** Of everybody but the test. */
const HELD = `SELECT l.locktype, l.mode, a.query FROM pg_locks l JOIN pg_stat_activity a USING (pid)
  WHERE a.application_name = 'pulumi-pgpartition' AND l.locktype IN ('relation', 'advisory')`;

describeOnNewest("a run that is cancelled", (server) => {
  let database: TestDatabase;
  let client: Client;
  let directory: string;
  let set: OneResource;

  openForEachTest(server, (opened) => {
    ({ database, client } = opened);
  });
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "archive-test-"));
    set = new OneResource(database.connection);
    await client.query("CREATE TABLE events (id bigint, at date NOT NULL, payload text) PARTITION BY RANGE (at)");
    await set.up(program({}));
    await client.query(ROWS);
  });
  afterEach(() => rm(directory, { recursive: true }));

  const program = (more: Properties, archive: Properties = {}): Properties =>
    new Months(database.connection, `file://${directory}`, { archive }).program(more).set;

  for (const { title, from, to, reached } of MOMENTS)
    it(`while ${title}`, async () => {
      const whole = await contentOf(client);
      await set.up(program(from));
      const before = set.outputs;
      const failing = set.up(program(to, { bytesPerSecond: SLOW })).then(
        () => assert.fail("it went through"),
        (error: Error & { reasons?: string[] }) => (error.reasons ?? [error.message]).join("\n"),
      );
      while ((await client.query(`SELECT EXISTS (${reached}) AS met`)).rows[0]?.met !== true) await pause(5);
      await set.cancel();
      assert.match(await failing, /cancelled/);
      assert.deepEqual((await client.query(HELD)).rows, []);
      const left = (await readdir(directory, { recursive: true })).filter((name) => name.endsWith(".unfinished"));
      assert.deepEqual(left, []);
      set.outputs = before;
      await set.up(program(to));
      await set.up(program({ ...ARCHIVED, pins: [{ from: "2026-01", to: "2026-04" }] }));
      assert.deepEqual(await contentOf(client), whole);
    });
});
