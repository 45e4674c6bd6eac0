/** Every kind of key and interval on a real server: its bounds are what PostgreSQL prints, and rows at borders meet them. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import { readSet } from "../../../postgres/catalog";
import type { Sessions } from "../../../postgres/connection";
import type { RangeBy } from "../../../resources";
import { LiveSet } from "../../support/live-set";
import { describeOnEachPostgres } from "../../support/postgres";
import { openForSuite } from "./opened";

interface Kind {
  /** Type of the key column. */
  type: string;
  range: Omit<RangeBy, "column" | "type">;
  /** The two moments at which the set is brought up to date, and what else is declared. */
  asOf: [string | number, string | number];
  more?: Record<string, unknown>;
  /** SQL of a value of the key, and the partition that takes it; "": none does. */
  rows: Record<string, string>;
}

const NEW_YORK = "America/New_York";
const uuid = (instant: string, rest = "7000-8000-000000000000") =>
  `(SELECT left(h, 8) || '-' || right(h, 4) || '-${rest}' FROM lpad(to_hex((extract(epoch FROM timestamptz '${instant}') * 1000)::bigint), 12, '0') h)::uuid`;
const seconds = (instant: string) => `extract(epoch FROM timestamptz '${instant}')`;
const millis = (instant: string) => `extract(epoch FROM timestamptz '${instant}') * 1000`;

