import assert from "node:assert/strict";
import fc from "fast-check";
import { boundsOverlap } from "../../../topology/bounds";
import type { DesiredPartition } from "../../../topology/model";
import { desiredFromChecked, expand } from "../../../topology/policy";
import { UNKNOWN } from "../../../topology/unknown";
import { monthly, partitionsOf, type Raw, tiers } from "./inputs";

describe("expand", () => {
  it("lists the periods of the window, DEFAULT last", () => {
    const { checked } = expand(monthly({ window: { from: "2026-10", ahead: 1 }, defaultPartition: true }));
    assert.deepEqual(Object.entries(checked.partitions as object), [
      ["events_2026_10", { from: "2026-10-01", to: "2026-11-01", tier: "live" }],
      ["events_2026_11", { from: "2026-11-01", to: "2026-12-01", tier: "live" }],
      ["events_2026_12", { from: "2026-12-01", to: "2027-01-01", tier: "live" }],
      ["events_default", { default: true, tier: "live" }],
    ]);
  });

  it("fills in every default", () => {
    const { checked } = expand({
      table: "t",
      partitionBy: { range: { column: "at", type: "timestamptz", every: "1 day" } },
      asOf: "2026-11-21",
    });
    const { partitions, ...rest } = checked;
    assert.equal(Object.keys(partitions as object).length, 4);
    assert.deepEqual(rest, {
      schema: "public",
      table: "t",
      partitionBy: { range: { column: "at", type: "timestamptz", every: "day", timezone: "UTC" } },
      asOf: "2026-11-21",
      window: { from: "2026-11-21 00:00:00+00", ahead: 3 },
      naming: { partitions: "{table}_{yyyy}_{mm}_{dd}", default: "{table}_default" },
      defaultPartition: false,
      unmanaged: "report",
      reorganize: "online",
      onDelete: "refuse",
      viewLimit: 250,
    });
  });

  it("remembers where the window began", () => {
    const { window: _, ...open } = monthly();
    const first = expand(open).checked;
    const names = Object.keys(partitionsOf({ ...open, asOf: "2027-01" }, first));
    assert.equal(names[0], "events_2026_11");
    assert.equal(names.length, 6);
    const asNumbers = { ...open, partitionBy: { range: { column: "n", type: "bigint", every: 100 } }, asOf: 250 };
    assert.deepEqual(Object.keys(partitionsOf(asNumbers, first)), [
      "events_200",
      "events_300",
      "events_400",
      "events_500",
    ]);
  });

  it("steps through numbers", () => {
    const raw: Raw = {
      table: "t",
      partitionBy: { range: { column: "id", type: "bigint", every: "1000", offset: 1 } },
      window: { from: 1, ahead: 1 },
      asOf: 2500,
      lifecycle: [{ after: 1000, tier: "detached" }],
      pins: [{ from: 0, to: 5 }],
      naming: "{table}_{n}_{from}",
    };
    assert.deepEqual(tiers(raw), { t_0_1: "live", t_1_1001: "live", t_2_2001: "live", t_3_3001: "live" });
    assert.deepEqual(tiers({ ...raw, pins: [], asOf: "3500" }), {
      t_0_1: "detached",
      t_1_1001: "detached",
      t_2_2001: "live",
      t_3_3001: "live",
      t_4_4001: "live",
    });
  });

  it("names lists by their keys and hashes by their remainders", () => {
    const list = { list: { column: "region", values: { eu: ["de", "fr"], rest: [null, "us"] } } };
    assert.deepEqual(partitionsOf({ table: "o", partitionBy: list, defaultPartition: true }), {
      o_eu: { values: ["de", "fr"], tier: "live" },
      o_rest: { values: ["us", null], tier: "live" },
      o_default: { default: true, tier: "live" },
    });
    const hash = { hash: { columns: ["a", "b"], partitions: 2 } };
    assert.deepEqual(partitionsOf({ table: "m", partitionBy: hash }), {
      m_p0: { modulus: 2, remainder: 0, tier: "live" },
      m_p1: { modulus: 2, remainder: 1, tier: "live" },
    });
  });

  it("puts explicit partitions beside the policy, or in the place of an entry with the same bound", () => {
    const partitions = {
      "odd name": { from: "2026-11-01", to: "2026-12-01" },
      before: { from: "MINVALUE", to: "2026-01-01" },
      rest: { default: true },
    };
    const expanded = partitionsOf(monthly({ partitions, defaultPartition: true }));
    assert.equal(Object.keys(expanded)[0], "before");
    assert.equal(Object.keys(expanded).at(-1), "rest");
    assert.equal(expanded.events_2026_11, undefined);
    assert.deepEqual(expanded["odd name"], { from: "2026-11-01", to: "2026-12-01", tier: "live" });
    assert.equal(expanded.events_default, undefined);
  });

  it("takes several key columns with explicit partitions", () => {
    const range = { columns: ["tenant", "day"], types: ["integer", "date"] };
    const partitions = {
      a: { from: [1, "2026-01-01"], to: [1, "2027-01-01"] },
      b: { from: [1, "2027-01-01"], to: ["MAXVALUE", "MAXVALUE"] },
    };
    const { desired } = expand({ table: "t", partitionBy: { range }, partitions });
    assert.deepEqual(desired?.keyColumns, ["tenant", "day"]);
    assert.deepEqual(desired?.keyTypes, ["integer", "date"]);
    assert.equal(desired?.keyType, undefined);
    assert.deepEqual(desired?.partitions.a, { from: ["1", "2026-01-01"], to: ["1", "2027-01-01"], tier: "live" });
  });

  it("leaves the order of text to PostgreSQL where collations disagree", () => {
    const ends = (from: string, to: string) =>
      expand({ table: "t", partitionBy: { range: { column: "k", type: "text" } }, partitions: { a: { from, to } } })
        .failures;
    assert.deepEqual(ends("b", "Z"), []);
    assert.equal(ends("z", "b").length, 1);
    assert.equal(ends("Z", "Z").length, 1);
  });

  it("splits a hash beside the policy when a bucket is detached", () => {
    const raw = (bucket: Raw) => ({
      table: "m",
      partitionBy: { hash: { columns: ["a"], partitions: 2 } },
      partitions: {
        m_p0: { modulus: 2, remainder: 0, ...bucket },
        x: { modulus: 4, remainder: 0 },
        y: { modulus: 4, remainder: 2 },
      },
    });
    assert.deepEqual(tiers(raw({ tier: "detached" })), { m_p0: "detached", m_p1: "live", x: "live", y: "live" });
    assert.equal(expand(raw({})).failures.length, 2);
  });
});

