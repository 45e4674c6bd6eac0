/** Whoever writes while a partition leaves: what he has seen committed is in the table or in the archive. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client } from "pg";
import type { Archiver } from "../../../postgres/archive/archiver";
import type { Sessions } from "../../../postgres/connection";
import { describeOnOldestAndNewest, type TestDatabase } from "../../support/postgres";
import { openForEachTest } from "../postgres/opened";
import { SetUnderTest } from "../tree/support";

type Raw = Record<string, unknown>;

const EVENTS = "CREATE TABLE events (id int NOT NULL, at date NOT NULL, payload text) PARTITION BY RANGE (at)";
const ROWS = "INSERT INTO events SELECT i, '2026-01-01'::date + i % 31, 'row ' || i FROM generate_series(1, 300) AS i";

/** Statements of one transaction, which adds the row of its number or changes that of it. */
const WRITERS: Record<string, (id: number) => string[]> = {
  "an INSERT into the partition": (id) => [`INSERT INTO events_2026_01 VALUES (${id}, '2026-01-05', 'new')`],
  "an INSERT through the parent": (id) => [`INSERT INTO events VALUES (${id}, '2026-01-05', 'new')`],
  "an UPDATE": (id) => [`UPDATE events_2026_01 SET payload = 'changed', id = ${id} WHERE id = ${id % 100}`],
  "a DELETE with an INSERT": (id) => [
    `DELETE FROM events_2026_01 WHERE id = ${100 + (id % 100)}`,
    `INSERT INTO events_2026_01 VALUES (${id}, '2026-01-06', 'instead')`,
  ],
  "a COPY": (id) => [`COPY events_2026_01 FROM PROGRAM 'echo ${id},2026-01-07,copied' WITH (FORMAT csv)`],
  "a row lock before an UPDATE": (id) => [
    `SELECT FROM events_2026_01 WHERE id = ${200 + (id % 100)} FOR UPDATE`,
    `UPDATE events_2026_01 SET id = ${id} WHERE id = ${200 + (id % 100)}`,
  ],
  "what a subscription applies": (id) => [
    "SET LOCAL session_replication_role = replica",
    `INSERT INTO events_2026_01 VALUES (${id}, '2026-01-08', 'replicated')`,
  ],
  "a TRUNCATE with an INSERT": (id) => [
    "TRUNCATE events_2026_01",
    `INSERT INTO events_2026_01 VALUES (${id}, '2026-01-09', 'only')`,
  ],
};

/** The table is gone, or is no partition any more. */
const GONE = ["42P01", "23514"];

