/** Several exports at a time: in sessions that nobody else needs, and none of them is another one's bad luck. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import type { ArchiveRun, Archiver } from "../../../postgres/archive/archiver";
import type { Sessions } from "../../../postgres/connection";
import { ArchiveError } from "../../../postgres/errors";
import type { ExecutionEvent } from "../../../postgres/executor";
import { describeOnOldestAndNewest, type TestDatabase } from "../../support/postgres";
import { openForEachTest } from "../postgres/opened";
import { carryOut, readParentOf, sessionsOn, step } from "../postgres/support";

const MONTHS = ["c0", "c1", "c2", "c3", "c4", "c5"];
const exportsOf = (names = MONTHS) => names.map((name, at) => step("export", name, { oid: at + 1 }));
const ids = (names: readonly string[]) => names.map((name) => `export:${name}`);

/** Does with each partition what a test wants. */
function archiverOf(parallel: number, work: (run: ArchiveRun) => Promise<void>): Archiver {
  const all = async (run: ArchiveRun) => {
    await work(run);
    return "done" as const;
  };
  return { parallel, export: all, restore: all, prove: work, close: () => undefined };
}

/** Lets nobody through until so many have come; the next so many wait for each other again. */
function gate(size: number): () => Promise<void> {
  let come: (() => void)[] = [];
  return () =>
    new Promise((resolve) => {
      come.push(resolve);
      if (come.length < size) return;
      for (const open of come) open();
      come = [];
    });
}

describeOnOldestAndNewest("exports at a time", (server) => {
  let database: TestDatabase;
  let client: Client;
  let sessions: Sessions | undefined;

  openForEachTest(server, (opened) => {
    ({ database, client } = opened);
  });
  beforeEach(async () => {
    await client.query("CREATE SCHEMA s; CREATE TABLE s.p (k int NOT NULL) PARTITION BY RANGE (k)");
  });
  afterEach(() => sessions?.close());

  const open = (maxConnections: number) => {
    sessions = sessionsOn(database.connection, { maxConnections });
    return sessions;
  };

  for (const [parallel, maxConnections, expected] of [
    [3, 4, 3],
    [6, 2, 2],
    [4, 1, 1],
  ] as const)
    it(`are ${expected} when ${parallel} are wanted and there are ${maxConnections} sessions`, async () => {
      const pids = new Set<number>();
      const together = gate(expected);
      const archiver = archiverOf(parallel, async ({ session }) => {
        pids.add(session.pid);
        await session.query("SELECT 1");
        await together();
      });
      const report = await carryOut(open(maxConnections), exportsOf(), { archiver });
      assert.deepEqual([[...report.done].sort(), report.failed, report.skipped], [ids(MONTHS), [], []]);
      assert.equal(pids.size, expected);
    });

  it("use no session that somebody waits for", async () => {
    const pool = open(2);
    const together = gate(2);
    const lanes: number[] = [];
    let other: Promise<void> | undefined;
    const archiver = archiverOf(2, async ({ session }) => {
      lanes.push(session.pid);
      if (lanes.length <= 2) await together();
      // From here on another set wants to be looked at.
      other ??= pool.withSession(async (third) => void (await third.query("SELECT 1")));
      await session.query("SELECT 1");
    });
    const report = await carryOut(pool, exportsOf(), { archiver });
    await other;
    assert.equal(report.done.length, MONTHS.length);
    assert.equal(new Set(lanes.slice(3)).size, 1, "the other one was given back");
  });

  it("that the server has no session for are done one by one", async () => {
    await client.query("CREATE ROLE alone LOGIN PASSWORD 'alone' CONNECTION LIMIT 1");
    await client.query("GRANT USAGE ON SCHEMA s TO alone");
    sessions = sessionsOn({ ...database.connection, user: "alone", password: "alone" }, { maxConnections: 4 });
    const parent = await readParentOf(sessions);
    const pids = new Set<number>();
    const archiver = archiverOf(3, async ({ session }) => void pids.add(session.pid));
    const report = await carryOut(sessions, exportsOf(), { archiver, parent });
    await client.query("REVOKE USAGE ON SCHEMA s FROM alone");
    await sessions.close();
    await client.query("DROP OWNED BY alone; DROP ROLE alone");
    assert.deepEqual([report.done.length, report.failed, pids.size], [MONTHS.length, [], 1]);
  });

  it("go on when one fails, which is named", async () => {
    const archiver = archiverOf(2, async ({ step: { partition } }) => {
      if (partition === "c1") throw new ArchiveError("the disk of c1 is full");
    });
    const report = await carryOut(open(2), exportsOf(), { archiver });
    assert.deepEqual([...report.done].sort(), ids(MONTHS.filter((name) => name !== "c1")));
    assert.deepEqual(report.failed, [
      { step: "export:c1", error: { sqlstate: undefined, reason: "the disk of c1 is full" } },
    ]);
  });

  for (const [title, victim] of [
    ["another session's backend ends", "other"],
    ["the run's own backend ends", "own"],
  ] as const)
    it(`${victim === "own" ? "stop" : "go on"} when ${title}`, async () => {
      const together = gate(2);
      const began: number[] = [];
      let own: number | undefined;
      let failed = () => {};
      const failure = new Promise<void>((resolve) => {
        failed = resolve;
      });
      const archiver = archiverOf(2, async ({ session }) => {
        began.push(session.pid);
        if (began.length <= 2) await together();
        if (own === undefined) {
          const { rows } = await client.query("SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted");
          own = rows[0].pid as number;
        }
        if ((session.pid === own) === (victim === "own")) {
          await client.query("SELECT pg_terminate_backend($1)", [session.pid]);
        } else await failure;
        await session.query("SELECT 1");
      });
      const onEvent = ({ type }: ExecutionEvent) => type === "failed" && failed();
      const report = await carryOut(open(2), exportsOf(), { archiver, onEvent });
      assert.equal(report.failed.length, 1);
      assert.match(report.failed[0]?.error.reason ?? "", /session with the server was lost/);
      assert.equal(report.lost, victim === "own" ? true : undefined);
      assert.equal(report.done.length, victim === "other" ? MONTHS.length - 1 : 1);
      assert.equal(report.skipped.length, victim === "other" ? 0 : MONTHS.length - 2);
    });

  it("end at once when the run is cancelled, whatever they wait for", async () => {
    const stop = new AbortController();
    const together = gate(2);
    const archiver = archiverOf(2, async ({ session, signal }) => {
      await together();
      setImmediate(() => stop.abort());
      await session.query("SELECT pg_sleep(1000)");
      signal?.throwIfAborted();
    });
    const report = await carryOut(open(2), exportsOf(), { archiver, signal: stop.signal });
    assert.deepEqual([report.done, report.failed], [[], []]);
    assert.equal(report.skipped.length, MONTHS.length);
    // The server ends a statement a moment after it was asked to.
    const active = "SELECT FROM pg_stat_activity WHERE query ~ '^SELECT pg_sleep.1000' AND state = 'active'";
    while (((await client.query(active)).rowCount ?? 0) > 0);
  });
});
