/** Calendars, clocks and texts as this package calculates them, against PostgreSQL's own arithmetic. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Client } from "pg";
import { keyOf } from "../../../topology/axis";
import { canonicalBound } from "../../../topology/bounds";
import type { MomentType } from "../../../topology/grid";
import { compareValues } from "../../../topology/keys";
import { expand } from "../../../topology/policy";
import { instantText } from "../../../topology/time";
import { describeOnEachPostgres } from "../../support/postgres";
import { openForSuite } from "./opened";

const ZONES = [
  "UTC",
  "America/New_York",
  "America/Havana",
  "America/St_Johns",
  "Africa/Cairo",
  "Asia/Beirut",
  "Asia/Kolkata",
  "Atlantic/Azores",
  "Australia/Lord_Howe",
];

/** The name of a period after the local time of any instant in it, as to_char() writes it. */
const LABELS: Record<string, string> = {
  hour: '"t_"YYYY_MM_DD_HH24',
  day: '"t_"YYYY_MM_DD',
  week: '"t_"IYYY_"w"IW',
  month: '"t_"YYYY_MM',
  quarter: '"t_"YYYY_"q"Q',
  year: '"t_"YYYY',
};

const YEAR = { from: Date.parse("2026-01-01T00:00:00Z"), to: Date.parse("2027-01-05T00:00:00Z") };

/** Microseconds since 1970: within the year, many of them next to the borders of local hours, days, months. */
const instants = fc.sample(
  fc.oneof(
    fc.integer({ min: YEAR.from, max: YEAR.to }).map((ms) => BigInt(ms) * 1000n),
    fc
      .tuple(fc.integer({ min: YEAR.from / 1_800_000, max: YEAR.to / 1_800_000 }), fc.integer({ min: -1, max: 1 }))
      .map(([halfHour, off]) => BigInt(halfHour) * 1_800_000_000n + BigInt(off)),
  ),
  { numRuns: 1500, seed: 20261121 },
);

interface Listed {
  name: string;
  from: string;
  to: string;
}

/** The partition that takes an instant; they stand in order and leave no gap. */
function holder(partitions: Listed[], at: string): Listed | undefined {
  let [low, high] = [0, partitions.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (partitions[middle]!.to <= at) low = middle + 1;
    else high = middle;
  }
  return partitions[low];
}

