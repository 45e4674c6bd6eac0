/** Every kind of partition key and interval in one stack, and sessions whose settings are not the usual ones. */
import assert from "node:assert/strict";
import { describeOnOldestAndNewest, type TestDatabase } from "../support/postgres";
import { TestStack } from "../support/stack";

interface Case {
  /** Type of the key column `k`. */
  type: string;
  /** Arguments beside the columns. */
  args: Record<string, unknown>;
  /** `asOf` of the second half of the test; absent: the set does not move. */
  next?: string | number;
  /** Partition of a value of the key, before and after the set moved. */
  rows: Record<string, string>;
  /** Paths that roll forward, without `asOf`. */
  changes?: string[];
}

const range = (type: string, every: string | number, more: Record<string, unknown> = {}) => ({
  type,
  partitionBy: { range: { column: "k", every, ...more } },
});

const NEW_YORK = { timezone: "America/New_York" };

/** New York sets its clocks back on 2026-11-01 at 06:00 UTC: 01:00 to 02:00 comes twice. */
const CASES: Record<string, Case> = (() => {
  const period = (
    { type, partitionBy }: { type: string; partitionBy: unknown },
    [asOf, next, ahead]: [string | number, string | number, number],
    rows: Record<string, string>,
    changes: string[],
    more: Record<string, unknown> = {},
  ): Case => ({ type, args: { partitionBy, asOf, window: { ahead }, ...more }, next, rows, changes });
  return {
    hours: period(
      range("timestamptz", "hour", NEW_YORK),
      ["2026-11-01T04:30:00Z", "2026-11-01T07:00:00Z", 1],
      {
        "2026-11-01 04:00Z": "hours_2026_11_01_00",
        "2026-11-01 05:00Z": "hours_2026_11_01_01",
        "2026-11-01 06:59Z": "hours_2026_11_01_01",
      },
      ["partitions.hours_2026_11_01_02", "partitions.hours_2026_11_01_03"],
    ),
    six_hours: period(
      range("timestamp", "6 hours"),
      ["2026-11-21T07:00:00", "2026-11-21T12:00:00", 1],
      { "2026-11-21 06:00": "six_hours_2026_11_21_06", "2026-11-21 17:59:59.999999": "six_hours_2026_11_21_12" },
      ["partitions.six_hours_2026_11_21_18"],
    ),
    days: period(
      range("timestamptz", "day", NEW_YORK),
      ["2026-11-01", "2026-11-02", 0],
      { "2026-11-01 04:00Z": "days_2026_11_01", "2026-11-02 04:59:59Z": "days_2026_11_01" },
      ["partitions.days_2026_11_02"],
    ),
    weeks: period(
      range("date", "week"),
      ["2026-12-28", "2027-01-04", 0],
      { "2026-12-28": "weeks_2026_w53", "2027-01-03": "weeks_2026_w53" },
      ["partitions.weeks_2027_w01"],
    ),
    two_weeks: period(
      range("date", "2 weeks", { anchor: "2026-11-02" }),
      ["2026-11-21", "2026-11-30", 0],
      { "2026-11-16": "two_weeks_2026_w47", "2026-11-29": "two_weeks_2026_w47" },
      ["partitions.two_weeks_2026_w49"],
    ),
    months: period(
      range("timestamp(3)", "month"),
      ["2026-11", "2026-12", 1],
      { "2026-11-01": "months_2026_11", "2026-12-31 23:59:59.999": "months_2026_12" },
      ["partitions.months_2027_01"],
    ),
    quarters: period(
      range("timestamptz", "quarter", NEW_YORK),
      ["2026-11", "2027-01", 0],
      { "2026-10-01 04:00Z": "quarters_2026_q4", "2027-01-01 04:59Z": "quarters_2026_q4" },
      ["partitions.quarters_2027_q1"],
    ),
    two_years: period(
      range("date", "2 years"),
      ["2026-11", "2028-01", 0],
      { "2026-01-01": "two_years_2026", "2027-12-31": "two_years_2026" },
      ["partitions.two_years_2028"],
    ),
    thousands: period(range("integer", 1000), [2500, 3000, 1], { 2000: "thousands_2000", 3999: "thousands_3000" }, [
      "partitions.thousands_4000",
    ]),
    millions: period(
      range("bigint", "1000000000000", { offset: "-5" }),
      ["9007199254740993000", "9007200000000000000", 0],
      { "9007199254740993000": "millions_9007198999999999995" },
      ["partitions.millions_9007199999999999995"],
    ),
    uuids: period(
      range("uuid", "month", NEW_YORK),
      ["2026-11", "2026-12", 0],
      {
        "01a19543-a200-7000-8000-000000000000": "uuids_2026_11",
        "01a22ff9-587f-7fff-bfff-ffffffffffff": "uuids_2026_11",
      },
      ["partitions.uuids_2026_12"],
    ),
    seconds: period(
      range("bigint", "week", { epoch: "seconds" }),
      ["2026-11-16", "2026-11-23", 0],
      { 1794787200: "seconds_2026_w47", 1795391999: "seconds_2026_w47" },
      ["partitions.seconds_2026_w48"],
    ),
    cents: period(range("numeric(12,2)", 1000), [2500, "3000.00", 0], { "2999.99": "cents_2000" }, [
      "partitions.cents_3000",
    ]),
    changing: period(
      range("date", "month", { changes: [{ from: "2026-12-10", every: "week" }] }),
      ["2026-11", "2026-12-10", 1],
      { "2026-12-09": "changing_2026_12" },
      ["partitions.changing_2026_w50", "partitions.changing_2026_w51"],
    ),
    beside: period(
      range("date", "month"),
      ["2026-11", "2026-12", 0],
      {
        "1999-12-31": "beside_before",
        "2026-11-30": "beside_2026_11",
        "2031-05-05": "beside_far",
        "2029-01-01": "beside_default",
      },
      ["partitions.beside_2026_12"],
      {
        defaultPartition: true,
        partitions: {
          beside_before: { from: "MINVALUE", to: "2026-11-01" },
          beside_far: { from: "2031-01-01", to: "2032-01-01" },
        },
      },
    ),
    pinned: period(
      range("date", "month"),
      ["2026-11", "2026-12", 0],
      { "2026-08-15": "pinned_2026_08", "2026-10-15": "pinned_2026_10" },
      ["partitions.pinned_2026_10.tier", "partitions.pinned_2026_12"],
      {
        window: { from: "2026-08", ahead: 0 },
        lifecycle: [{ after: "1 month", tier: "detached" }],
        pins: [{ from: "2026-08-01", to: "2026-09-01", until: "2027-06" }],
      },
    ),
    regions: {
      type: "text",
      args: {
        partitionBy: { list: { column: "k", values: { eu: ["de", "fr"], none: [null], us: ["us"] } } },
        defaultPartition: true,
      },
      rows: { fr: "regions_eu", NULL: "regions_none", us: "regions_us", jp: "regions_default" },
    },
    buckets: {
      type: "integer",
      args: { partitionBy: { hash: { columns: ["k"], partitions: 4 } } },
      rows: { 1: "buckets_p0", 3: "buckets_p1", 2: "buckets_p2", 4: "buckets_p3" },
    },
    pairs: {
      type: "integer",
      args: {
        partitionBy: { range: { columns: ["k", "l"] } },
        partitions: {
          pairs_low: { from: ["MINVALUE", "MINVALUE"], to: [10, "MAXVALUE"] },
          pairs_high: { from: [11, -5], to: ["MAXVALUE", "MAXVALUE"] },
        },
      },
      rows: { 10: "pairs_low", 11: "pairs_high" },
    },
  };
})();

