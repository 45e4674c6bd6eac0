/** Tables as other tools and hands make them. */
import assert from "node:assert/strict";
import { describeSet } from "../../../topology/describe/describe";
import type { ActualSet } from "../../../topology/model";
import { actualOf, inputsOf, live, notesOf, OPTIONS, policyOf, type Raw, ranges, tableOf } from "./support";

const MONTHS = ["2026-08-01", "2026-09-01", "2026-10-01", "2026-11-01", "2026-12-01", "2027-01-01"];
const DATE = { column: "at", type: "date" };

/** Describes, and sees that the declaration comes to what is there. */
function again(actual: ActualSet): Raw {
  const inputs = inputsOf(actual);
  const names = actual.children.filter(({ state }) => state === "live").map(({ name }) => name);
  assert.deepEqual(Object.keys(live(inputs)).sort(), names.sort());
  return inputs;
}

function rangeOf(actual: ActualSet): Raw {
  return (again(actual).partitionBy as { range: Raw }).range;
}

describe("Describing tables with periods", () => {
  const monthly = (names: string[], prefix = "t_") => tableOf(DATE, ranges(prefix, names, MONTHS));

  it("finds months with the default names, and the period of the present", () => {
    assert.deepEqual(policyOf(monthly(["2026_08", "2026_09", "2026_10", "2026_11", "2026_12"])), {
      partitionBy: { range: { ...DATE, every: "month" } },
      window: { from: "2026-08", ahead: 1 },
      asOf: "2026-11",
    });
  });

  it("finds presets and templates", () => {
    assert.equal(again(monthly(["p2026_08", "p2026_09", "p2026_10", "p2026_11", "p2026_12"])).naming, "pg_partman4");
    const partman5 = ["20260801", "20260901", "20261001", "20261101", "20261201"].map((name) => `p${name}`);
    assert.equal(again(monthly(partman5)).naming, "pg_partman5");
    assert.equal(
      again(monthly(["y2026m08", "y2026m09", "y2026m10", "y2026m11", "y2026m12"])).naming,
      "{table}_y{yyyy}m{mm}",
    );
    assert.equal(again(monthly(["2608", "2609", "2610", "2611", "2612"], "ev20")).naming, "ev{yyyy}{mm}");
  });

  it("lists a name that no template gives, in the place of its period", () => {
    const actual = monthly(["2026_08", "2026_09", "old", "2026_11", "2026_12"]);
    assert.deepEqual(again(actual).partitions, { t_old: { from: "2026-10-01", to: "2026-11-01" } });
  });

  it("lists all when names follow nothing", () => {
    const inputs = again(monthly(["a", "b", "c", "d", "e"]));
    assert.deepEqual(inputs.partitionBy, { range: DATE });
    assert.equal(Object.keys(inputs.partitions as Raw).length, 5);
  });

  it("pins asOf to the last period when nothing has been made for long", () => {
    const old = tableOf(DATE, ranges("t_", ["2020_01", "2020_02"], ["2020-01-01", "2020-02-01", "2020-03-01"]));
    assert.deepEqual([again(old).asOf, again(old).window], ["2020-02", { from: "2020-01", ahead: 0 }]);
    assert.match(notesOf(old).join(), /t_2020_02, ends before the present/);
  });

  it("finds years, then months, as a change of the interval", () => {
    const names = ["2023", "2024", "2025_01", "2025_02", "2025_03"];
    const borders = ["2023-01-01", "2024-01-01", "2025-01-01", "2025-02-01", "2025-03-01", "2025-04-01"];
    assert.deepEqual(rangeOf(tableOf(DATE, ranges("t_", names, borders))), {
      ...DATE,
      every: "year",
      changes: [{ from: "2025-01", every: "month" }],
    });
  });

  it("finds a week that a change has cut", () => {
    const raw = {
      table: "t",
      partitionBy: { range: { ...DATE, every: "month", changes: [{ from: "2027-01-01", every: "week" }] } },
      window: { from: "2026-10", ahead: 4 },
      asOf: "2026-11",
    };
    assert.deepEqual(rangeOf(actualOf(raw)), {
      ...DATE,
      every: "month",
      changes: [{ from: "2027-01", every: "week" }],
    });
  });

  it("lists a cut week when the interval before it is not known", () => {
    const names = ["old", "2026_11_01", "2026_w45", "2026_w46", "2026_w47"];
    const borders = ["2026-10-01", "2026-11-01", "2026-11-02", "2026-11-09", "2026-11-16", "2026-11-23"];
    const inputs = again(tableOf(DATE, ranges("t_", names, borders)));
    assert.deepEqual(inputs.window, { from: "2026-11-02", ahead: 0 });
    assert.deepEqual(Object.keys(inputs.partitions as Raw), ["t_old", "t_2026_11_01"]);
  });

  it("says an interval twice when only the names have changed", () => {
    const names = ["p2026_08", "p2026_09", "p20261001", "p20261101", "p20261201"];
    assert.deepEqual(rangeOf(monthly(names)).changes, [{ from: "2026-10", every: "month", naming: "pg_partman5" }]);
  });

  it("keeps holes: what is before the last one is listed", () => {
    const partitions = ranges("t_", ["2026_08", "2026_09", "2026_10", "2026_11", "2026_12"], MONTHS);
    delete partitions.t_2026_09;
    const inputs = again(tableOf(DATE, partitions));
    assert.deepEqual(inputs.window, { from: "2026-10", ahead: 1 });
    assert.deepEqual(inputs.partitions, { t_2026_08: { from: "2026-08-01", to: "2026-09-01" } });
  });

  it("lists open ends", () => {
    const names = ["first", "2026_08", "2026_09", "last"];
    const borders = ["MINVALUE", "2026-08-01", "2026-09-01", "2026-10-01", "MAXVALUE"];
    assert.deepEqual(again(tableOf(DATE, ranges("t_", names, borders))).partitions, {
      t_first: { from: "MINVALUE", to: "2026-08-01" },
      t_last: { from: "2026-10-01", to: "MAXVALUE" },
    });
  });

  it("anchors weeks that begin on the day on which a tool was run", () => {
    const names = ["p20261121", "p20261128", "p20261205"];
    const borders = ["2026-11-21", "2026-11-28", "2026-12-05", "2026-12-12"];
    const inputs = again(tableOf(DATE, ranges("t_", names, borders)));
    assert.deepEqual(inputs.partitionBy, { range: { ...DATE, every: "week", anchor: "2026-11-21" } });
    assert.equal(inputs.naming, "pg_partman5");
  });

  it("finds the zone whose midnights the borders are, and says which others it may be", () => {
    const names = ["2026_10", "2026_11", "2026_12"];
    const borders = ["2026-10-01 04", "2026-11-01 04", "2026-12-01 05", "2027-01-01 05"].map(
      (text) => `${text}:00:00+00`,
    );
    const actual = tableOf({ column: "at", type: "timestamptz" }, ranges("t_", names, borders));
    const timezones = [...OPTIONS.timezones, "America/Detroit", "America/New_York"];
    const described = describeSet(actual, { ...OPTIONS, timezones });
    assert.ok("inputs" in described);
    assert.deepEqual(described.inputs.partitionBy, {
      range: { column: "at", type: "timestamptz", every: "month", timezone: "America/New_York" },
    });
    assert.equal(described.inputs.asOf, "2026-11");
    assert.match(
      described.notes.map(({ text }) => text).join(),
      /America\/New_York, and of 1 other zones \(America\/Detroit\)/,
    );
  });

  it("tells counted time from plain numbers", () => {
    const months = ["2026-10-01", "2026-11-01", "2026-12-01"].map((text) => Date.parse(text) / 1000);
    const key = { column: "n", type: "bigint" };
    assert.deepEqual(rangeOf(tableOf(key, ranges("t_", ["2026_10", "2026_11"], months))), {
      ...key,
      every: "month",
      epoch: "seconds",
    });
    assert.deepEqual(rangeOf(tableOf(key, ranges("t_", ["5", "1005"], [5, 1005, 2005]))), {
      ...key,
      every: 1000,
      offset: 5,
    });
  });

  it("takes the partition with the highest rows for the present of plain numbers", () => {
    const actual = tableOf({ column: "n", type: "bigint" }, ranges("t_", ["0", "1000", "2000"], [0, 1000, 2000, 3000]));
    const last = actual.children.at(-1);
    if (last !== undefined) last.rows = 0;
    assert.deepEqual([again(actual).asOf, again(actual).window], [1000, { from: 0, ahead: 1 }]);
  });
});

