/**
 * Partitions that come back from the archive, and are to have a copy: one update brings them to where its preview promised. (Before
 * 15 PostgreSQL tells counters late, and it may take a second update to see that nothing has changed.)
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client } from "pg";
import type { Properties } from "../../../provider/values";
import { ARCHIVED, EXPORTED, Months } from "../../support/months";
import { describeOnNewest, type TestDatabase } from "../../support/postgres";
import { openForEachTest } from "../postgres/opened";
import { OneResource } from "./one-resource";
import { keysIn } from "./support";

describeOnNewest("a partition that comes back from the archive to be exported", (server) => {
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
    await set.up(program());
    await client.query("INSERT INTO events SELECT i, '2026-01-10', 'row ' || i FROM generate_series(1, 500) AS i");
    await set.up(program(ARCHIVED));
  });
  afterEach(() => rm(directory, { recursive: true }));

  const program = (more: Properties = {}): Properties =>
    new Months(database.connection, `file://${directory}`).program(more).set;

  it("is exported after that update, and no row is written a second time", async () => {
    const { partitions } = (await set.preview(program(EXPORTED))) as { partitions: Record<string, { tier: string }> };
    assert.equal(partitions.events_2026_01?.tier, "exported");
    assert.match(
      set.text,
      /restore.*ATTACH PARTITION.*COPY "public"\."events_2026_01" \("id", "at", "payload"\) TO STDOUT/s,
    );
    const objects = await keysIn(directory);
    await set.up(program(EXPORTED));
    assert.equal(set.tiers.events_2026_01, "exported");
    assert.equal((await client.query("SELECT count(*)::int AS n FROM events")).rows[0].n, 500);
    const rows = (keys: string[]) => keys.filter((key) => key.endsWith(".zst"));
    assert.deepEqual(rows(await keysIn(directory)), rows(objects));
    await set.preview(program(EXPORTED));
    assert.deepEqual(set.diff(program(EXPORTED)), []);
  });
});
