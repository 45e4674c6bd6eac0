/** Copies of partitions whose rows went on into other tables: they are nobody's only copy. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client } from "pg";
import type { Properties } from "../../../provider/values";
import { describeOnNewest } from "../../support/postgres";
import { openForEachTest } from "../postgres/opened";
import { OneResource } from "./one-resource";

describeOnNewest("copies of months that were merged", (server) => {
  let client: Client;
  let directory: string;
  let set: OneResource;

  openForEachTest(server, (opened) => {
    client = opened.client;
    set = new OneResource(opened.database.connection);
  });
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "archive-test-"));
    await client.query("CREATE TABLE events (id bigint, at timestamptz, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)");
    await set.up(program("month"));
    await client.query("INSERT INTO events VALUES (1, '2026-01-10'), (2, '2026-02-10'), (3, '2026-03-10')");
    await set.up(program("month", "exported"));
    await set.up(program("2 months"));
  });
  afterEach(() => rm(directory, { recursive: true }));

  const program = (every: string, tier?: "exported" | "archived"): Properties => ({
    table: "events",
    partitionBy: { range: { column: "at", type: "timestamptz", every } },
    window: { from: "2026-01", ahead: 0 },
    asOf: "2026-04",
    archive: { store: `file://${directory}` },
    lifecycle: tier === undefined ? [] : [{ after: "1 month", tier }],
  });
  const rows = async () =>
    (await client.query("SELECT array_agg(id || ' ' || tableoid::regclass ORDER BY id) AS rows FROM events")).rows[0]
      .rows;
  const MERGED = ["1 events_2026_01", "2 events_2026_01", "3 events_2026_03"];

  it("are not taken for the rows, which are in another table", async () => {
    assert.deepEqual(await rows(), MERGED);
    await set.refuses(
      program("month", "archived"),
      /partitions\.events_2026_02.*public\.events_2026_01 holds 2026-01-01.* but 2026-02-01.* is to be archived/,
    );
    assert.deepEqual(await rows(), MERGED);
    assert.equal(set.tiers.events_2026_02, undefined);
    assert.equal(set.outputs.archives, undefined);
    await set.refresh();
    assert.equal(set.tiers.events_2026_02, undefined);
    assert.equal(set.outputs.archives, undefined);
  });

  it("are not taken for those of a table that an interrupted update has made", async () => {
    await client.query("UPDATE events SET id = 11 WHERE id = 1");
    const before = set.outputs;
    await set.up(program("month"));
    set.outputs = before;
    await set.up(program("month", "archived"));
    assert.deepEqual(await rows(), ["3 events_2026_03"]);
    await set.up(program("month"));
    assert.deepEqual(await rows(), ["2 events_2026_02", "3 events_2026_03", "11 events_2026_01"]);
  });

  it("hide nothing when the months are divided again, and these go to the archive with their rows", async () => {
    await set.refuses(program("month", "archived"), /is to be archived/);
    await client.query("INSERT INTO events VALUES (4, '2026-02-11')");
    await set.up(program("month"));
    assert.deepEqual(await rows(), ["1 events_2026_01", "2 events_2026_02", "3 events_2026_03", "4 events_2026_02"]);
    await set.up(program("month", "archived"));
    assert.deepEqual(await rows(), ["3 events_2026_03"]);
    assert.deepEqual([set.tiers.events_2026_01, set.tiers.events_2026_02], ["archived", "archived"]);
    await set.up(program("month"));
    assert.deepEqual(await rows(), ["1 events_2026_01", "2 events_2026_02", "3 events_2026_03", "4 events_2026_02"]);
  });
});