const KINDS: Record<string, Kind> = {
  uuid_months: {
    type: "uuid",
    range: { every: "month" },
    asOf: ["2026-01", "2026-02"],
    more: { defaultPartition: true },
    rows: {
      [uuid("2026-01-01 00:00:00Z", "0000-0000-000000000000")]: "uuid_months_2026_01",
      [uuid("2026-01-31 23:59:59.999Z", "7fff-bfff-ffffffffffff")]: "uuid_months_2026_01",
      [uuid("2026-02-01 00:00:00Z")]: "uuid_months_2026_02",
      "'f47ac10b-58cc-4372-a567-0e02b2c3d479'": "uuid_months_default",
    },
  },
  uuid_days: {
    type: "uuid",
    range: { every: "day", timezone: NEW_YORK },
    asOf: ["2026-03-07", "2026-03-08"],
    more: { partitions: { uuid_before: { from: "2026-01-01", to: "2026-03-07" } } },
    rows: {
      [uuid("2026-03-07 04:59:59.999Z")]: "uuid_before",
      [uuid("2026-03-08 05:00:00Z")]: "uuid_days_2026_03_08",
      [uuid("2026-03-09 03:59:59.999Z")]: "uuid_days_2026_03_08",
      [uuid("2026-03-09 04:00:00Z")]: "uuid_days_2026_03_09",
      "'f47ac10b-58cc-4372-a567-0e02b2c3d479'": "",
    },
  },
  epoch_bigint: {
    type: "bigint",
    range: { every: "month", epoch: "milliseconds", timezone: NEW_YORK },
    asOf: ["2026-10-05", "2026-11-05"],
    rows: {
      [millis("2026-11-01 03:59:59.999Z")]: "epoch_bigint_2026_10",
      [millis("2026-11-01 04:00:00Z")]: "epoch_bigint_2026_11",
      [millis("2026-12-01 04:59:59.999Z")]: "epoch_bigint_2026_11",
      [millis("2026-12-01 05:00:00Z")]: "epoch_bigint_2026_12",
    },
  },
  epoch_integer: {
    type: "integer",
    range: { every: "year", epoch: "seconds" },
    asOf: ["2035-01", "2036-07"],
    rows: {
      [seconds("2035-12-31 23:59:59Z")]: "epoch_integer_2035",
      [seconds("2037-12-31 23:59:59Z")]: "epoch_integer_2037",
      "2147483647": "",
    },
  },
  epoch_numeric: {
    type: "numeric(16,3)",
    range: { every: "quarter", epoch: "seconds" },
    asOf: ["2026-11", "2027-01"],
    rows: {
      [`${seconds("2027-01-01 00:00:00Z")} - 0.001`]: "epoch_numeric_2026_q4",
      [seconds("2027-01-01 00:00:00Z")]: "epoch_numeric_2027_q1",
    },
  },
  money: {
    type: "numeric(10,2)",
    range: { every: 1000, offset: "-0.50" },
    asOf: [1200, "2000.25"],
    more: { partitions: { money_debts: { from: "MINVALUE", to: -5000 } } },
    rows: {
      "999.49": "",
      "999.50": "money_999.5",
      "1999.49": "money_999.5",
      "1999.5": "money_1999.5",
      "-5000.01": "money_debts",
    },
  },
  quarters_of_one: {
    type: "numeric",
    range: { every: "0.25" },
    asOf: [1, "1.5"],
    rows: {
      "1": "quarters_of_one_1",
      "1.2499999": "quarters_of_one_1",
      "1.25": "quarters_of_one_1.25",
      "1.750": "quarters_of_one_1.75",
    },
  },
  smallints: {
    type: "smallint",
    range: { every: 10000, offset: -5 },
    asOf: [0, 10000],
    rows: { "-5": "smallints_-5", "9994": "smallints_-5", "9995": "smallints_9995", "29995": "" },
  },
  weeks: {
    type: "date",
    range: { every: "month", changes: [{ from: "2027-01-01", every: "week" }] },
    asOf: ["2026-12", "2027-01-01"],
    rows: {
      "'2026-12-31'": "weeks_2026_12",
      "'2027-01-01'": "weeks_2026_w53",
      "'2027-01-03'": "weeks_2026_w53",
      "'2027-01-04'": "weeks_2027_w01",
    },
  },
  changing_zone: {
    type: "timestamptz",
    range: {
      every: "week",
      timezone: NEW_YORK,
      changes: [{ from: "2026-11-01", every: "day", naming: "d{yyyy}{mm}{dd}" }],
    },
    asOf: ["2026-10-28", "2026-11-01"],
    rows: {
      "'2026-11-01 03:59:59.999999Z'": "changing_zone_2026_w44",
      "'2026-11-01 04:00Z'": "d20261101",
      "'2026-11-02 04:59:59Z'": "d20261101",
      "'2026-11-02 05:00Z'": "d20261102",
    },
  },
  changing_uuid: {
    type: "uuid",
    range: { every: "month", changes: [{ from: "2026-12-11", every: "week" }] },
    asOf: ["2026-11", "2026-12-11"],
    rows: {
      [uuid("2026-12-10 23:59:59.999Z")]: "changing_uuid_2026_12",
      [uuid("2026-12-11 00:00Z")]: "changing_uuid_2026_w50",
      [uuid("2026-12-14 00:00Z")]: "changing_uuid_2026_w51",
    },
  },
  partman: {
    type: "timestamptz",
    range: { every: "2 weeks", anchor: "2026-11-02", changes: [{ from: "2026-12-01", every: "quarter" }] },
    asOf: ["2026-11-20", "2026-12-05"],
    more: { naming: "pg_partman5" },
    rows: {
      "'2026-11-29 23:59:59Z'": "partman_p20261116",
      "'2026-11-30 23:59:59Z'": "partman_p20261130",
      "'2026-12-01 00:00Z'": "partman_p20261201",
      "'2027-01-01 00:00Z'": "partman_p20270101",
    },
  },
};

/** What is done to a set that is monthly up to 2026-12-09 and weekly then, as it moves on. */
const AGED = [
  "create 2026_w50 declared",
  "detach 2026_11 after 1 day: detached",
  "create 2026_w51 declared",
  "drop 2026_11 after 8 days: dropped",
  "create 2026_w52 declared",
  "detach 2026_12 after 1 day: detached",
  "detach 2026_w50 after 1 day: detached",
  "drop 2026_12 after 8 days: dropped",
  "create 2026_w53 declared",
  "detach 2026_w51 after 1 day: detached",
  "drop 2026_w50 after 8 days: dropped",
  "create 2027_w01 declared",
  "create 2027_w02 declared",
  "detach 2026_w52 after 1 day: detached",
  "drop 2026_w51 after 8 days: dropped",
];

