import assert from "node:assert/strict";
import fc from "fast-check";
import { keyOf, momentOf, momentOfKey, orderOf } from "../../../topology/axis";
import { compareEnds } from "../../../topology/bounds";
import type { Axis, CalendarUnit, Grid, Stretch } from "../../../topology/grid";
import { expand } from "../../../topology/policy";
import { axisOf, type Period, periodAt, periodsFrom, periodWith } from "../../../topology/stretches";
import { monthly, partitionsOf, type Raw, tiers } from "./inputs";

/** Names and bounds of the periods from December on, with an interval that changes on 2027-01-01. */
function changed(change: Raw, more: Raw = {}, range: Raw = {}): string[] {
  const raw = monthly(
    { window: { from: "2026-12", ahead: 2 }, asOf: "2026-12", ...more },
    { changes: [{ from: "2027-01-01", ...change }], ...range },
  );
  return Object.entries(partitionsOf(raw)).map(([name, bound]) =>
    "from" in bound ? `${name} ${bound.from} ${bound.to}` : name,
  );
}

describe("a changed interval", () => {
  it("cuts the first week at the change, and names it after the ISO week it lies in", () => {
    assert.deepEqual(changed({ every: "week" }), [
      "events_2026_12 2026-12-01 2027-01-01",
      "events_2026_w53 2027-01-01 2027-01-04",
      "events_2027_w01 2027-01-04 2027-01-11",
    ]);
  });

  it("cuts the last period before a change that is no border of it", () => {
    assert.deepEqual(changed({ from: "2026-12-15", every: "day" }), [
      "events_2026_12 2026-12-01 2026-12-15",
      "events_2026_12_15 2026-12-15 2026-12-16",
      "events_2026_12_16 2026-12-16 2026-12-17",
    ]);
  });

  it("may change again, within one period too", () => {
    const changes = [
      { from: "2026-12-10", every: "quarter", naming: "{table}_from_{mm}_{dd}" },
      { from: "2026-12-20", every: "3 months", anchor: "2026-11-05", naming: "{table}_three" },
    ];
    const expanded = partitionsOf(
      monthly({ window: { from: "2026-12", ahead: 2 }, asOf: "2026-12" }, { changes, type: "timestamp" }),
    );
    assert.deepEqual(
      Object.values(expanded).flatMap((bound) => ("from" in bound ? [bound.from, bound.to] : [])),
      [
        "2026-12-01 00:00:00",
        "2026-12-10 00:00:00",
        "2026-12-10 00:00:00",
        "2026-12-20 00:00:00",
        "2026-12-20 00:00:00",
        "2027-02-05 00:00:00",
      ],
    );
  });

  it("takes the names of a preset over to the new interval, and its own template before that", () => {
    const names = (naming: unknown, own?: string) =>
      changed({ every: "week", naming: own }, { naming }).map((text) => text.split(" ")[0]);
    assert.deepEqual(names("pg_partman5"), ["events_p20261201", "events_p20270101", "events_p20270104"]);
    assert.deepEqual(names("pg_partman4"), ["events_p2026_12", "events_p2026w53", "events_p2027w01"]);
    assert.deepEqual(names({ partitions: "m{yyyy}{mm}" }), ["m202612", "events_2026_w53", "events_2027_w01"]);
    assert.deepEqual(names("m{yyyy}{mm}", "w{iyyy}{iw}"), ["m202612", "w202653", "w202701"]);
  });

  it("of numbers begins at a number, and its pieces are named by where they begin", () => {
    const raw = monthly({ window: { from: 0, ahead: 2 }, asOf: 1500 }, { type: "bigint", every: 1000 });
    const range = (raw.partitionBy as { range: Raw }).range;
    range.changes = [{ from: 1700, every: 400, offset: 100 }];
    assert.deepEqual(Object.keys(partitionsOf(raw)), ["events_0", "events_1000", "events_1700", "events_2100"]);
  });

  it("is kept in the checked inputs with every default, and changes nothing when it is given again", () => {
    const raw = monthly(
      {},
      { type: "timestamptz", timezone: "America/New_York", changes: [{ from: "2027-01", every: "1 week" }] },
    );
    const first = expand(raw);
    assert.deepEqual((first.checked.partitionBy as { range: Raw }).range.changes, [
      { from: "2027-01-01 05:00:00+00", every: "week", naming: "{table}_{iyyy}_w{iw}" },
    ]);
    assert.deepEqual(expand(raw, first.checked), first);
  });

  it("leaves every partition as it is while the change lies ahead, and adds the new ones only", () => {
    const plain = monthly({ window: { from: "2026-01", ahead: 1 } });
    const before = partitionsOf(plain);
    const declared = monthly(
      { window: { from: "2026-01", ahead: 1 } },
      { changes: [{ from: "2027-01", every: "week" }] },
    );
    assert.deepEqual(partitionsOf(declared), before);
    const later = partitionsOf({ ...declared, asOf: "2026-12-31" });
    assert.deepEqual(
      Object.keys(later).filter((name) => !Object.hasOwn(before, name)),
      ["events_2026_w53"],
    );
    for (const [name, bound] of Object.entries(before)) assert.deepEqual(later[name], bound);
  });

  it("in the past holds from the beginning of a window that is not declared, as in a new stack", () => {
    const raw = monthly(
      { window: { ahead: 1 }, asOf: "2027-01-02" },
      { changes: [{ from: "2027-01-01", every: "week" }] },
    );
    assert.deepEqual(Object.keys(partitionsOf(raw)), ["events_2026_w53", "events_2027_w01"]);
    const first = expand(raw).checked;
    assert.equal((first.window as Raw).from, "2027-01-01");
    const old = { ...raw, asOf: "2027-01-11", lifecycle: [{ after: "7 days", tier: "detached" }] };
    assert.deepEqual(expand(old, first).desired?.tierReasons, { events_2026_w53: "after 7 days: detached" });
  });

  it("keeps lifecycle, pins and the retired range in step on both sides of it", () => {
    const raw = (asOf: string): Raw => ({
      ...monthly(
        {
          window: { from: "2026-11", ahead: 0 },
          asOf,
          lifecycle: [
            { after: "10 days", tier: "detached" },
            { after: "15 days", tier: "dropped" },
          ],
          pins: [{ from: "2027-01-04", to: "2027-01-05" }],
        },
        { changes: [{ from: "2027-01-01", every: "week" }] },
      ),
    });
    const first = expand(raw("2027-01-14"));
    assert.deepEqual(tiers(raw("2027-01-14")), {
      events_2026_12: "detached",
      events_2026_w53: "detached",
      events_2027_w01: "live",
      events_2027_w02: "live",
    });
    assert.equal(first.desired?.tierReasons?.events_2026_w53, "after 10 days: detached");
    const second = expand(raw("2027-01-19"), first.checked);
    assert.deepEqual(
      Object.entries(second.desired?.partitions ?? {}).map(([name, { tier }]) => `${name} ${tier}`),
      [
        "events_2026_12 dropped",
        "events_2026_w53 dropped",
        "events_2027_w01 live",
        "events_2027_w02 live",
        "events_2027_w03 live",
      ],
    );
    assert.deepEqual(second.checked.retired, { from: "2026-11-01", before: "2027-01-04" });
    assert.equal(second.desired?.tierReasons?.events_2026_12, "after 15 days: dropped");
  });
});