describeOnEachPostgres("the calendar", (server) => {
  let client: Client;

  openForSuite(server, (opened) => {
    ({ client } = opened);
  });
  before(async () => {
    await client.query("SET TimeZone = 'UTC'; SET DateStyle = 'ISO'");
  });

  for (const [every, label] of Object.entries(LABELS)) {
    it(`puts every instant of a year into the ${every} that local clocks show, whatever the zone`, async () => {
      for (const timezone of every === "hour" ? ["America/New_York", "Australia/Lord_Howe"] : ZONES) {
        const partitions = yearOf(every, timezone);
        const { rows } = await client.query<{ at: string; label: string }>(
          `SELECT at::text, to_char(at AT TIME ZONE $1, $2) AS label FROM unnest($3::text[]::timestamptz[]) at`,
          [timezone, label, instants.map(instantText)],
        );
        for (const { at, label: expected } of rows) {
          const found = holder(partitions, at);
          assert.equal(found?.name, expected, `${at} in ${timezone}`);
          assert(found.from <= at);
        }
      }
    });
  }

  it("has the days of date_trunc('day', instant, zone), over both changes of the clock", async () => {
    for (const timezone of ZONES) {
      const partitions = yearOf("day", timezone);
      const { rows } = await client.query<{ at: string; day: string }>(
        "SELECT at::text, date_trunc('day', at, $1)::text AS day FROM unnest($2::text[]::timestamptz[]) at",
        [timezone, instants.map(instantText)],
      );
      const days = new Map<string, Set<string | undefined>>();
      for (const { at, day } of rows) {
        const name = holder(partitions, at)?.name;
        days.set(day, (days.get(day) ?? new Set()).add(name));
      }
      assert([...days.values()].every((names) => names.size === 1));
      assert.equal(new Set([...days.values()].flatMap((names) => [...names])).size, days.size);
    }
  });

  it("has the borders of generate_series in local time where no clock leaves them out or repeats them", async () => {
    for (const timezone of ["America/New_York", "Asia/Kolkata"])
      for (const every of ["day", "week", "month", "quarter"]) {
        const { rows } = await client.query<{ at: string }>(
          `SELECT (local AT TIME ZONE $1)::text AS at
           FROM generate_series(date_trunc($2, timestamp '2026-01-05'), timestamp '2026-12-31', $3::interval) local`,
          [timezone, every, every === "quarter" ? "3 months" : `1 ${every}`],
        );
        const borders = new Set(yearOf(every, timezone).map(({ from }) => from));
        assert.deepEqual(
          rows.filter(({ at }) => !borders.has(at)),
          [],
          `${every} in ${timezone}`,
        );
      }
  });

  /** The periods from before to after the year, as expand() gives them. */
  function yearOf(every: string, timezone: string): Listed[] {
    const { desired, failures } = expand({
      table: "t",
      partitionBy: { range: { column: "at", type: "timestamptz", every, timezone } },
      window: { from: "2025-12-30", ahead: 2 },
      asOf: "2027-01-06",
    });
    assert.deepEqual(failures, []);
    return Object.entries(desired?.partitions ?? {}).map(([name, bound]) => {
      assert("from" in bound && typeof bound.from === "string" && typeof bound.to === "string");
      return { name, from: bound.from, to: bound.to };
    });
  }

  it("spells instants as PostgreSQL prints them, and the texts sort as the instants do", async () => {
    const texts: Record<MomentType, string> = { date: "date", timestamp: "timestamp", timestamptz: "timestamptz" };
    const any = fc.sample(
      fc
        .tuple(
          fc.bigInt({ min: -62_135_596_800_000_000n, max: 253_402_300_799_999_999n }),
          fc.constantFrom(1n, 10n, 1000n, 100_000n, 1_000_000n, 86_400_000_000n),
        )
        .map(([micros, precision]) => micros - (((micros % precision) + precision) % precision)),
      { numRuns: 1000, seed: 5 },
    );
    for (const type of Object.keys(texts) as MomentType[]) {
      const own = any.map((micros) => {
        const text = instantText(micros);
        return type === "timestamptz" ? text : type === "date" ? text.slice(0, 10) : text.slice(0, -3);
      });
      const { rows } = await client.query<{ text: string }>(
        `SELECT v::text AS text FROM unnest($1::text[]::${type}[]) v ORDER BY v`,
        [own],
      );
      const sorted = [...own].sort((a, b) => compareValues(type, a, b));
      assert.deepEqual(
        rows.map(({ text }) => text),
        sorted,
      );
      assert.deepEqual(
        [...own].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)),
        sorted,
      );
    }
  });

  it("spells uuids and counts of seconds so that they sort as their instants, and read back as them", async () => {
    const some = fc.sample(fc.bigInt({ min: 0n, max: 253_402_300_799_999n }), { numRuns: 500, seed: 7 });
    const { rows } = await client.query<{ at: string; uuid: string; seconds: string; micros: string }>(
      `SELECT at::text, extract(epoch FROM at)::numeric(20,3)::text AS seconds, (floor(ms)::bigint)::text AS micros,
         left(h, 8) || '-' || right(h, 4) || '-0000-0000-000000000000' AS uuid
       FROM unnest($1::numeric[]) ms, LATERAL (SELECT to_timestamp(0) + ms / 1000 * interval '1 s' AS at) a,
         LATERAL (SELECT lpad(to_hex(ms::bigint), 12, '0') AS h) b`,
      [some.map((ms) => String(ms - (ms % 1000n)))],
    );
    for (const { at, uuid, seconds, micros } of rows) {
      const calendar = { kind: "calendar", timezone: "UTC" } as const;
      assert.equal(keyOf({ ...calendar, type: "uuid" }, at), uuid);
      assert.equal(keyOf({ ...calendar, type: "bigint", epoch: "milliseconds" }, at), micros);
      const digits = { precision: 20, scale: 3 };
      assert.equal(keyOf({ ...calendar, type: "numeric", digits, epoch: "seconds" }, at), seconds);
    }
  });

  it("spells numbers as PostgreSQL prints them in their type, and refuses those that it would round", async () => {
    const decimals = fc
      .tuple(
        fc.constantFrom("", "-", "+"),
        fc.stringMatching(/^\d{1,7}$/),
        fc.option(fc.stringMatching(/^\d{0,4}$/), { nil: undefined }),
        fc.option(fc.integer({ min: -4, max: 4 }), { nil: undefined }),
      )
      .map(([sign, whole, fraction, exponent]) => {
        const point = fraction === undefined ? "" : `.${fraction}`;
        return `${sign}${whole}${point}${exponent === undefined ? "" : `e${exponent}`}`;
      });
    const texts = fc.sample(decimals, { numRuns: 1000, seed: 11 });
    const types = [
      "numeric",
      "numeric(9,2)",
      "numeric(14,8)",
      "numeric(12)",
      ...(server().major >= 15 ? ["numeric(6,-2)"] : []),
    ];
    for (const type of types) {
      const { rows } = await client.query<{ given: string; exact: boolean; text: string }>(
        `SELECT given, v::text AS text, v = given::numeric AS exact
         FROM unnest($1::text[]) given, LATERAL (SELECT CASE WHEN abs(given::numeric) < $2 THEN given::${type} END AS v) l`,
        [
          texts,
          {
            "numeric(9,2)": "9999999.99",
            "numeric(12)": "999999999999",
            "numeric(14,8)": "999999.99999999",
            "numeric(6,-2)": "99999900",
          }[type] ?? "1e30",
        ],
      );
      assert(rows.some(({ exact }) => exact));
      for (const { given, exact, text } of rows) {
        const own = () => canonicalBound({ values: [given] }, type, "UTC");
        if (exact) assert.deepEqual(own(), { values: [text] }, `${given} as ${type}`);
        else assert.throws(own, /would be rounded by|does not fit into/, `${given} as ${type}`);
      }
    }
  });
});