describe("lifecycle", () => {
  const lifecycle = [
    { after: "3 months", tier: "detached" },
    { after: "6 months", tier: "dropped" },
  ];
  const at = (asOf: string, more: Raw = {}) =>
    monthly({ asOf, lifecycle, window: { from: "2026-01", ahead: 0 }, ...more });

  it("counts the age of a partition from its upper bound, by the calendar", () => {
    assert.deepEqual(tiers(at("2026-04-30")), {
      events_2026_01: "live",
      events_2026_02: "live",
      events_2026_03: "live",
      events_2026_04: "live",
    });
    assert.equal(tiers(at("2026-05-01")).events_2026_01, "detached");
    assert.equal(tiers(at("2026-05-31")).events_2026_02, "live");
  });

  it("shows a partition as dropped once, and lists it no more after that", () => {
    const before = expand(at("2026-07-31")).checked;
    assert.equal((before.partitions as Record<string, DesiredPartition>).events_2026_01?.tier, "detached");
    const dropping = expand(at("2026-08-01"), before);
    assert.equal(dropping.desired?.partitions.events_2026_01?.tier, "dropped");
    assert.deepEqual(dropping.checked.retired, { from: "2026-01-01", before: "2026-02-01" });
    assert.equal(dropping.desired?.tierReasons?.events_2026_01, "after 6 months: dropped");
    const same = expand(at("2026-08-01"), dropping.checked);
    assert.deepEqual(same.checked, dropping.checked);
    const sameMoment = expand(at("2026-08"), dropping.checked);
    assert.equal(sameMoment.desired?.partitions.events_2026_01?.tier, "dropped");
    const later = expand(at("2026-08-02"), dropping.checked);
    assert.equal(later.desired?.partitions.events_2026_01, undefined);
    assert.deepEqual(later.desired?.retired, {
      from: "2026-01-01",
      before: "2026-02-01",
      periods: [
        {
          grid: { kind: "calendar", type: "date", unit: "month", count: 1, timezone: "UTC" },
          naming: "{table}_{yyyy}_{mm}",
        },
      ],
    });
  });

  it("lists nothing that was dropped before the set existed", () => {
    const { checked } = expand(at("2026-08-01"));
    assert.equal(Object.keys(checked.partitions as object)[0], "events_2026_02");
    assert.deepEqual(checked.retired, { from: "2026-01-01", before: "2026-02-01" });
  });

  it("drops a partition with another name all the same, and does not bring it back", () => {
    const partitions = { oldest: { from: "2026-01-01", to: "2026-02-01" } };
    const first = expand(at("2026-02-01", { partitions })).checked;
    const dropped = expand(at("2026-09-01", { partitions }), first);
    assert.equal(dropped.desired?.partitions.oldest?.tier, "dropped");
    assert.equal(expand(at("2026-10-01", { partitions }), dropped.checked).desired?.partitions.oldest?.tier, "dropped");
    const kept = { oldest: { ...partitions.oldest, tier: "live" } };
    assert.equal(expand(at("2026-10-01", { partitions: kept })).desired?.partitions.oldest?.tier, "live");
  });

  it("keeps pinned ranges live until their day", () => {
    const pinned = (asOf: string, until?: string) =>
      tiers(at(asOf, { pins: [{ from: "2026-01-15", to: "2026-02-01", until }] }));
    assert.equal(pinned("2026-12-01").events_2026_01, "live");
    assert.equal(pinned("2026-12-01").events_2026_02, undefined);
    assert.equal(pinned("2026-12-01", "2026-12-02").events_2026_01, "live");
    assert.equal(pinned("2026-12-01", "2026-12-01").events_2026_01, undefined);
  });

  it("never reaches what lies before all time", () => {
    const far = monthly({ lifecycle: [{ after: "9000 years", tier: "dropped" }] });
    assert.equal(tiers(far).events_2026_01, "live");
    const small: Raw = { table: "t", partitionBy: { range: { column: "n", type: "smallint", every: 10 } }, asOf: 5 };
    assert.equal(tiers({ ...small, lifecycle: [{ after: "40000", tier: "dropped" }] }).t_0, "live");
  });
});

