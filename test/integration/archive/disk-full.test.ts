/** A store whose disk is full in the middle of an export, or may only be read: nothing is lost, and the next run finishes. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { logToStderr } from "../../../tools/processes";
import { describeOnOldestAndNewest } from "../../support/postgres";
import { type Opened, openForEachTest } from "../postgres/opened";
import { SetUnderTest } from "../tree/support";

const mount = (...args: string[]) => spawnSync("mount", args, { encoding: "utf8" });

describeOnOldestAndNewest("an archive on a disk that takes nothing", (server) => {
  let opened: Opened;
  let directory: string;

  openForEachTest(server, (one) => {
    opened = one;
  });
  beforeEach(function () {
    directory = mkdtempSync(join(tmpdir(), "archive-test-"));
    const { status, stderr } = mount("-t", "tmpfs", "-o", "size=256k", "none", directory);
    if (status === 0) return;
    rmSync(directory, { recursive: true });
    logToStderr(`      skipped, since no small disk can be made here: ${stderr}`);
    this.skip();
  });
  afterEach(() => {
    if (spawnSync("umount", [directory]).status === 0) rmSync(directory, { recursive: true });
  });

  const refusing = async (rows: number, failure: RegExp, mend: string) => {
    const { client, sessions } = opened;
    const stack = new SetUnderTest(sessions);
    const program = (tier: string) => ({
      table: "events",
      partitionBy: { range: { column: "at", type: "date" } },
      partitions: { events_2026: { from: "2026-01-01", to: "2027-01-01", tier } },
      archive: { store: `file://${directory}` },
    });
    const content = async () =>
      (
        await client.query(
          "SELECT count(*)::int AS n, md5(string_agg(e::text, ',' ORDER BY at, id)) AS hash FROM events AS e",
        )
      ).rows[0];
    await client.query("CREATE TABLE events (id int, at date NOT NULL, payload text) PARTITION BY RANGE (at)");
    await stack.settle(program("live"));
    // Two thirds of it are left after compression.
    await client.query(`INSERT INTO events SELECT i, '2026-01-01'::date + i % 300, md5(i::text) || md5((-i)::text)
      FROM generate_series(1, ${rows}) AS i`);
    const whole = await content();
    const { failed, done } = await stack.up(program("archived"));
    assert.deepEqual(done, []);
    assert.match(failed[0] ?? "", failure);
    assert.deepEqual(await content(), whole);
    const left = (await readdir(directory, { recursive: true })).filter((name) => name.includes(".zst"));
    assert.deepEqual(left, []);
    assert.equal(mount("-o", mend, directory).status, 0);
    await stack.settle(program("archived"));
    assert.equal((await content()).n, 0);
    await stack.settle(program("live"));
    assert.deepEqual(await content(), whole);
  };

  it("since it is full leaves the partition in its place, and finishes when there is room", () =>
    refusing(20_000, /^export:events_2026: .*ENOSPC.*there is no place left/, "remount,size=64m"));

  for (const rows of [0, 1, 20_000])
    it(`since it is read-only leaves a partition of ${rows} rows in its place, and finishes when it may be written`, () => {
      assert.equal(mount("-o", "remount,ro", directory).status, 0);
      return refusing(rows, /^export:events_2026: .*EROFS: read-only file system.*rights/, "remount,rw,size=64m");
    });
});
