/** Tables as the catalog would show them, made from declarations, and what describing them comes to. */
import assert from "node:assert/strict";
import { type Description, describeSet } from "../../../topology/describe/describe";
import { boundOf, levelKey, plainType } from "../../../topology/level";
import type { ActualLevel, ActualPartition, ActualSet, DesiredPartition } from "../../../topology/model";
import { expand } from "../../../topology/policy";

export type Raw = Record<string, unknown>;

export const OPTIONS = {
  now: "2026-11-21 10:00:00+00",
  timezones: ["UTC", "UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata"],
};

/** The live partitions that the inputs come to. */
export function live(raw: Raw): Record<string, DesiredPartition> {
  const { desired, failures } = expand(raw);
  assert.deepEqual(failures, []);
  assert.ok(desired);
  return keepLive(desired.partitions);
}

function keepLive(partitions: Record<string, DesiredPartition>): Record<string, DesiredPartition> {
  const kept = Object.entries(partitions).filter(([, { tier }]) => tier === "live");
  return Object.fromEntries(
    kept.map(([name, entry]) => [
      name,
      entry.partitions === undefined ? entry : { ...entry, partitions: keepLive(entry.partitions) },
    ]),
  );
}

let oids = 1000;

/** The table of a declaration, with every live partition; `types` are those of HASH keys, which no declaration says. */
export function actualOf(raw: Raw): ActualSet {
  const key = levelKey(raw.partitionBy);
  const parent = {
    schema: String(raw.schema ?? "public"),
    name: String(raw.table),
    oid: 1,
    ...key,
    keyTypes: key.keyTypes.length > 0 ? key.keyTypes : key.keyColumns.map(() => "bigint"),
    references: [],
    referencedBy: [],
  };
  return { source: "catalog", parent, children: childrenOf(live(raw), parent.schema), detached: [], strangers: [] };
}

function childrenOf(partitions: Record<string, DesiredPartition>, schema: string): ActualPartition[] {
  return Object.entries(partitions).map(([name, entry]): ActualPartition => {
    const inside = entry.partitions && levelOf(entry.partitionBy, entry.partitions, schema);
    const relkind = inside === undefined ? "r" : "p";
    const bound = boundOf(entry);
    return {
      schema,
      name,
      oid: oids++,
      bound,
      state: "live",
      relkind,
      rows: 1,
      bytes: 8192,
      ...(inside && { level: inside }),
    };
  });
}

function levelOf(partitionBy: unknown, partitions: Record<string, DesiredPartition>, schema: string): ActualLevel {
  const key = levelKey(partitionBy);
  const keyTypes = key.keyTypes.length > 0 ? key.keyTypes.map(plainType) : key.keyColumns.map(() => "bigint");
  return { ...key, keyTypes, references: [], referencedBy: [], children: childrenOf(partitions, schema), detached: [] };
}

/** A table of explicit partitions. */
export function tableOf(range: Raw, partitions: Raw, more: Raw = {}): ActualSet {
  return actualOf({ table: "t", partitionBy: { range }, partitions, ...more });
}

export function inputsOf(actual: ActualSet, options = OPTIONS): Raw {
  const described: Description = describeSet(actual, options);
  assert.ok("inputs" in described, JSON.stringify(described));
  return described.inputs;
}

export function notesOf(actual: ActualSet, options = OPTIONS): string[] {
  const described = describeSet(actual, options);
  assert.ok("inputs" in described, JSON.stringify(described));
  return described.notes.map(({ text }) => text);
}

/** The policy of one level without its table. */
export function policyOf(actual: ActualSet, options = OPTIONS): Raw {
  const { table: _, ...policy } = inputsOf(actual, options);
  return policy;
}

/** Ranges by name, one after the other. */
export function ranges(prefix: string, names: readonly string[], borders: readonly (string | number)[]): Raw {
  return Object.fromEntries(
    names.map((name, at) => [`${prefix}${name}`, { from: borders[at] ?? "", to: borders[at + 1] ?? "" }]),
  );
}
