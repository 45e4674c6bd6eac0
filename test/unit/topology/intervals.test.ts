import assert from "node:assert/strict";
import fc from "fast-check";
import { Temporal } from "temporal-polyfill";
import { momentType } from "../../../topology/axis";
import { compareEnds } from "../../../topology/bounds";
import type { Axis, CalendarGrid, CalendarUnit, Grid, NumberType } from "../../../topology/grid";
import { parseAnchor, parseEvery, periodOf, periodStart, periodWall } from "../../../topology/intervals";
import type { PartitionBound } from "../../../topology/model";
import { type Period, periodsFrom, periodWith } from "../../../topology/stretches";
import { beginText, boundText, momentText, plainDate, zoneName } from "../../../topology/time";

/** The first `count` periods from the one that holds a moment on. */
function take(grid: Grid, moment: string, count: number): Period[] {
  const list: Period[] = [];
  for (const period of periodsFrom([{ grid }], moment)) {
    list.push(period);
    if (list.length === count) break;
  }
  return list;
}

const isPeriod = (grid: Grid, bound: PartitionBound) => periodWith([{ grid }], bound) !== undefined;

function calendar(unit: CalendarUnit, options: Partial<CalendarGrid> = {}): CalendarGrid {
  return { kind: "calendar", type: "date", unit, count: 1, timezone: "UTC", ...options };
}

const ZONES = [
  "UTC",
  "America/New_York",
  "Asia/Kolkata",
  "America/Havana",
  "America/St_Johns",
  "Australia/Lord_Howe",
  "Pacific/Apia",
];

const anyCalendar = fc
  .record({
    key: fc.constantFrom<Partial<CalendarGrid>>(
      { type: "date" },
      { type: "timestamp" },
      { type: "timestamptz" },
      { type: "uuid" },
      { type: "bigint", epoch: "seconds" },
      { type: "numeric", epoch: "milliseconds", digits: { precision: 20, scale: 3 } },
    ),
    unit: fc.constantFrom<CalendarUnit>("hour", "day", "week", "month", "quarter", "year"),
    count: fc.integer({ min: 1, max: 7 }),
    zone: fc.constantFrom(...ZONES),
    anchor: fc.option(fc.constantFrom("2026-04-01", "1999-12-28", "2011-12-30"), { nil: undefined }),
  })
  .map(({ key, unit, count, zone, anchor }): CalendarGrid => {
    const usable = key.type === "date" && unit === "hour" ? "day" : unit;
    const months = usable === "month" || usable === "quarter" || usable === "year";
    const shift = anchor === undefined || (months && anchor.endsWith("30")) ? {} : { anchor };
    const zoned = key.type !== "date" && key.type !== "timestamp";
    return calendar(usable, { ...key, count, timezone: zoned ? zone : "UTC", ...shift });
  });

const anyNumeric = fc
  .record({
    step: fc.integer({ min: 1, max: 1_000_000 }),
    offset: fc.integer({ min: -1_000_000, max: 1_000_000 }),
    decimals: fc.constantFrom(0, 2),
  })
  .map(
    ({ step, offset, decimals }): Grid => ({
      kind: "numeric",
      type: decimals === 0 ? "bigint" : "numeric",
      step: String(step / 10 ** decimals),
      offset: String(offset / 10 ** decimals),
    }),
  );

/** Somewhere in the years in which the zones above changed their clocks. */
const anyDay = fc
  .date({ min: new Date("1990-01-01T00:00:00Z"), max: new Date("2040-01-01T00:00:00Z"), noInvalidDate: true })
  .map((date) => date.toISOString());