const program = (moved: boolean): string =>
  Object.entries(CASES)
    .map(([table, { type, args, next }]) => {
      const columns = [
        { name: "k", type },
        { name: "l", type: "integer", default: "0" },
      ];
      const all = { columns, ...args, ...(moved && next !== undefined ? { asOf: next } : {}) };
      return `new pgp.PartitionedTable(${JSON.stringify(table)}, ${JSON.stringify(all)}, { provider });`;
    })
    .join("\n");

/** What a role or a database may set, and what decides how bounds are printed and parsed. */
const HOSTILE: Record<string, string> = {
  DateStyle: "'German, DMY'",
  TimeZone: "'Asia/Kathmandu'",
  IntervalStyle: "'sql_standard'",
  search_path: "'nowhere, information_schema'",
  standard_conforming_strings: "off",
  backslash_quote: "off",
  lock_timeout: "'1ms'",
  statement_timeout: "'5ms'",
  extra_float_digits: "-15",
  bytea_output: "escape",
  default_transaction_isolation: "'serializable'",
};

describeOnOldestAndNewest("keys and intervals", (server) => {
  let database: TestDatabase;
  let stack: TestStack;

  before(async () => {
    database = await server().createDatabase();
    stack = await TestStack.create({ database: database.connection, program: program(false) });
  });

  after(async () => {
    await stack?.remove();
    await database?.drop();
  });

  it("of every kind are made, and rows go where the bounds say", async () => {
    await stack.mustUp();
    const client = await database.client();
    for (const [table, { type, rows }] of Object.entries(CASES)) {
      const where: Record<string, string> = {};
      for (const value of Object.keys(rows)) {
        const { rows: inserted } = await client.query(
          `INSERT INTO ${table} (k) VALUES ($1::text::${type}) RETURNING tableoid::regclass::text AS partition`,
          [value === "NULL" ? null : value],
        );
        where[value] = inserted[0].partition;
      }
      assert.deepEqual(where, rows, table);
    }
  });

  it("give the same plan and no drift whatever the role has set for its sessions", async () => {
    await stack.setProgram(program(true));
    const usual = await stack.preview();
    await hostile("SET");
    const strange = await stack.preview("--refresh");
    assert.deepEqual(plan(strange), plan(usual));
    assert.equal(strange.code, 0, strange.output);

    const changes = Object.fromEntries(
      usual.steps
        .filter(({ op, urn }) => op === "update" && urn.includes("PartitionSet::"))
        .map(({ urn, detailedDiff }) => [urn.split("::").at(-1), Object.keys(detailedDiff ?? {}).sort()]),
    );
    const expected = Object.entries(CASES).flatMap(([table, { changes }]) =>
      changes === undefined ? [] : [[table, ["asOf", ...changes]]],
    );
    assert.deepEqual(changes, Object.fromEntries(expected));
  });

  it("roll forward under such settings, and then there is nothing left to do", async () => {
    await stack.mustUp();
    const client = await database.client();
    const { rows } = await client.query(
      "SELECT relispartition AS attached FROM pg_class WHERE relname = 'pinned_2026_10'",
    );
    assert.deepEqual(rows, [{ attached: false }]);
    await hostile("RESET");
    const second = await stack.run(["preview", "--refresh", "--expect-no-changes"]);
    assert.equal(second.code, 0, second.output);
  });

  const hostile = async (verb: "SET" | "RESET"): Promise<void> => {
    const client = await database.client();
    for (const [name, value] of Object.entries(HOSTILE)) {
      const { rows } = await client.query<{ sql: string }>(
        "SELECT format('ALTER ROLE %I IN DATABASE %I %s', current_user, current_database(), $1::text) AS sql",
        [verb === "SET" ? `SET ${name} = ${value}` : `RESET ${name}`],
      );
      await client.query(rows[0]?.sql ?? "");
    }
  };

  const plan = ({ steps, diagnostics }: Awaited<ReturnType<TestStack["preview"]>>) => ({
    steps: steps
      .filter(({ op }) => op !== "same" && op !== "refresh")
      .map(({ op, urn, detailedDiff }) => ({ op, urn, detailedDiff }))
      .sort((a, b) => (a.urn < b.urn ? -1 : 1)),
    text: diagnostics.map(({ message }) => message).sort(),
  });
});
