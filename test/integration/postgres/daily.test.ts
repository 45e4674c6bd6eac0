/** Daily partitions for a year in zones whose clocks change at midnight, on a real server. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import { Temporal } from "temporal-polyfill";
import type { Sessions } from "../../../postgres/connection";
import { NEWEST_MAJOR } from "../../../postgres/parent";
import type { PartitionBound } from "../../../topology/model";
import { LiveSet } from "../../support/live-set";
import { describeOnEachPostgres, type TestDatabase } from "../../support/postgres";
import { prepareStatements } from "../../support/prepared";
import { sessionsOn } from "./support";

/**
 * Havana, Cairo and Beirut leave midnight out in spring; in autumn Havana and the Azores have it twice, and Cairo and
 * Beirut go back into the day before.
 */
const ZONES = ["America/Havana", "Africa/Cairo", "Asia/Beirut", "Atlantic/Azores", "America/New_York", "Asia/Kolkata"];

describeOnEachPostgres("daily partitions", (server) => {
  let database: TestDatabase;
  let sessions: Sessions;
  let client: Client;
  let endPreparing: () => void;

  before(async () => {
    endPreparing = prepareStatements();
    database = await server().createDatabase();
    sessions = sessionsOn(database.connection);
    client = await database.client();
    await client.query(`ALTER DATABASE ${database.connection.database} SET plan_cache_mode = force_generic_plan`);
  });

  after(async () => {
    endPreparing();
    await sessions?.close();
    await database?.drop();
  });

  const declared = (table: string, timezone: string, asOf: string, more: Record<string, unknown>) => ({
    table,
    partitionBy: { range: { column: "at", type: "timestamptz", every: "day", timezone } },
    asOf,
    ...more,
  });

  /** The whole of it on the newest version, the zone that leaves midnight out and repeats it on the others. */
  const zones = () => (server().major === NEWEST_MAJOR ? ZONES : ["America/Havana"]);
  const tableOf = (prefix: string, timezone: string) => `${prefix}_${timezone.split("/")[1]?.toLowerCase()}`;
  const create = (table: string) =>
    client.query(`CREATE TABLE ${table} (at timestamptz NOT NULL) PARTITION BY RANGE (at)`);

  it("of a whole year are its days: no gap, no overlap, and each row stands with the others of its day", async () => {
    for (const timezone of zones()) {
      const table = tableOf("year", timezone);
      await create(table);
      const window = { from: "2028-01-01", ahead: 0 };
      const { desired } = await new LiveSet(sessions).up(declared(table, timezone, "2028-12-31", { window }));
      assert.equal(Object.keys(desired.partitions).length, 366, timezone);
      assert.deepEqual(await gaps(table), [], timezone);
      await fill(table, timezone);
      const { rows: wrong } = await client.query(
        `SELECT tableoid::regclass, min(at), max(at) FROM ${table}
         GROUP BY tableoid, to_char(at AT TIME ZONE $1, 'YYYY_MM_DD')
         HAVING tableoid::regclass::text <> '${table}_' || to_char(min(at) AT TIME ZONE $1, 'YYYY_MM_DD')`,
        [timezone],
      );
      assert.deepEqual(wrong, [], timezone);
      const { rows: days } = await client.query(
        `SELECT count(DISTINCT tableoid) AS partitions, count(DISTINCT day) AS days, count(DISTINCT (tableoid, day)) AS pairs
         FROM ${table}, date_trunc('day', at, $1) AS day`,
        [timezone],
      );
      assert.deepEqual(days, [{ partitions: "366", days: "366", pairs: "366" }], timezone);
    }
  });

  /** Neighbours whose bounds do not meet, and empty ones. */
  async function gaps(table: string): Promise<unknown[]> {
    const { rows } = await client.query(
      `WITH bounds AS (
         SELECT (regexp_match(text, 'FROM \\(''([^'']+)''\\)'))[1]::timestamptz AS low,
           (regexp_match(text, 'TO \\(''([^'']+)''\\)'))[1]::timestamptz AS high
         FROM pg_inherits JOIN pg_class ON oid = inhrelid, pg_get_expr(relpartbound, oid) AS text WHERE inhparent = $1::regclass)
       SELECT low, high, next FROM (SELECT low, high, lead(low) OVER (ORDER BY low) AS next FROM bounds) pairs
       WHERE high <> next OR low >= high`,
      [table],
    );
    return rows;
  }

  /** Every half hour of the year, and the microseconds before and after it. */
  async function fill(table: string, timezone: string): Promise<void> {
    const { rowCount } = await client.query(
      `INSERT INTO ${table}
       SELECT at FROM (
         SELECT half + off * interval '1 microsecond' AS at
         FROM generate_series(timestamp '2028-01-01' AT TIME ZONE $1, timestamp '2028-12-31 23:30' AT TIME ZONE $1, '30 min') half,
           generate_series(-1, 1) off) any_time
       WHERE at >= timestamp '2028-01-01' AT TIME ZONE $1`,
      [timezone],
    );
    assert((rowCount ?? 0) > 366 * 48 * 2.9);
  }

  it("come and go one a day for a year, and none of them ever changes its name or its bound", async () => {
    for (const timezone of zones()) {
      const table = tableOf("roll", timezone);
      await create(table);
      const set = new LiveSet(sessions);
      const seen = new Map<string, PartitionBound>();
      const more = { window: { from: "2026-01-01", ahead: 1 }, lifecycle: [{ after: "1 day", tier: "dropped" }] };
      const [first, days] = server().major === NEWEST_MAJOR ? ["2026-01-03", 365] : ["2026-03-06", 5];
      for (let day = 0; day <= days; day++) {
        const asOf = Temporal.PlainDate.from(first).add({ days: day }).toString();
        const { desired, plan } = await set.up(declared(table, timezone, asOf, more));
        const kinds = plan.steps.map(({ kind }) => kind).sort();
        if (day > 0) assert.deepEqual(kinds, ["create", "detach", "drop"], `${timezone} ${asOf}`);
        for (const [name, { tier: _, ...bound }] of Object.entries(desired.partitions)) {
          assert.deepEqual(bound, seen.get(name) ?? bound, `${name} at ${asOf}`);
          seen.set(name, bound);
        }
      }
      assert.equal(seen.size, days + 3);
    }
  });
});
