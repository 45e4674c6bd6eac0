/** Rows that are, or go, where an export does not expect them: other leaves, other servers, behind rules and views. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client } from "pg";
import type { Properties } from "../../../provider/values";
import { describeOnNewest, type TestDatabase } from "../../support/postgres";
import { openForEachTest } from "../postgres/opened";
import { SetUnderTest } from "../tree/support";
import { changeRows, keysIn } from "./support";

const EVENTS = "CREATE TABLE events (id int NOT NULL, at date NOT NULL, tenant int, note text) PARTITION BY RANGE (at)";
const ROWS = "INSERT INTO events SELECT i, '2026-01-01'::date + i % 90, i % 2, 'row' FROM generate_series(1, 900) AS i";

describeOnNewest("an archive of rows that", (server) => {
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

  const months = (tier: string, more: Properties = {}): Properties => ({
    table: "events",
    partitionBy: { range: { column: "at", type: "date", every: "month" } },
    window: { from: "2026-01", ahead: 0 },
    asOf: "2026-03",
    archive: { store: `file://${directory}` },
    ...(tier === "live" ? {} : { lifecycle: [{ after: "1 month", tier }] }),
    ...more,
  });
  const content = async (table = "events") =>
    (
      await client.query<{ n: number; hash: string }>(
        `SELECT count(*)::int AS n, md5(string_agg(e::text, ',' ORDER BY e::text)) AS hash FROM ${table} AS e`,
      )
    ).rows[0];
  const oidOf = async (table: string): Promise<number | null> =>
    (await client.query("SELECT to_regclass($1)::oid::int AS oid", [table])).rows[0].oid;

  describe("move between the leaves of a partition", () => {
    const DIVIDED = {
      subPartitionBy: {
        partitionBy: { list: { column: "tenant", type: "integer", values: { even: ["0"], odd: ["1"] } } },
      },
    };
    /** Between the export and the deletion. */
    async function changedBetween(sql: string) {
      await stack.settle(months("live", DIVIDED));
      await changeRows(database, ROWS);
      const before = await content();
      stack.around = (archiver) => ({
        parallel: archiver.parallel,
        export: async (run) => {
          const done = await archiver.export(run);
          await client.query(sql);
          return done;
        },
        prove: (run) => archiver.prove(run),
        restore: (run) => archiver.restore(run),
        close: () => archiver.close(),
      });
      const run = await stack.up(months("archived", DIVIDED));
      stack.around = undefined;
      return { ...run, before };
    }

    it("is refused when their key was updated, and holds them where they are now after that", async () => {
      const { failed } = await changedBetween(
        "UPDATE events SET tenant = 1 - tenant WHERE at < '2026-01-05' AND id % 3 = 0",
      );
      const now = await content("(TABLE events UNION ALL TABLE events_2026_01)");
      assert.match(failed.join(), /drop.*events_2026_01.*holds other rows than were exported/);
      assert.equal(now?.n, 900);
      assert.ok(await oidOf("events_2026_01"));
      await stack.settle(months("archived", DIVIDED));
      assert.equal(await oidOf("events_2026_01"), null);
      await stack.settle(months("live", DIVIDED));
      assert.deepEqual(await content(), now);
    });

    it("holds when they have exchanged their tables and are the same rows", async () => {
      const { before, failed } = await changedBetween(
        `BEGIN; CREATE TEMPORARY TABLE odd AS SELECT * FROM events_2026_01_odd;
         ALTER TABLE events_2026_01 DETACH PARTITION events_2026_01_odd; ALTER TABLE events_2026_01 DETACH PARTITION events_2026_01_even;
         TRUNCATE events_2026_01_odd; INSERT INTO events_2026_01_odd TABLE events_2026_01_even;
         TRUNCATE events_2026_01_even; INSERT INTO events_2026_01_even TABLE pg_temp.odd;
         ALTER TABLE events_2026_01 ATTACH PARTITION events_2026_01_odd FOR VALUES IN (0);
         ALTER TABLE events_2026_01 ATTACH PARTITION events_2026_01_even FOR VALUES IN (1); COMMIT`,
      );
      assert.deepEqual(failed, []);
      assert.equal(await oidOf("events_2026_01"), null);
      await stack.settle(months("live", DIVIDED));
      assert.deepEqual(await content(), before);
    });
  });

  it("are on another server is not made: a foreign table stays, and is told to be one", async () => {
    await client.query(`CREATE FOREIGN DATA WRAPPER away; CREATE SERVER away FOREIGN DATA WRAPPER away;
      CREATE FOREIGN TABLE events_2026_01 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2026-02-01') SERVER away`);
    const oid = await oidOf("events_2026_01");
    for (const tier of ["live", "exported", "archived"]) {
      const { done, failed } = await stack.up(months(tier));
      assert.deepEqual(
        done.filter((id) => id.includes("2026_01")),
        [],
      );
      if (tier !== "live") assert.match(failed.join(), /"events_2026_01" is a foreign table.*another server/);
      assert.equal(await oidOf("events_2026_01"), oid);
    }
    assert.deepEqual(await keysIn(directory), []);
  });

  it("have a child by inheritance cannot be: PostgreSQL gives a partition none", async () => {
    await stack.settle(months("live"));
    await assert.rejects(client.query("CREATE TABLE child () INHERITS (events_2026_01)"), { code: "42809" });
    await client.query("CREATE TABLE child (LIKE events)");
    await assert.rejects(client.query("ALTER TABLE child INHERIT events_2026_01"), { code: "42809" });
  });

  it("are seen through views and changed through rules holds what the table holds", async () => {
    await stack.settle(months("live"));
    await changeRows(database, ROWS);
    await client.query(`CREATE VIEW shown AS SELECT id, at FROM events WHERE id % 2 = 0;
      CREATE RULE kept AS ON DELETE TO events DO INSTEAD NOTHING;
      CREATE RULE elsewhere AS ON INSERT TO events DO INSTEAD NOTHING`);
    const before = [await content(), await content("shown")];
    await stack.settle(months("archived"));
    assert.equal((await content())?.n, 590);
    await stack.settle(months("live"));
    assert.deepEqual([await content(), await content("shown")], before);
  });

  it("somebody has a view of stays in the database until the view is gone", async () => {
    await stack.settle(months("live"));
    await changeRows(database, ROWS);
    await client.query("CREATE VIEW january AS SELECT count(*) FROM events_2026_01");
    const before = await content("events_2026_01");
    const { failed, findings } = await stack.up(months("archived"));
    assert.match([...failed, ...findings].join(), /january/);
    assert.deepEqual(await content("events_2026_01"), before);
    await client.query("DROP VIEW january");
    await stack.settle(months("archived"));
    assert.equal(await oidOf("events_2026_01"), null);
  });
});