const ZONES = ["UTC", "America/New_York", "America/Havana", "Asia/Beirut", "Africa/Cairo", "Pacific/Apia"];
const UNITS: CalendarUnit[] = ["hour", "day", "week", "month", "quarter", "year"];
const KEYS: { type: "date" | "timestamptz" | "uuid" | "bigint"; epoch?: "seconds" }[] = [
  { type: "date" },
  { type: "timestamptz" },
  { type: "uuid" },
  { type: "bigint", epoch: "seconds" },
];

const division = fc.record({ unit: fc.constantFrom(...UNITS), count: fc.integer({ min: 1, max: 4 }) });
const instant = fc
  .date({ min: new Date("2007-01-01T00:00:00Z"), max: new Date("2034-01-01T00:00:00Z"), noInvalidDate: true })
  .map((date) => date.toISOString());

/** One to four stretches of a calendar. */
const calendars = fc
  .record({
    key: fc.constantFrom(...KEYS),
    zone: fc.constantFrom(...ZONES),
    first: division,
    changes: fc.array(fc.record({ at: instant, to: division }), { maxLength: 3 }),
  })
  .map(({ key, zone, first, changes }): Stretch[] => {
    const axis: Axis = { kind: "calendar", ...key, timezone: key.type === "date" ? "UTC" : zone };
    const grid = ({ unit, count }: { unit: CalendarUnit; count: number }): Grid => ({
      ...axis,
      unit: key.type === "date" && unit === "hour" ? "day" : unit,
      count,
    });
    const seconds = (at: string) => momentOf(axis, `${at.slice(0, 19)}Z`);
    const begins = [...new Map(changes.map(({ at, to }) => [seconds(at), to]))].sort(([a], [b]) => (a < b ? -1 : 1));
    return [{ grid: grid(first) }, ...begins.map(([from, to]) => ({ from, grid: grid(to) }))];
  });

