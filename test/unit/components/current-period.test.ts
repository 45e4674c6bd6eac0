import assert from "node:assert/strict";
import { currentPeriod } from "../../../components/asOf";
import { keyTypeOf, withKeyType } from "../../../components/keyType";
import { defaultAsOf } from "../../../components/levels";
import type { RangeBy } from "../../../resources";
import { expand } from "../../../topology/policy";

const at = (range: RangeBy, now: string) => currentPeriod(range, new Date(now));

describe("the current period", () => {
  it("is as short as the interval allows", () => {
    const now = "2026-11-21T14:30:00Z";
    const expected: [string | number, string | undefined][] = [
      ["hour", "2026-11-21T14:00:00+00:00"],
      ["day", "2026-11-21"],
      ["2 weeks", "2026-11-16"],
      ["month", "2026-11"],
      ["quarter", "2026-10"],
      ["year", "2026-01"],
      [1000, undefined],
      ["1000", undefined],
    ];
    for (const [every, text] of expected) assert.equal(at({ every }, now), text, String(every));
  });

  it("is that of the policy's time zone", () => {
    const now = "2026-11-01T03:59:00Z";
    assert.equal(at({ every: "month", timezone: "America/New_York" }, now), "2026-10");
    assert.equal(at({ every: "hour", timezone: "Asia/Kolkata" }, now), "2026-11-01T09:00:00+05:30");
  });

  it("follows a change of the interval, and begins with it in the period that it cuts", () => {
    const range = { every: "month", changes: [{ from: "2027-01-01", every: "week" }] };
    assert.equal(at(range, "2026-12-31T23:59:59Z"), "2026-12");
    assert.equal(at(range, "2027-01-01T00:00:00Z"), "2027-01-01");
    assert.equal(at(range, "2027-01-03T00:00:00Z"), "2027-01-01");
    assert.equal(at(range, "2027-01-05T00:00:00Z"), "2027-01-04");
    assert.equal(at({ ...range, changes: [{ from: "2027-01", every: "quarter" }] }, "2027-02-03T00:00:00Z"), "2027-01");
  });

  it("holds the moment that it stands for, whatever the interval", () => {
    for (const every of ["hour", "day", "week", "month", "quarter", "year"])
      for (const now of [
        "2026-12-31T23:30:00Z",
        "2027-01-01T00:30:00Z",
        "2027-01-02T12:00:00Z",
        "2027-03-30T12:00:00Z",
      ]) {
        const range = { column: "at", type: "timestamptz", every: "month", changes: [{ from: "2027-01-01", every }] };
        const set = (asOf: string | undefined) =>
          expand({ table: "t", partitionBy: { range }, window: { from: "2026-12", ahead: 1 }, asOf }).desired
            ?.partitions;
        assert(set(now));
        assert.deepEqual(set(at(range, now)), set(now), `${every} at ${now}`);
      }
  });
});

describe("the current period of several levels", () => {
  const level = (every: string | number, more: Partial<RangeBy> = {}) => ({ range: { column: "k", every, ...more } });
  const now = new Date("2026-11-21T14:30:00Z");

  it("is that of the finest", () => {
    assert.equal(defaultAsOf(level("month"), { partitionBy: level("day") }, now), "2026-11-21");
    assert.equal(defaultAsOf(level("week"), { partitionBy: level("quarter") }, now), "2026-11-16");
    const list = { list: { column: "region" } };
    assert.equal(
      defaultAsOf(list, { partitionBy: level(1000), subPartitionBy: { partitionBy: level("year") } }, now),
      "2026-01",
    );
    assert.equal(defaultAsOf(list, { partitionBy: level(1000) }, now), undefined);
  });

  it("is that of the intervals that hold now, not of those to come", () => {
    const changes = [{ from: "2028-01-01", every: "day" }];
    assert.equal(defaultAsOf(level("month", { changes }), { partitionBy: level("week") }, now), "2026-11-16");
  });
});

describe("the type of the key", () => {
  it("is taken from its column", () => {
    const columns = [
      { name: "id", type: "UUID" },
      { name: "n", type: "numeric(12,2)" },
      { name: "c", type: "serial8" },
    ];
    const typeOf = (column: string) => withKeyType({ range: { column, every: "month" } }, columns);
    assert.deepEqual(typeOf("id"), { range: { column: "id", every: "month", type: "uuid" } });
    assert.deepEqual(typeOf("n"), { range: { column: "n", every: "month", type: "numeric(12,2)" } });
    assert.equal(keyTypeOf("serial8"), "bigint");
  });
});