describeOnOldestAndNewest("writers while a partition leaves for the archive", (server) => {
  let database: TestDatabase;
  let client: Client;
  let sessions: Sessions;
  let stack: SetUnderTest;
  let directory: string;

  openForEachTest(server, (opened) => {
    ({ database, client, sessions } = opened);
    stack = new SetUnderTest(sessions);
  });
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "archive-test-"));
    await client.query(EVENTS);
    await stack.settle(months());
    await client.query(ROWS);
  });
  afterEach(() => rm(directory, { recursive: true }));

  const months = (more: Raw = {}): Raw => ({
    table: "events",
    partitionBy: { range: { column: "at", type: "date", every: "month" } },
    window: { from: "2026-01", ahead: 0 },
    asOf: "2026-02",
    archive: { store: `file://${directory}` },
    ...more,
  });
  const aged = () => months({ lifecycle: [{ after: "0 months", tier: "archived" }] });

  const ids = async () =>
    (await client.query<{ id: number }>("SELECT id FROM events ORDER BY id")).rows.map(({ id }) => id);
  const exists = async () =>
    (await client.query("SELECT to_regclass('events_2026_01') IS NOT NULL AS there")).rows[0].there;

  const locks = async (mode: string) =>
    (
      await client.query(
        "SELECT FROM pg_locks WHERE relation = to_regclass('events_2026_01') AND mode = $1 AND granted",
        [mode],
      )
    ).rows.length;

  /** One transaction of each writer; which of them were committed, and the SQLSTATEs of the others. */
  async function write(writers: [title: string, id: number][]): Promise<{ committed: number[]; refused: string[] }> {
    const committed: number[] = [];
    const refused: string[] = [];
    const work = writers.map(async ([title, id]) => {
      const writer = await database.client("application");
      try {
        for (const sql of ["BEGIN", ...WRITERS[title]!(id), "COMMIT"]) await writer.query(sql);
        committed.push(id);
      } catch (error) {
        refused.push((error as { code: string }).code);
      } finally {
        await writer.end();
      }
    });
    await Promise.all(work);
    return { committed, refused };
  }

  /** All that ask for a lock that excludes the proof's. */
  const many = (from: number) =>
    Object.keys(WRITERS)
      .filter((title) => title !== "a row lock before an UPDATE")
      .map((title, at): [string, number] => [title, from + at]);

  /** Archives until it is done, and brings the rows back. */
  async function archiveAndRestore(): Promise<void> {
    stack.around = undefined;
    for (let run = 0; (await exists()) && run < 3; run++) await stack.up(aged());
    assert.equal(await exists(), false);
    await stack.settle(months());
  }

  it("who come between the lock and the DROP wait, and are told that the table is gone", async () => {
    const before = await ids();
    const waiting: Promise<{ committed: number[]; refused: string[] }>[] = [];
    stack.around = (archiver): Archiver => ({
      parallel: archiver.parallel,
      close: () => archiver.close(),
      export: (run) => archiver.export(run),
      restore: (run) => archiver.restore(run),
      async prove(run) {
        waiting.push(write(many(1_000)));
        await archiver.prove(run);
        waiting.push(write(many(2_000)));
      },
    });
    const { failed } = await stack.up(aged());
    assert.deepEqual(failed, []);
    const outcomes = await Promise.all(waiting);
    assert.deepEqual(
      outcomes.flatMap(({ committed }) => committed),
      [],
    );
    assert.deepEqual(
      outcomes.flatMap(({ refused }) => refused).filter((code) => !GONE.includes(code)),
      [],
    );
    assert.equal(outcomes.flatMap(({ refused }) => refused).length, 2 * many(0).length);
    await archiveAndRestore();
    assert.deepEqual(await ids(), before);
  });

  it("who hold a row lock already when the table is to go keep it, and write", async () => {
    let waiting = write([]);
    stack.around = (archiver): Archiver => ({
      parallel: archiver.parallel,
      close: () => archiver.close(),
      export: (run) => archiver.export(run),
      restore: (run) => archiver.restore(run),
      async prove(run) {
        await archiver.prove(run);
        waiting = write([["a row lock before an UPDATE", 1_001]]);
        while ((await locks("RowShareLock")) === 0);
      },
    });
    const { failed } = await stack.up(aged());
    assert.match(failed.join(), /holds ROW SHARE/);
    assert.deepEqual((await waiting).committed, [1_001]);
    await archiveAndRestore();
    assert.ok((await ids()).includes(1_001));
  });

  for (const title of Object.keys(WRITERS))
    it(`keep the table when ${title} comes after the export, and its row is archived by the next run`, async () => {
      stack.around = (archiver): Archiver => ({
        parallel: archiver.parallel,
        close: () => archiver.close(),
        async export(run) {
          const outcome = await archiver.export(run);
          const { committed } = await write([[title, 1_001]]);
          assert.deepEqual(committed, [1_001]);
          return outcome;
        },
        restore: (run) => archiver.restore(run),
        prove: (run) => archiver.prove(run),
      });
      const { failed } = await stack.up(aged());
      assert.match(failed.join(), /than were exported/);
      assert.ok(await exists());
      const { rows } = await client.query<{ id: number }>("SELECT id FROM events_2026_01 ORDER BY id");
      await archiveAndRestore();
      assert.deepEqual(
        await ids(),
        rows.map(({ id }) => id),
      );
      assert.ok((await ids()).includes(1_001));
    });

  it("of a prepared transaction are waited for, and archived with the rest", async () => {
    await client.query(`BEGIN; INSERT INTO events_2026_01 VALUES (1001, '2026-01-09', 'prepared')`);
    await client.query("PREPARE TRANSACTION 'late'");
    const { failed } = await stack.up(aged());
    assert.match(failed.join(), /late/);
    assert.ok(await exists());
    await client.query("COMMIT PREPARED 'late'");
    await archiveAndRestore();
    assert.ok((await ids()).includes(1_001));
  });

  it("lose nothing that was committed, whenever they write", async () => {
    const known = new Set(await ids());
    let next = 10_000;
    /** A writer of a kind that leaves all other rows as they are. */
    const work = [
      "an INSERT into the partition",
      "a COPY",
      "what a subscription applies",
      "an INSERT through the parent",
    ].map(async (title) => {
      const committed: number[] = [];
      for (let count = 0; count < 25; count++) {
        next += 1;
        committed.push(...(await write([[title, next]])).committed);
      }
      return committed;
    });
    for (let run = 0; run < 4; run++) await stack.up(aged());
    for (const id of (await Promise.all(work)).flat()) known.add(id);
    await archiveAndRestore();
    assert.deepEqual(
      await ids(),
      [...known].sort((a, b) => a - b),
    );
  });
});