/** One to four stretches of numbers. */
const numbers = fc
  .record({
    steps: fc.array(
      fc.record({ step: fc.integer({ min: 1, max: 500 }), offset: fc.integer({ min: -300, max: 300 }) }),
      {
        minLength: 1,
        maxLength: 4,
      },
    ),
    begins: fc.uniqueArray(fc.integer({ min: -2000, max: 2000 }), { minLength: 3, maxLength: 3 }),
  })
  .map(({ steps, begins }): Stretch[] => {
    const sorted = [...begins].sort((a, b) => a - b);
    return steps.map(({ step, offset }, index) => ({
      ...(index === 0 ? {} : { from: String(sorted[index - 1]) }),
      grid: { kind: "numeric", type: "bigint", step: String(step), offset: String(offset) },
    }));
  });

/** Forty periods around the changes. */
function around(stretches: Stretch[], start: string): Period[] {
  const list: Period[] = [];
  for (const period of periodsFrom(stretches, start)) {
    list.push(period);
    if (list.length === 40) return list;
  }
  return list;
}

/** A moment in the period before a change, so that the change is met. */
function before(stretches: Stretch[], change: string | undefined): string | undefined {
  return change === undefined ? undefined : periodAt(stretches.slice(0, 1), change).from;
}

describe("stretches, for any grids and changes,", () => {
  const places = fc.oneof(
    fc.tuple(calendars, instant, fc.integer({ min: 0, max: 3 })).map(([stretches, at, index]) => ({
      stretches,
      start: before(stretches, stretches[index]?.from) ?? momentOf(axisOf(stretches), at),
    })),
    fc
      .tuple(numbers, fc.integer({ min: -3000, max: 2000 }))
      .map(([stretches, at]) => ({ stretches, start: String(at) })),
  );

  it("leave no gap, overlap nowhere, and find each period again by its moment and by its bound", () => {
    fc.assert(
      fc.property(places, ({ stretches, start }) => {
        const axis = axisOf(stretches);
        const order = orderOf(axis);
        const list = around(stretches, start);
        assert(list[0] && order(list[0].from, start) <= 0);
        for (const [at, period] of list.entries()) {
          assert(order(period.from, period.to) < 0);
          assert(compareEnds(period.bound.from, period.bound.to, axis.type) < 0);
          const next = list[at + 1];
          if (next !== undefined) assert.deepEqual([period.to, period.bound.to], [next.from, next.bound.from]);
          assert.deepEqual(periodAt(stretches, period.from), period);
          assert.deepEqual(periodWith(stretches, period.bound), period);
        }
        for (const { from } of stretches) {
          if (from === undefined || order(from, start) < 0) continue;
          assert.equal(periodAt(stretches, from).from, from, "the first period begins at the change");
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe("a moment and its key", () => {
  const uuid: Axis = { kind: "calendar", type: "uuid", timezone: "UTC" };
  const seconds: Axis = { kind: "calendar", type: "numeric", epoch: "seconds", timezone: "UTC" };

  it("are two spellings of one place", () => {
    const february = "2026-02-01 00:00:00+00";
    assert.equal(keyOf(uuid, february), "019c167f-cc00-0000-0000-000000000000");
    assert.equal(momentOfKey(uuid, "019c167f-cc00-7abc-8def-0123456789ab"), february);
    assert.equal(keyOf(seconds, "1969-12-31 23:59:59.5+00"), "-0.5");
    assert.equal(momentOfKey(seconds, "-0.0000005"), "1969-12-31 23:59:59.999999+00");
  });

  it("of a kind that no period reaches are none", () => {
    for (const key of ["MINVALUE", "f47ac10b-58cc-4372-a567-0e02b2c3d479", "no uuid"])
      assert.equal(momentOfKey(uuid, key), undefined, key);
    for (const key of ["MAXVALUE", "NaN", "999999999999999"]) assert.equal(momentOfKey(seconds, key), undefined, key);
    for (const key of ["infinity", "0044-03-15 00:00:00+00 BC", "MINVALUE"])
      assert.equal(momentOfKey({ ...uuid, type: "timestamptz" }, key), undefined, key);
  });
});
