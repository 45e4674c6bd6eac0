import assert from "node:assert/strict";
import { difference } from "../../../topology/difference";
import { desiredFromChecked, expand } from "../../../topology/policy";
import { UNKNOWN } from "../../../topology/unknown";
import { failure, partitionsOf, type Raw } from "./inputs";

/** LIST → RANGE. */
const tenants = (below: Raw = {}, more: Raw = {}): Raw => ({
  table: "t",
  partitionBy: { list: { column: "r", values: { eu: ["de"], us: ["us"] } } },
  asOf: "2026-03-05",
  subPartitionBy: {
    partitionBy: { range: { column: "at", type: "date", every: "month" } },
    window: { from: "2026-01", ahead: 0 },
    ...below,
  },
  ...more,
});

const hash = (partitions: unknown = 2): Raw => ({ partitionBy: { hash: { columns: ["id"], partitions } } });

/** Names as they nest, with tiers that are not live. */
function outline(partitions: Raw): unknown {
  return Object.fromEntries(
    Object.entries(partitions as Record<string, { tier: string; partitions?: Raw }>).map(
      ([name, { tier, partitions: inside }]) => [name, inside === undefined ? tier : outline(inside)],
    ),
  );
}

describe("a policy of several levels", () => {
  it("names each level by the table above it and gives each its own tiers", () => {
    const lifecycle = [{ after: "1 months", tier: "detached" }];
    assert.deepEqual(outline(partitionsOf(tenants({ lifecycle }, { defaultPartition: true }))), {
      t_eu: { t_eu_2026_01: "detached", t_eu_2026_02: "live", t_eu_2026_03: "live" },
      t_us: { t_us_2026_01: "detached", t_us_2026_02: "live", t_us_2026_03: "live" },
      t_default: "live",
    });
  });

  it("says how each partition is divided", () => {
    const { t_eu } = partitionsOf(tenants());
    assert.deepEqual(t_eu?.partitionBy, { range: { column: "at", type: "date" } });
    assert.deepEqual(t_eu?.partitions?.t_eu_2026_03, { from: "2026-03-01", to: "2026-04-01", tier: "live" });
  });

  it("takes names, DEFAULT and asOf of a level from that level", () => {
    const below = { naming: "{table}__{mm}", defaultPartition: true, asOf: "2026-02", subPartitionBy: hash() };
    const { t_us } = partitionsOf(tenants(below));
    assert.deepEqual(outline(t_us?.partitions as Raw), {
      t_us__01: { t_us__01_p0: "live", t_us__01_p1: "live" },
      t_us__02: { t_us__02_p0: "live", t_us__02_p1: "live" },
      t_us_default: "live",
    });
  });

  it("lists nothing below what is detached or dropped", () => {
    const raw = {
      table: "t",
      partitionBy: { range: { column: "at", type: "date", every: "month" } },
      window: { from: "2026-01", ahead: 0 },
      asOf: "2026-03",
      lifecycle: [{ after: "0 days", tier: "detached" }],
      subPartitionBy: hash(1),
    };
    assert.deepEqual(outline(partitionsOf(raw)), {
      t_2026_01: "detached",
      t_2026_02: "detached",
      t_2026_03: { t_2026_03_p0: "live" },
    });
  });

  it("lets an entry say how it is divided itself, or that it is not", () => {
    const partitions = {
      t_eu: { values: ["de"], partitions: { early: { from: "2025-01-01", to: "2026-01-01" } } },
      t_us: { values: ["us"], leaf: true },
      t_asia: { values: ["jp"], partitionBy: { hash: { columns: ["id"], partitions: 2 } } },
      old: {
        default: true,
        partitionBy: { list: { column: "kind", type: "text" } },
        partitions: { old_a: { values: ["a"] } },
      },
    };
    assert.deepEqual(outline(partitionsOf(tenants({}, { partitions }))), {
      t_eu: { early: "live", t_eu_2026_01: "live", t_eu_2026_02: "live", t_eu_2026_03: "live" },
      t_us: "live",
      t_asia: { t_asia_p0: "live", t_asia_p1: "live" },
      old: { old_a: "live" },
    });
  });

  it("keeps the first period of a level when asOf moves on, and remembers what it gave up", () => {
    const open = { window: { ahead: 0 }, lifecycle: [{ after: "1 months", tier: "dropped" }] };
    const first = expand(tenants(open, { asOf: "2026-01" }));
    const later = expand(tenants(open, { asOf: "2026-04" }), first.checked);
    assert.deepEqual(outline(later.checked.partitions as Raw), {
      t_eu: { t_eu_2026_01: "dropped", t_eu_2026_03: "live", t_eu_2026_04: "live" },
      t_us: { t_us_2026_01: "dropped", t_us_2026_03: "live", t_us_2026_04: "live" },
    });
    assert.deepEqual(later.desired?.tierReasons, {
      t_eu_2026_01: "after 1 months: dropped",
      t_us_2026_01: "after 1 months: dropped",
    });
    const { retired } = desiredFromChecked(later.checked).below ?? {};
    assert.deepEqual([retired?.from, retired?.before], ["2026-01-01", "2026-03-01"]);
    const again = expand(tenants(open, { asOf: "2026-04" }), later.checked);
    assert.deepEqual(again.checked, later.checked, "checked inputs are their own result");
  });

  const BAD: Record<string, [Raw, RegExp]> = {
    "a property that no level has": [tenants({ onDelete: "drop" }), /^subPartitionBy.onDelete: is not a property/],
    "a level without a key": [{ ...tenants(), subPartitionBy: {} }, /^subPartitionBy.partitionBy: is required$/],
    "an interval that is none": [
      tenants({ partitionBy: { range: { column: "at", type: "date", every: "fortnight" } } }),
      /^subPartitionBy.partitionBy.range.every: "fortnight" is not an interval/,
    ],
    "a value of a lower level that stands twice": [
      tenants({ partitionBy: { list: { column: "k", values: { a: ["x"], b: ["x"] } } }, window: undefined }),
      /^subPartitionBy.partitionBy.list.values.b\[0\]: the value "x" is in "a" already$/,
    ],
    "a hash without a number": [
      { ...tenants(), subPartitionBy: { partitionBy: { list: { column: "k" } }, defaultPartition: "yes" } },
      /^subPartitionBy.defaultPartition: must be true or false/,
    ],
    "a fourth level": [
      tenants({ subPartitionBy: { ...hash(), subPartitionBy: { ...hash() } } }),
      /^subPartitionBy.subPartitionBy.subPartitionBy: a table can be divided on 3 levels/,
    ],
    "periods below periods of the same column": [
      {
        table: "t",
        partitionBy: { range: { column: "at", type: "date", every: "month" } },
        asOf: "2026-03",
        subPartitionBy: { partitionBy: { range: { column: "at", type: "date", every: "day" } } },
      },
      /^subPartitionBy.partitionBy.range.every: at is the RANGE key of a level above/,
    ],
    "names that are the same in two tables": [
      tenants({ naming: "all_{yyyy}_{mm}" }),
      /^subPartitionBy.naming: the name "all_2026_01" stands for .* and for .*: the template needs a placeholder/,
    ],
    "a name that is too long on the lowest level": [
      tenants({ naming: `{table}_{yyyy}_${"x".repeat(60)}` }),
      /^subPartitionBy.naming: the name .* has \d+ bytes/,
    ],
    "partitions of an entry that is not divided": [
      {
        table: "t",
        partitionBy: { list: { column: "r" } },
        partitions: { a: { values: ["a"], partitions: { b: { default: true } } } },
      },
      /^partitions.a.partitions: needs partitionBy beside it/,
    ],
    "partitions of a leaf": [
      tenants({}, { partitions: { t_eu: { values: ["de"], leaf: true, partitions: {} } } }),
      /^partitions.t_eu.partitions: is not for a leaf$/,
    ],
    "a wrong bound of an entry's own partition": [
      tenants(
        {},
        { partitions: { t_eu: { values: ["de"], partitions: { x: { from: "2026-02-30", to: "2026-03-01" } } } } },
      ),
      /^partitions.t_eu.partitions.x.from: /,
    ],
    "an entry's own partition that overlaps the policy's": [
      tenants(
        {},
        { partitions: { t_eu: { values: ["de"], partitions: { x: { from: "2026-02-10", to: "2026-02-20" } } } } },
      ),
      /^partitions.t_eu.partitions.x: .* overlaps "t_eu_2026_02"/,
    ],
    "periods in an entry": [
      tenants(
        {},
        {
          partitions: {
            t_eu: { values: ["de"], partitionBy: { range: { column: "at", type: "date", every: "day" } } },
          },
        },
      ),
      /^partitions.t_eu.partitionBy.range.every: is for subPartitionBy/,
    ],
    "too many partitions on all levels": [
      tenants({ window: { from: "1000-01", ahead: 0 }, subPartitionBy: hash(1000) }),
      /^subPartitionBy.subPartitionBy: comes to more than 100000 partitions on all levels$/,
    ],
  };
  for (const [what, [raw, expected]] of Object.entries(BAD)) {
    it(`refuses ${what}, once and at its place`, () => assert.match(failure(raw), expected));
  }

  it("is not expanded while something of a lower level is not known", () => {
    const { desired, failures, checked } = expand(tenants({ window: { from: UNKNOWN } }));
    assert.deepEqual([desired, failures, checked.partitions], [undefined, [], UNKNOWN]);
  });
});