describe("unknown inputs", () => {
  it("leave the partitions open and check the rest", () => {
    for (const raw of [
      monthly({ table: UNKNOWN }),
      monthly({ asOf: UNKNOWN }),
      monthly({ window: { from: UNKNOWN, ahead: 1 } }),
      monthly({}, { every: UNKNOWN }),
      monthly({ partitionBy: UNKNOWN }),
      monthly({ partitions: { a: { from: UNKNOWN, to: "2020-01-01" } } }),
      monthly({ unmanaged: UNKNOWN }),
    ]) {
      const { desired, checked, failures } = expand(raw);
      assert.deepEqual(failures, []);
      assert.equal(desired, undefined);
      assert.equal(checked.partitions, UNKNOWN);
      assert.equal(checked.onDelete, "refuse");
    }
    assert.deepEqual(
      expand(monthly({ table: UNKNOWN, asOf: "soon" })).failures.map(({ property }) => property),
      ["asOf"],
    );
  });

  it("do not matter where no partition depends on them", () => {
    const { desired, checked } = expand(
      monthly({ viewLimit: UNKNOWN, acceptIdentity: UNKNOWN, archive: { store: UNKNOWN } }),
    );
    assert(desired);
    assert.equal(checked.viewLimit, UNKNOWN);
  });
});

describe("expand, for any policy", () => {
  const policies = fc
    .record({
      every: fc.constantFrom("day", "week", "month", "2 months", "quarter", "year"),
      type: fc.constantFrom("date", "timestamp", "timestamptz"),
      zone: fc.constantFrom("UTC", "America/New_York", "Asia/Kolkata", "America/Havana"),
      months: fc.integer({ min: 0, max: 30 }),
      ahead: fc.integer({ min: 0, max: 5 }),
      detached: fc.option(fc.integer({ min: 0, max: 12 })),
      dropped: fc.option(fc.integer({ min: 13, max: 30 })),
      defaultPartition: fc.boolean(),
    })
    .map(({ every, type, zone, months, ahead, detached, dropped, defaultPartition }): Raw => {
      const asOf = new Date(Date.UTC(2026, 10 - (months % 12), 15)).toISOString().slice(0, 10);
      const start = new Date(Date.UTC(2026, 10 - months - 12, 3)).toISOString().slice(0, 10);
      return {
        table: "t",
        partitionBy: { range: { column: "at", type, every, ...(type === "timestamptz" ? { timezone: zone } : {}) } },
        window: { from: start, ahead },
        asOf,
        lifecycle: [
          ...(detached === null ? [] : [{ after: `${detached} months`, tier: "detached" }]),
          ...(dropped === null ? [] : [{ after: `${dropped} months`, tier: "dropped" }]),
        ],
        defaultPartition,
      };
    });

  it("gives the same again from what it gave, and the set that its checked inputs stand for", () => {
    fc.assert(
      fc.property(policies, (raw) => {
        const first = expand(raw);
        assert.deepEqual(first.failures, []);
        assert.deepEqual(expand(raw), first, "deterministic");
        assert.deepEqual(expand(raw, first.checked), first, "idempotent");
        const stored = JSON.parse(JSON.stringify(first.checked));
        assert.deepEqual(stored, first.checked, "plain data");
        assert.deepEqual(desiredFromChecked(stored), first.desired);
      }),
      { numRuns: 20 },
    );
  });

  it("gives contiguous periods that do not overlap", () => {
    fc.assert(
      fc.property(policies, (raw) => {
        const all = Object.values(partitionsOf(raw)).filter((partition) => "from" in partition);
        for (const [at, partition] of all.entries()) {
          const next = all[at + 1];
          if (next === undefined) continue;
          assert.equal(partition.to, next.from);
          assert(!boundsOverlap(partition, next, "text"));
        }
      }),
      { numRuns: 20 },
    );
  });

  it("lists 10,000 partitions in a moment", () => {
    const raw = monthly({ asOf: "2026-11-21", window: { from: "1999-07-08", ahead: 3 } }, { every: "day" });
    assert.equal(Object.keys(partitionsOf(raw)).length, 10_002);
  });
});
