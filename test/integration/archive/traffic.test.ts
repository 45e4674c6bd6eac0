/** An application at work while a month beside its own leaves for the archive and comes back: nothing of it fails. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client } from "pg";
import { Months } from "../../support/months";
import { describeOnOldestAndNewest, type TestDatabase } from "../../support/postgres";
import { startTraffic } from "../../support/traffic";
import { openForEachTest } from "../postgres/opened";

/** A statement that waits so long has been forgotten by somebody; how long it may wait is measured by bench:archive. */
const FORGOTTEN_MS = 20_000;
const ROWS = 20_000;
const MARCH = "at >= '2026-03-01Z' AND at < '2026-04-01Z'";

/** What is written to months that stay, and what is read of all of them. */
const JOBS = [
  [`SELECT count(*) FROM events WHERE ${MARCH}`],
  ["SELECT count(*), max(payload) FROM events"],
  ["SELECT * FROM events WHERE id = 17"],
  ["INSERT INTO events SELECT nextval('ids'), '2026-03-10Z', 1, 'new' FROM generate_series(1, 20)"],
  [
    "INSERT INTO events VALUES (nextval('ids'), '2026-04-10Z', 2, 'new')",
    `UPDATE events SET payload = payload || '.' WHERE id % 50 = 0 AND ${MARCH}`,
    `DELETE FROM events WHERE id % 7 = 0 AND id > 2000000 AND ${MARCH}`,
  ],
  [
    "BEGIN ISOLATION LEVEL REPEATABLE READ",
    `SELECT count(*) FROM events WHERE ${MARCH}`,
    "INSERT INTO events VALUES (nextval('ids'), '2026-03-20Z', 1, 'new')",
    "COMMIT",
  ],
  // Written to as well: the partitions reference it.
  ["UPDATE account SET name = name || '.' WHERE id = 1", "UPDATE account SET name = 'one' WHERE id = 1"],
];

describeOnOldestAndNewest("an application while a month leaves for the archive and comes back", (server) => {
  let database: TestDatabase;
  let client: Client;
  let directory: string;
  let months: Months;

  openForEachTest(server, (opened) => {
    ({ database, client } = opened);
  });
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "archive-test-"));
    months = new Months(database.connection, `file://${directory}`, {
      type: "timestamptz",
      asOf: "2026-04",
      columns: [
        { name: "account", type: "bigint" },
        { name: "payload", type: "text" },
      ],
      table: {
        primaryKey: ["id", "at"],
        foreignKeys: [{ columns: ["account"], references: { table: "account", columns: ["id"] } }],
      },
    });
  });
  afterEach(() => rm(directory, { recursive: true }));

  const january = async () => {
    const text = `SELECT count(*)::int AS n, md5(string_agg(e::text, ',' ORDER BY id)) AS hash FROM events AS e
      WHERE at < '2026-02-01Z'`;
    return (await client.query(text)).rows[0];
  };

  it("has no statement fail, whatever tier the month takes", async () => {
    await client.query("CREATE TABLE account (id bigint PRIMARY KEY, name text); CREATE SEQUENCE ids START 2000000");
    await client.query("INSERT INTO account VALUES (1, 'one'), (2, 'two')");
    await months.up();
    await client.query(`INSERT INTO events SELECT i, '2026-01-01Z'::timestamptz + i * interval '5 min', 1 + i % 2, 'row ' || i
      FROM generate_series(0, ${ROWS}) AS i WHERE i * interval '5 min' < interval '110 days'`);
    const before = await january();
    const traffic = await startTraffic(database, JOBS, FORGOTTEN_MS);
    const exported = { lifecycle: [{ after: "2 months", tier: "exported" }] };
    const archived = { lifecycle: [{ after: "2 months", tier: "archived" }] };
    const pinned = { ...archived, pins: [{ from: "2026-01", to: "2026-02" }] };
    const seen: unknown[] = [];
    try {
      for (const declared of [exported, archived, pinned, archived, pinned]) {
        await months.up(declared);
        seen.push(months.tiers.events_2026_01);
      }
    } finally {
      const { statements, failures } = await traffic.stop();
      assert.deepEqual(failures, []);
      assert.ok(statements > JOBS.length * seen.length, `${statements} statements`);
    }
    assert.deepEqual(seen, ["exported", "archived", "live", "archived", "live"]);
    assert.deepEqual(await january(), before);
  });

  it("has the rows of a restored month looked through for its foreign key beside it, before the month is attached", async () => {
    await client.query(
      "CREATE TABLE account (id bigint PRIMARY KEY, name text); INSERT INTO account VALUES (1, 'one')",
    );
    await months.up();
    await client.query("INSERT INTO events VALUES (1, '2026-01-01Z', 1, 'row')");
    await months.up({ lifecycle: [{ after: "2 months", tier: "archived" }] });
    await database.logStatements();
    await months.up();
    const sent = (await database.statements()).filter((sql) => /FOREIGN KEY|VALIDATE|ATTACH/.test(sql));
    assert.deepEqual(
      sent.map((sql) => /NOT VALID|VALIDATE|ATTACH/.exec(sql)?.[0]),
      ["NOT VALID", "VALIDATE", "ATTACH"],
    );
    const { rows } = await client.query(`SELECT convalidated, conparentid <> 0 AS inherited FROM pg_constraint
      WHERE conrelid = 'events_2026_01'::regclass AND contype = 'f'`);
    assert.deepEqual(rows, [{ convalidated: true, inherited: true }]);
  });
});
