/** Whatever a policy comes to is described by a declaration that comes to the same, and mostly by the policy itself. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { describeSet } from "../../../topology/describe/describe";
import { actualOf, live, OPTIONS, type Raw } from "./support";

const UNITS = ["hour", "day", "week", "month", "quarter", "year"];
const NAMES = [undefined, "pg_partman4", "pg_partman5", "p_{yyyy}x{mm}x{dd}_{table}", "{table}_y{yyyy}m{mm}d{dd}"];

const every = fc
  .tuple(fc.constantFrom(...UNITS), fc.integer({ min: 1, max: 3 }))
  .map(([unit, count]) => (count === 1 ? unit : `${count} ${unit}s`));

const date = fc
  .tuple(fc.integer({ min: 2024, max: 2026 }), fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 28 }))
  .map(([year, month, day]) => [year, String(month).padStart(2, "0"), String(day).padStart(2, "0")].join("-"));

/** Few enough periods of short intervals. */
function lateFrom(interval: string, from: string): string {
  if (interval.includes("hour")) return "2026-11-19";
  return interval.includes("day") ? `2026-09${from.slice(7)}` : from;
}

const key = fc.constantFrom<Raw>(
  { type: "date" },
  { type: "timestamp" },
  { type: "timestamptz" },
  { type: "timestamptz", timezone: "America/New_York" },
  { type: "timestamptz", timezone: "Asia/Kolkata" },
  { type: "uuid" },
  { type: "uuid", timezone: "Europe/Berlin" },
  { type: "bigint", epoch: "seconds" },
  { type: "bigint", epoch: "milliseconds", timezone: "America/New_York" },
  { type: "numeric(20,3)", epoch: "seconds" },
);

const calendar = fc
  .record({
    key,
    every,
    anchor: fc.option(date, { nil: undefined }),
    change: fc.option(fc.record({ from: date, every }), { nil: undefined }),
    from: date,
    ahead: fc.integer({ min: 0, max: 5 }),
    naming: fc.constantFrom(...NAMES),
    defaultPartition: fc.boolean(),
  })
  .map(({ key: by, change, anchor, from, ahead, naming, defaultPartition, ...rest }): Raw => {
    const late = change !== undefined && change.from > "2025-06" && from < "2025-01" ? [change] : undefined;
    const { type } = by;
    const days = type === "date" ? rest.every.replace("hour", "day") : rest.every;
    const range = { column: "at", ...by, every: days, anchor, ...(late && { changes: late }) };
    return {
      partitionBy: { range },
      window: { from: lateFrom(days, from), ahead },
      asOf: "2026-11-21",
      naming,
      defaultPartition,
    };
  });

const numbers = fc
  .record({
    type: fc.constantFrom("integer", "bigint", "numeric(12,2)"),
    step: fc.integer({ min: 2, max: 1_000_000 }),
    offset: fc.integer({ min: 0, max: 50 }),
    periods: fc.integer({ min: 1, max: 20 }),
    ahead: fc.integer({ min: 0, max: 5 }),
    naming: fc.constantFrom(undefined, "pg_partman5", "{table}_n{n}"),
  })
  .map(({ type, step, offset, periods, ahead, naming }): Raw => {
    const range = { column: "n", type, every: step, offset };
    return { partitionBy: { range }, window: { from: offset, ahead }, asOf: offset + step * periods, naming };
  });

const list = fc.record({ region: fc.constantFrom("region", "land"), number: fc.boolean() }).map(
  ({ region, number }): Raw => ({
    partitionBy: {
      list: {
        column: region,
        type: number ? "integer" : "text",
        values: number ? { a: [1, 2], b: [3] } : { eu: ["de", "fr"], us: ["us"], none: [null] },
      },
    },
    defaultPartition: number,
  }),
);

const hash = fc
  .integer({ min: 1, max: 16 })
  .map((partitions): Raw => ({ partitionBy: { hash: { columns: ["id"], partitions } } }));

const level = fc.oneof(calendar, numbers, list, hash);

const columnOf = ({ partitionBy }: Raw) => JSON.stringify(partitionBy).match(/"columns?":\[?"(\w+)"/)?.[1];

const tree = fc
  .tuple(level, level)
  .filter(([above, below]) => columnOf(above) !== columnOf(below))
  .map(([above, below]): Raw => ({ ...above, subPartitionBy: below }));

function refused(raw: Raw): boolean {
  try {
    return Object.keys(live({ table: "t", ...raw })).length > 150;
  } catch {
    return true;
  }
}

function describedAs(raw: Raw): Raw {
  const described = describeSet(actualOf(raw), OPTIONS);
  assert.ok("inputs" in described, JSON.stringify(described));
  return described.inputs;
}

/** The begins of the partitions of one interval after another; dates, whatever the key is made of. */
function begins(raw: Raw): string[][] {
  const { range } = raw.partitionBy as { range: Raw };
  const { column, type, timezone, every: interval, anchor, changes = [] } = range;
  const dated = { column, type: type === "date" ? type : "timestamptz", timezone, every: interval, anchor, changes };
  const froms = Object.values(live({ table: "t", ...raw, partitionBy: { range: dated } }))
    .map((entry) => String((entry as Raw).from))
    .sort();
  const [change] = changes as { from: string }[];
  if (change === undefined) return [froms];
  return [froms.filter((from) => from < change.from), froms.filter((from) => from >= change.from)];
}

describe("Describing what a policy made", () => {
  it("comes to the same partitions", () => {
    fc.assert(
      fc.property(level, (raw) => {
        fc.pre(!refused(raw));
        const declared = { table: "t", ...raw };
        assert.deepEqual(live(describedAs(declared)), live(declared));
      }),
      { numRuns: 100 },
    );
  });

  it("comes to the same trees", () => {
    fc.assert(
      fc.property(tree, (raw) => {
        fc.pre(!refused(raw));
        const declared = { table: "t", ...raw };
        assert.deepEqual(live(describedAs(declared)), live(declared));
      }),
      { numRuns: 25 },
    );
  });

  it("finds a policy again when there is more than one period of each interval", () => {
    fc.assert(
      fc.property(calendar, (raw) => {
        // Hours are told in the database's zone and UTC only: nearly every zone has those borders.
        fc.pre(!/hour.*timezone|timezone.*hour/.test(JSON.stringify(raw)));
        fc.pre(!refused(raw) && Object.keys(live({ table: "t", ...raw })).length > 12);
        // Two whole ones and one that the change has cut.
        fc.pre(begins(raw).every((stretch) => stretch.length >= 3));
        const { partitions = {} } = describedAs({ table: "t", ...raw });
        // A period that a change has cut, or one at either end, may be listed.
        assert.ok(Object.keys(partitions as Raw).length <= 3, JSON.stringify(partitions));
      }),
      { numRuns: 100 },
    );
  });
});
