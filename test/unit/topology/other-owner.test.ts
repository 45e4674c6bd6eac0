/** A set whose parent has partitions of other stacks neither takes nor drops them. */
import assert from "node:assert/strict";
import type { ActualPartition, ActualSet, DesiredSet } from "../../../topology/model";
import { plan } from "../../../topology/plan";
import { expand } from "../../../topology/policy";

const theirs: ActualPartition = {
  schema: "public",
  name: "events_acme",
  oid: 2,
  bound: { from: "2026-01-01", to: "2026-02-01" },
  state: "live",
  relkind: "r",
  rows: 10,
  bytes: 8192,
};

const actual: ActualSet = {
  source: "catalog",
  parent: {
    schema: "public",
    name: "events",
    oid: 1,
    strategy: "range",
    keyColumns: ["day"],
    keyTypes: ["date"],
    references: [],
    referencedBy: [],
  },
  children: [theirs],
  detached: [],
  strangers: [],
};

function desired(over: Record<string, unknown>): DesiredSet {
  const { desired: set, failures } = expand({
    table: "events",
    partitionBy: { range: { column: "day", type: "date", every: "month" } },
    unmanaged: "ignore",
    ...over,
  });
  assert.deepEqual(failures, []);
  return set!;
}

const touching = (set: DesiredSet, known = {}, there = actual) =>
  plan(set, there, known).steps.filter(
    ({ partition, oid, reorganization }) =>
      partition === theirs.name ||
      oid === theirs.oid ||
      reorganization?.sources.some((source) => source.oid === theirs.oid),
  );

describe("a set beside partitions of others", () => {
  it("does not retire one that lies on its own grid", () => {
    const set = desired({
      window: { from: "2026-01", ahead: 1 },
      asOf: "2027-06",
      lifecycle: [{ after: "3 months", tier: "dropped" }],
    });
    assert.deepEqual(touching({ ...set, partitions: {} }), []);
    assert.notDeepEqual(touching({ ...set, partitions: {} }, { events_acme: 2 }), []);
  });

  it("does not take the rows of one that overlaps a declared partition, but names it", () => {
    const set = desired({ window: { from: "2026-01", ahead: 1 }, asOf: "2026-01" });
    const overlapping: ActualSet = {
      ...actual,
      children: [{ ...theirs, bound: { from: "2026-01-05", to: "2026-01-20" } }],
    };
    for (const there of [actual, overlapping]) {
      const { findings } = plan(set, there, {});
      assert.deepEqual(touching(set, {}, there), []);
      assert.ok(findings.some(({ severity, reason }) => severity === "error" && reason.includes("events_acme")));
    }
    assert.notDeepEqual(touching(set, { events_acme: 2 }, overlapping), []);
  });
});