describe("differences of several levels", () => {
  const declared = partitionsOf(tenants());
  const copy = () =>
    structuredClone(declared) as Record<string, { tier: string; partitions?: Record<string, unknown> }>;
  const paths = (actual: unknown) =>
    difference(declared, actual as typeof declared).map(({ path, kind }) => `${kind} ${path.join(".")}`);

  it("are none between equal trees", () => assert.deepEqual(paths(copy()), []));

  it("name the partition below, and a subtree only once", () => {
    const actual = copy();
    delete actual.t_eu?.partitions?.t_eu_2026_02;
    delete actual.t_us;
    assert.deepEqual(paths(actual), ["add partitions.t_eu.partitions.t_eu_2026_02", "add partitions.t_us"]);
  });

  it("tell a partition that is not divided, or otherwise", () => {
    const actual = copy();
    Object.assign(actual, {
      t_eu: { values: ["de"], tier: "live" },
      t_us: { values: ["us"], tier: "live", partitionBy: { hash: { columns: ["id"] } }, partitions: {} },
    });
    assert.deepEqual(paths(actual), ["add partitions.t_eu.partitionBy", "update partitions.t_us.partitionBy"]);
  });

  it("do not count what is below a partition of which nothing is said", () => {
    const flat = { t_eu: { values: ["de"], tier: "live" as const } };
    assert.deepEqual(difference(flat, { t_eu: copy().t_eu as never }), []);
  });
});