describeOnEachPostgres("keys with periods", (server) => {
  let sessions: Sessions;
  let client: Client;

  openForSuite(server, (opened) => {
    ({ client, sessions } = opened);
  });

  const declared = (table: string, at: 0 | 1): Record<string, unknown> => {
    const { type, range, asOf, more } = KINDS[table]!;
    return {
      table,
      partitionBy: { range: { column: "k", type, ...range } },
      window: { ahead: 1 },
      asOf: asOf[at],
      ...more,
    };
  };

  const childrenOf = async (table: string) => {
    const request = { schema: "public", table, names: [], known: {} };
    const { children } = await sessions.withSession((session) => readSet(session, request));
    assert(children.length > 0);
    return children;
  };

  const insert = async (table: string, value: string): Promise<string> => {
    const type = KINDS[table]?.type;
    const sql = `INSERT INTO ${table} (k) VALUES ((${value})::${type}) RETURNING tableoid::regclass::text AS name`;
    try {
      return (await client.query<{ name: string }>(sql)).rows[0]?.name.replaceAll('"', "") ?? "";
    } catch (error) {
      assert.equal((error as { code?: string }).code, "23514");
      return "";
    }
  };

  for (const [table, { type, rows }] of Object.entries(KINDS)) {
    it(`of ${table} are made and rolled forward, and rows at the borders go where they belong`, async () => {
      await client.query(`CREATE TABLE ${table} (k ${type}) PARTITION BY RANGE (k)`);
      const set = new LiveSet(sessions);
      const first = await set.up(declared(table, 0));
      const second = await set.up(declared(table, 1));
      assert(second.plan.steps.length > 0);
      for (const [name, bound] of Object.entries(first.desired.partitions))
        assert.deepEqual(second.desired.partitions[name], bound, "no partition changes its name or its bound");
      for (const { name, bound } of await childrenOf(table))
        assert.deepEqual(
          { ...bound, tier: "live" },
          second.desired.partitions[name],
          "spelled as PostgreSQL prints it",
        );
      const where: Record<string, string> = {};
      for (const value of Object.keys(rows)) where[value] = await insert(table, value);
      assert.deepEqual(where, rows);
    });
  }

  it("retire across a change of the interval, whatever the key", async () => {
    const changes = [{ from: "2026-12-09", every: "week" }];
    const policies: Record<string, Record<string, unknown>> = {
      aged_time: { type: "timestamptz", every: "month", timezone: NEW_YORK, changes },
      aged_uuid: { type: "uuid", every: "month", changes },
      aged_epoch: { type: "bigint", epoch: "seconds", every: "month", changes },
    };
    for (const [table, range] of Object.entries(policies)) {
      await client.query(`CREATE TABLE ${table} (k ${range.type}) PARTITION BY RANGE (k)`);
      const set = new LiveSet(sessions);
      const up = (asOf: string) =>
        set.up({
          table,
          partitionBy: { range: { column: "k", ...range } },
          window: { from: "2026-11", ahead: 1 },
          asOf,
          lifecycle: [
            { after: "1 day", tier: "detached" },
            { after: "8 days", tier: "dropped" },
          ],
        });
      await up("2026-11-20");
      const done: string[] = [];
      for (const asOf of ["2026-12-05", "2026-12-09", "2026-12-14", "2026-12-17", "2026-12-22", "2027-01-04"]) {
        const { plan } = await up(asOf);
        done.push(
          ...plan.steps.map(({ kind, partition, reason }) => `${kind} ${partition.slice(table.length + 1)} ${reason}`),
        );
      }
      assert.deepEqual(done, AGED, table);
      const left = (await childrenOf(table)).map(({ name }) => name.slice(table.length + 1)).sort();
      assert.deepEqual(left, ["2026_w53", "2027_w01", "2027_w02"], table);
    }
  });
});