describe("periods", () => {
  it("are contiguous, and every one of them holds its own start", () => {
    fc.assert(
      fc.property(anyCalendar, anyDay, (grid, day) => {
        const list = take(grid, momentText(momentType(grid), day, grid.timezone), 10);
        for (const [at, period] of list.entries()) {
          assert(period.from < period.to);
          assert(compareEnds(period.bound.from, period.bound.to, grid.type) < 0);
          const next = list[at + 1];
          if (next !== undefined) assert.deepEqual([period.to, period.bound.to], [next.from, next.bound.from]);
          assert.equal(periodOf(grid, period.from), period.number);
          assert.deepEqual(periodWith([{ grid }], period.bound), period);
        }
      }),
      { numRuns: 200 },
    );
  });

  it("hold the moment they are asked for", () => {
    fc.assert(
      fc.property(anyCalendar, anyDay, (grid, day) => {
        const text = momentText(momentType(grid), day, grid.timezone);
        const number = periodOf(grid, text);
        assert(periodStart(grid, number) <= text && text < periodStart(grid, number + 1));
      }),
      { numRuns: 200 },
    );
  });

  it("begin where the calendar has so many units more than at the anchor", () => {
    const units = { hour: "hours", day: "days", week: "weeks", month: "months", year: "years" } as const;
    fc.assert(
      fc.property(anyCalendar, fc.integer({ min: -2000, max: 2000 }), (grid, number) => {
        const { unit, count, anchor = "2026-04-06" } = grid;
        const many = unit === "quarter" ? { months: 3 * count * number } : { [units[unit]]: count * number };
        const begin = Temporal.PlainDateTime.from(anchor).add(many);
        assert.equal(String(periodWall({ ...grid, anchor }, number)), String(begin));
      }),
    );
  });

  it("of numbers are contiguous, below zero too", () => {
    fc.assert(
      fc.property(anyNumeric, fc.integer({ min: -1e9, max: 1e9 }), (grid, value) => {
        const number = periodOf(grid, String(value));
        const [first, second] = take(grid, String(value), 2);
        assert(first && second);
        assert.equal(first.number, number);
        assert(Number(first.from) <= value && value < Number(first.to));
        assert.equal(first.to, second.from);
        assert.equal(periodOf(grid, first.from), number);
      }),
    );
  });

  it("of months in New York follow its clock", () => {
    const grid = calendar("month", { type: "timestamptz", timezone: "America/New_York" });
    const number = periodOf(grid, "2026-11-15 00:00:00+00");
    assert.equal(periodStart(grid, number), "2026-11-01 04:00:00+00");
    assert.equal(periodStart(grid, number + 1), "2026-12-01 05:00:00+00");
  });

  it("of days in Havana begin at one o'clock when midnight is left out", () => {
    const grid = calendar("day", { type: "timestamptz", timezone: "America/Havana" });
    const number = periodOf(grid, "2026-03-08 12:00:00+00");
    assert.equal(periodStart(grid, number), "2026-03-08 05:00:00+00");
    assert.equal(periodStart(grid, number + 1), "2026-03-09 04:00:00+00");
  });

  it("of days in Kolkata begin half past", () => {
    const grid = calendar("day", { type: "timestamptz", timezone: "Asia/Kolkata" });
    assert.equal(periodStart(grid, periodOf(grid, "2026-01-01 00:00:00+00")), "2025-12-31 18:30:00+00");
  });

  it("of hours leave out the one that the clock change skips, and double the one it repeats", () => {
    const grid = calendar("hour", { type: "timestamptz", timezone: "America/New_York" });
    const spring = periodOf(grid, "2026-03-08 06:30:00+00");
    assert.deepEqual(
      take(grid, "2026-03-08 06:30:00+00", 2).map(({ from, number }) => [from, number - spring]),
      [
        ["2026-03-08 06:00:00+00", 0],
        ["2026-03-08 07:00:00+00", 2],
      ],
    );
    const autumn = periodOf(grid, "2026-11-01 06:30:00+00");
    assert.equal(periodStart(grid, autumn), "2026-11-01 05:00:00+00");
    assert.equal(periodStart(grid, autumn + 1), "2026-11-01 07:00:00+00");
  });

  it("of days in Saint John's hold the hour that was put back over midnight", () => {
    const grid = calendar("day", { type: "timestamptz", timezone: "America/St_Johns" });
    const number = periodOf(grid, "2010-11-07 03:00:00+00");
    assert.equal(periodStart(grid, number), "2010-11-07 02:30:00+00");
    assert.equal(periodStart(grid, number + 1), "2010-11-08 03:30:00+00");
  });

  it("never go back in time where a whole day is left out", () => {
    const grid = calendar("hour", { type: "timestamptz", timezone: "Pacific/Apia" });
    const last = periodOf(grid, "2011-12-30 09:30:00+00");
    assert.deepEqual(
      take(grid, "2011-12-30 09:30:00+00", 3).map(({ from, number }) => [from, number - last]),
      [
        ["2011-12-30 09:00:00+00", 0],
        ["2011-12-30 10:00:00+00", 25],
        ["2011-12-30 11:00:00+00", 26],
      ],
    );
  });

  it("of weeks are ISO weeks: 2027-01-01 is in 2026-W53", () => {
    const grid = calendar("week");
    assert(grid.kind === "calendar");
    const number = periodOf(grid, "2027-01-01");
    const wall: Temporal.PlainDateTime = periodWall(grid, number);
    assert.equal(periodStart(grid, number), "2026-12-28");
    assert.deepEqual([wall.yearOfWeek, wall.weekOfYear], [2026, 53]);
  });

  it("of multiples stand on calendar quarters, Mondays and the first of January 1970", () => {
    const start = (grid: Grid, text: string) => periodStart(grid, periodOf(grid, text));
    assert.equal(start(calendar("month", { count: 3 }), "2026-11-20"), "2026-10-01");
    assert.equal(start(calendar("quarter"), "2026-11-20"), "2026-10-01");
    assert.equal(start(calendar("year", { count: 5 }), "2026-11-20"), "2025-01-01");
    assert.equal(start(calendar("day", { count: 10 }), "1970-01-12"), "1970-01-11");
    assert.equal(start(calendar("week", { count: 2 }), "1970-01-15"), "1970-01-05");
    assert.equal(
      start(calendar("hour", { type: "timestamp", count: 6 }), "2026-11-20 13:05:00"),
      "2026-11-20 12:00:00",
    );
  });

  it("begin where the anchor says", () => {
    const start = (grid: Grid, text: string) => periodStart(grid, periodOf(grid, text));
    assert.equal(start(calendar("year", { anchor: "2020-04-01" }), "2026-03-31"), "2025-04-01");
    assert.equal(start(calendar("month", { anchor: "2026-01-15" }), "2026-11-14"), "2026-10-15");
    assert.equal(start(calendar("week", { anchor: "2026-11-22" }), "2026-11-21"), "2026-11-15");
  });

  it("stay within the key type", () => {
    const grid: Grid = { kind: "numeric", type: "smallint", step: "10000", offset: "0" };
    assert.equal(periodStart(grid, 3), "30000");
    assert.throws(() => periodStart(grid, 4), /40000 does not fit into smallint \(-32768 to 32767\)/);
    assert.throws(() => periodOf(grid, "32768"), /does not fit into smallint/);
    const days = calendar("day");
    assert.throws(() => periodStart(days, 1e9), /outside the years 0001 to 9999/);
    assert.throws(() => periodStart(days, -1_000_000), /the year -?\d+ is outside 0001 to 9999/);
    const tiny: Grid = { kind: "numeric", type: "bigint", step: "1", offset: "0" };
    assert.throws(() => periodOf(tiny, "9223372036854775807"), /the step 1 is too small/);
  });

  it("are told from bounds that are not exactly one of them", () => {
    const grid = calendar("month");
    assert(isPeriod(grid, { from: "2026-01-01", to: "2026-02-01" }));
    for (const bound of [
      { from: "2026-01-01", to: "2026-03-01" },
      { from: "2026-01-02", to: "2026-02-01" },
      { from: "MINVALUE", to: "2026-02-01" },
      { from: "2026-01-01", to: "infinity" },
      { from: ["2026-01-01"], to: ["2026-02-01"] },
      { from: "0044-03-01 BC", to: "0044-04-01 BC" },
      { default: true } as const,
    ])
      assert.equal(isPeriod(grid, bound), false, JSON.stringify(bound));
  });
});

