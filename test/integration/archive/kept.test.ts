/** What a state keeps of archived partitions that are not where a program has its own, and when it forgets them. */
import assert from "node:assert/strict";
import { mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client } from "pg";
import type { Properties } from "../../../provider/values";
import { describeOnOldestAndNewest } from "../../support/postgres";
import { openForEachTest } from "../postgres/opened";
import { OneResource } from "./one-resource";

describeOnOldestAndNewest("archived partitions that nobody declares any more", (server) => {
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
    await client.query("INSERT INTO events VALUES (1, '2026-01-06'), (2, '2026-02-13'), (3, '2026-04-26')");
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  const program = (every: string, more: Properties = {}): Properties => ({
    table: "events",
    partitionBy: { range: { column: "at", type: "timestamptz", every } },
    window: { from: "2026-01", ahead: 0 },
    asOf: "2026-05-01",
    archive: { store: `file://${directory}` },
    ...more,
  });
  const OLD: Properties = { lifecycle: [{ after: "1 month", tier: "archived" }] };
  const FIRST_QUARTER =
    "CREATE TABLE events_2026_q1 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2026-04-01')";

  const kept = () => Object.keys((set.outputs.archives ?? {}) as Properties);
  const MONTHS = ["events_2026_01", "events_2026_02", "events_2026_03"];
  const REFUSED = /partitions\.events_2026_q1: .*the archive has rows of that range by other bounds: events_2026_01/;

  const quarterIsThere = async () =>
    (await client.query("SELECT to_regclass('events_2026_q1') IS NOT NULL AS there")).rows[0].there as boolean;
  const ids = async () => (await client.query("SELECT array_agg(id::int ORDER BY id) AS ids FROM events")).rows[0].ids;

  it("are kept while a table with another bound stands in their range, and stop an empty one after it", async () => {
    await set.up(program("month", OLD));
    assert.deepEqual(kept(), MONTHS);
    await client.query(FIRST_QUARTER);
    await set.up(program("quarter"));
    assert.deepEqual(kept(), MONTHS);
    await set.refresh();
    assert.deepEqual(kept(), MONTHS);
    await client.query("DROP TABLE events_2026_q1");
    await set.refuses(program("quarter"), REFUSED);
    assert.equal(await quarterIsThere(), false);
    assert.deepEqual(kept(), MONTHS);
  });

  it("are kept when the window has moved on, and when the store is away for a while", async () => {
    await set.up(program("month", OLD));
    const later = program("month", { window: { from: "2026-04", ahead: 0 } });
    await set.preview(later);
    assert.match(set.text, /info: events_2026_01, .*archived, and not declared any more\. The state keeps them/);
    await set.up(later);
    assert.deepEqual(kept(), MONTHS);
    await set.preview(later);
    assert.doesNotMatch(set.text, /not declared any more/);
    await rename(directory, `${directory}.away`);
    await set.up({ ...later, asOf: "2026-06-01" });
    assert.deepEqual(kept(), MONTHS);
    await rm(directory, { recursive: true, force: true });
    await rename(`${directory}.away`, directory);
    await set.refuses(program("quarter"), REFUSED);
    await set.up(program("month"));
    assert.deepEqual(await ids(), [1, 2, 3]);
  });

  it("do not stop an update when the store has deleted them by its own rules", async () => {
    await set.up(program("month", OLD));
    const later = program("month", { window: { from: "2026-04", ahead: 0 } });
    await set.up(later);
    await rm(directory, { recursive: true });
    await set.up({ ...later, asOf: "2026-06-01" });
    assert.deepEqual(kept(), MONTHS);
    await set.refuses(
      program("quarter"),
      /The store has not .*events_2026_01.*give them up declare partitions: \{"events_2026_01"/,
    );
  });

  it("are forgotten when they are declared as dropped, next to the partition that takes their range", async () => {
    await set.up(program("month", OLD));
    await set.refuses(program("quarter"), REFUSED);
    const recorded = set.outputs.archives as Record<string, { bound: Properties }>;
    const dropped = Object.entries(recorded).map(([name, { bound }]) => [name, { ...bound, tier: "dropped" }]);
    await set.up(program("quarter", { partitions: Object.fromEntries(dropped) }));
    assert.deepEqual(kept(), []);
    assert.equal(await quarterIsThere(), true);
    await set.up(program("quarter"));
    assert.deepEqual(kept(), []);
  });

  it("are forgotten when the lifecycle gives up their range, whatever the periods are by then", async () => {
    await set.up(program("month", OLD));
    await set.up(program("quarter", { lifecycle: [{ after: "1 month", tier: "dropped" }] }));
    assert.deepEqual(kept(), []);
  });

  it("are found after an update that nobody recorded, by another program too", async () => {
    const before = set.outputs;
    await set.up(program("month", OLD));
    set.outputs = before;
    await set.refuses(program("quarter"), REFUSED);
    assert.deepEqual(kept(), MONTHS);
  });

  it("are not held against a table that their rows went on into after they were back", async () => {
    await set.up(program("month", OLD));
    await set.up(program("month"));
    assert.deepEqual(kept(), []);
    await set.up(program("quarter"));
    assert.deepEqual(kept(), []);
    await set.up(program("quarter"));
    assert.deepEqual(await ids(), [1, 2, 3]);
  });

  it("are kept beside another one of their name that has another range", async () => {
    await set.up(program("month", OLD));
    await client.query(
      "CREATE TABLE events_2026_01 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2025-02-01')",
    );
    await client.query("INSERT INTO events VALUES (0, '2025-01-06')");
    const january = { from: "2025-01-01 00:00:00+00", to: "2025-02-01 00:00:00+00" };
    const other = (tier: string) =>
      program("month", { window: { from: "2026-04", ahead: 0 }, partitions: { events_2026_01: { ...january, tier } } });
    await set.up(other("live"));
    await set.up(other("archived"));
    const bounds = Object.values(set.outputs.archives as Record<string, { bound: { from: string } }>);
    assert.deepEqual(bounds.map(({ bound }) => bound.from.slice(0, 7)).sort(), [
      "2025-01",
      "2026-01",
      "2026-02",
      "2026-03",
    ]);
    await set.up(other("live"));
    assert.deepEqual(await ids(), [0, 3]);
    await set.refresh();
    assert.deepEqual(kept().length, 3);
  });
});