describe("Describing what has no periods", () => {
  it("lists ranges over several columns", () => {
    const range = { columns: ["a", "b"], types: ["integer", "text"] };
    const partitions = { t_1: { from: [1, "MINVALUE"], to: [5, "MINVALUE"] } };
    assert.deepEqual(again(tableOf(range, partitions)).partitions, partitions);
  });

  it("names groups of a LIST by what their names have of their own", () => {
    const values = { de: ["de"], fr: ["fr", "mc"], none: [null] };
    const list = { list: { column: "r", type: "text", values } };
    assert.deepEqual(policyOf(actualOf({ table: "t", partitionBy: list })), { partitionBy: list });
    const actual = actualOf({ table: "t", partitionBy: list, naming: "shop_{value}", defaultPartition: true });
    assert.equal((inputsOf(actual).naming as string) ?? "", "shop_{value}");
    assert.equal(inputsOf(actual).defaultPartition, true);
  });

  it("lists HASH partitions of several moduli", () => {
    const partitions = {
      t_a: { modulus: 2, remainder: 0 },
      t_b: { modulus: 4, remainder: 1 },
      t_c: { modulus: 4, remainder: 3 },
    };
    const actual = actualOf({ table: "t", partitionBy: { hash: { columns: ["id"] } }, partitions });
    assert.deepEqual(again(actual).partitions, partitions);
  });

  it("refuses a key that is an expression, and says why", () => {
    const actual = tableOf(DATE, {});
    actual.parent!.keyColumns = [null];
    const described = describeSet(actual, OPTIONS);
    assert.ok("reasons" in described);
    assert.match(described.reasons.join(), /key of t has an expression/);
  });
});