describe("every", () => {
  const moments: Axis = { kind: "calendar", type: "timestamptz", timezone: "UTC" };
  const numbers = (type: NumberType): Axis => ({ kind: "numeric", type });
  const read = (every: string | number, axis: Axis = moments) => parseEvery(every, axis);

  it("reads units, plurals, multiples and numbers", () => {
    assert.deepEqual(read("month"), { kind: "calendar", unit: "month", count: 1 });
    assert.deepEqual(read(" 3 Months "), { kind: "calendar", unit: "month", count: 3 });
    assert.deepEqual(read("2 weeks"), { kind: "calendar", unit: "week", count: 2 });
    assert.deepEqual(read(1000, numbers("integer")), { kind: "numeric", step: "1000" });
    assert.deepEqual(read("0010", numbers("bigint")), { kind: "numeric", step: "10" });
    assert.deepEqual(read("0.250", numbers("numeric")), { kind: "numeric", step: "0.25" });
  });

  it("refuses everything else with what it allows", () => {
    for (const every of ["fortnight", "0 months", "-1 day", "1.5 days", "", "constructor", "3", 3])
      assert.throws(() => read(every), /write hour, day, week, month, quarter, year, or a multiple such as "3 months"/);
    for (const every of ["month", 0, "0", -5, 1.5, 2 ** 60])
      assert.throws(
        () => read(every, numbers("integer")),
        /is not a step for a key of type integer: write a whole number/,
      );
    assert.throws(() => read("hour", { ...moments, type: "date" }), /a date key cannot be divided into hours/);
  });

  it("says how a key that counts time is declared", () => {
    assert.throws(() => read("month", numbers("bigint")), /write a whole number above 0.*add epoch: "seconds"/);
    const counted: Axis = { kind: "calendar", type: "bigint", epoch: "seconds", timezone: "UTC" };
    assert.throws(() => read(1000, counted), /1000 is not an interval for a key that counts seconds: write hour/);
  });

  it("reads anchors", () => {
    assert.equal(parseAnchor("2026-04-01", "year"), "2026-04-01");
    assert.equal(parseAnchor("2026-01-31", "week"), "2026-01-31");
    assert.throws(() => parseAnchor("2026-01-31", "month"), /a day that not every month has/);
    assert.throws(() => parseAnchor("2026-01", "month"), /is not a date: write YYYY-MM-DD/);
  });
});

