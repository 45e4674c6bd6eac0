import assert from "node:assert/strict";
import type { DesiredPartition } from "../../../topology/model";
import { expand } from "../../../topology/policy";

export type Raw = Record<string, unknown>;

export const monthly = (more: Raw = {}, range: Raw = {}): Raw => ({
  table: "events",
  partitionBy: { range: { column: "at", type: "date", every: "month", ...range } },
  window: { from: "2026-01", ahead: 2 },
  asOf: "2026-11-21",
  ...more,
});

export function partitionsOf(raw: Raw, old?: Raw): Record<string, DesiredPartition> {
  const { desired, failures } = expand(raw, old);
  assert.deepEqual(failures, []);
  assert(desired);
  return desired.partitions;
}

export function tiers(raw: Raw, old?: Raw): Record<string, string> {
  return Object.fromEntries(Object.entries(partitionsOf(raw, old)).map(([name, { tier }]) => [name, tier]));
}

/** The one failure, as `path: reason`. */
export function failure(raw: Raw): string {
  const { failures, desired } = expand(raw);
  assert.equal(desired, undefined);
  assert.equal(failures.length, 1, JSON.stringify(failures));
  return `${failures[0]?.property}: ${failures[0]?.reason}`;
}

export const range = (more: Raw) => monthly({}, more);
export const list = (values: Raw, more: Raw = {}): Raw => ({
  table: "o",
  partitionBy: { list: { column: "r", values, ...more } },
});
export const hash = (partitions: unknown, more: Raw = {}): Raw => ({
  table: "m",
  partitionBy: { hash: { columns: ["a"], partitions } },
  ...more,
});
export const explicit = (partitions: Raw): Raw => ({
  table: "t",
  partitionBy: { range: { column: "n", type: "integer" } },
  partitions,
});
export const long = "é".repeat(30);