describe("Describing trees", () => {
  const months = {
    partitionBy: { range: { column: "at", type: "date", every: "month" } },
    window: { from: "2026-10", ahead: 1 },
    asOf: "2026-11",
  };
  const regions = { list: { column: "r", type: "text", values: { eu: ["de"], us: ["us"], asia: ["jp"] } } };

  it("says once what all partitions have in common", () => {
    const raw = { table: "t", partitionBy: regions, subPartitionBy: months };
    assert.deepEqual(inputsOf(actualOf(raw)), raw);
  });

  it("says what one of them has of its own", () => {
    const extra = { t_us_old: { from: "MINVALUE", to: "2026-10-01" } };
    const own = { t_us: { values: ["us"], partitions: extra }, t_asia: { values: ["jp"], leaf: true } };
    const raw = { table: "t", partitionBy: regions, subPartitionBy: months, partitions: own };
    assert.deepEqual(inputsOf(actualOf(raw)).partitions, own);
  });

  it("lists periods of periods of one column", () => {
    const days = (from: string, to: string) => ({
      partitionBy: { range: DATE },
      partitions: { [`t_d${from}`]: { from, to } },
    });
    const partitions = {
      t_2026_10: { from: "2026-10-01", to: "2026-11-01", ...days("2026-10-01", "2026-10-02") },
      t_2026_11: { from: "2026-11-01", to: "2026-12-01", ...days("2026-11-01", "2026-11-02") },
    };
    const raw = { table: "t", partitionBy: { range: DATE }, partitions };
    assert.deepEqual(live(inputsOf(actualOf(raw))), live(raw));
  });
});

describe("Describing what is not as it should be", () => {
  it("leaves a pending detach out and says what the next up does", () => {
    const actual = tableOf(DATE, ranges("t_", ["2026_08", "2026_09", "2026_10"], MONTHS));
    const [first] = actual.children;
    if (first !== undefined) first.state = "pending";
    assert.deepEqual(Object.keys(live(inputsOf(actual))), ["t_2026_09", "t_2026_10"]);
    assert.match(notesOf(actual).join(), /public.t_2026_08 is half detached.*FINALIZE/);
  });

  it("says where partitions are: most of them, and the others one by one", () => {
    const actual = tableOf(DATE, ranges("t_", ["2026_08", "2026_09", "2026_10"], MONTHS));
    for (const child of actual.children) child.schema = "dynamic";
    const whole = inputsOf(actual);
    assert.deepEqual([whole.partitionSchema, whole.partitions], ["dynamic", undefined]);
    Object.assign(actual.children[0] ?? {}, { schema: "archive" });
    const { partitionSchema, partitions } = inputsOf(actual);
    assert.equal(partitionSchema, "dynamic");
    assert.deepEqual(partitions, { t_2026_08: { from: "2026-08-01", to: "2026-09-01", schema: "archive" } });
  });

  it("leaves partitions alone that share their name with another one", () => {
    const actual = tableOf(DATE, ranges("t_", ["2026_08", "2026_09", "2026_10"], MONTHS));
    Object.assign(actual.children[2] ?? {}, { schema: "dynamic", name: "t_2026_09" });
    assert.equal(inputsOf(actual).unmanaged, "ignore");
    assert.deepEqual(Object.keys(live(inputsOf(actual))), ["t_2026_08", "t_2026_09"]);
    assert.match(notesOf(actual).join(), /dynamic\.t_2026_09: another table of this set bears the same name/);
  });

  it("tolerates how partitions differ from their parent", () => {
    const actual = tableOf(DATE, ranges("t_", ["2026_08", "2026_09", "2026_10"], MONTHS));
    const [first] = actual.children;
    if (first !== undefined) first.differences = [{ attribute: "owner", expected: "a", found: "b" }];
    assert.deepEqual(inputsOf(actual).children, { owner: "report" });
    assert.match(notesOf(actual).join(), /differ from their parent in owner/);
  });
});