describe("moments", () => {
  it("are read in the key's own terms", () => {
    assert.equal(momentText("date", "2026-11", "UTC"), "2026-11-01");
    assert.equal(momentText("date", "2026", "UTC"), "2026-01-01");
    assert.equal(momentText("timestamptz", "2026", "America/New_York"), "2026-01-01 05:00:00+00");
    assert.equal(beginText("timestamptz", "2026", "America/New_York"), "2026-01-01 05:00:00+00");
    assert.equal(beginText("date", "2026-07", "UTC"), "2026-07-01");
    assert.equal(momentText("timestamptz", "2026-11", "America/New_York"), "2026-11-01 04:00:00+00");
    assert.equal(momentText("timestamptz", "2026-11-01T00:00:00+05:30", "UTC"), "2026-10-31 18:30:00+00");
    assert.equal(
      momentText("timestamptz", "2026-11-01 05:00:00.120+00", "America/New_York"),
      "2026-11-01 05:00:00.12+00",
    );
    assert.equal(momentText("timestamp", "2026-11-01T00:00:00-05", "UTC"), "2026-11-01 05:00:00");
    assert.equal(momentText("date", "2026-10-31T20:00:00-0500", "UTC"), "2026-11-01");
  });

  it("are refused when they are none", () => {
    for (const text of [
      "foo",
      "202",
      "2026-",
      "2026-13-01",
      "2026-02-29",
      "2026-01-01T24:00",
      "10000-01-01",
      "0044-03-15 BC",
      "",
    ])
      assert.throws(() => momentText("date", text, "UTC"), /is not a date/, text);
    for (const text of ["0000-01-01", "2026-01-01T00:00:60"])
      assert.throws(() => momentText("date", text, "UTC"), /does not exist in PostgreSQL/, text);
    assert.throws(() => momentText("timestamptz", "0001-01-01T00:00:00+10", "UTC"), /the year 0 is outside/);
    assert.throws(() => plainDate("2026-01-01T00:00"), /write YYYY-MM-DD/);
  });

  it("of bounds lose nothing silently", () => {
    assert.equal(boundText("timestamptz", "2026-01-01", "Asia/Kolkata"), "2025-12-31 18:30:00+00");
    assert.equal(boundText("timestamp", "2026-01-01T12:30", "UTC"), "2026-01-01 12:30:00");
    assert.equal(boundText("date", "2026-01-01 00:00:00", "UTC"), "2026-01-01");
    assert.throws(() => boundText("date", "2026-01", "UTC"), /is a month, not a bound/);
    assert.throws(() => boundText("date", "2026", "UTC"), /is a year, not a bound/);
    assert.throws(() => boundText("date", "2026-01-01 01:00", "UTC"), /has a time of day/);
    assert.throws(() => boundText("timestamp", "2026-01-01 01:00+00", "UTC"), /has a UTC offset/);
  });

  it("name their zone as IANA does", () => {
    assert.equal(zoneName("america/new_york"), "America/New_York");
    for (const zone of ["Mars/Olympus", "+05:30", "", "-3"]) assert.throws(() => zoneName(zone), /is not a time zone/);
  });
});
