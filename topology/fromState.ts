/** What is there, as far as the state knows: for previews that reach no database. */
import type { ActualParent, ActualPartition, ActualSet, PartitionBound, Strategy } from "./model";

/** The part of a PartitionSet's outputs that tells what was there. */
export interface RecordedSet {
  schema?: unknown;
  table?: unknown;
  partitionBy?: unknown;
  identity?: unknown;
  partitions?: unknown;
  oids?: unknown;
}

/** Tiers of recorded partitions, as states of a table; a dropped one is not there. */
const STATES: Record<string, ActualPartition["state"]> = { live: "live", detached: "detached", detaching: "pending" };

/**
 * The set as the outputs recorded it. Without a recorded parent OID there is no parent: everything is still to be created.
 * Rows, bytes and foreign keys are not known, and there are no strangers; whatever was done by hand since is not seen.
 */
export function actualFromState(outputs: RecordedSet): ActualSet {
  const schema = typeof outputs.schema === "string" ? outputs.schema : "public";
  const name = typeof outputs.table === "string" ? outputs.table : "";
  const oid = record(outputs.identity).parentOid;
  const partitions = recordedPartitions(schema, outputs);
  const children = partitions.filter(({ state }) => state !== "detached");
  const detached = partitions.filter(({ state }) => state === "detached");
  if (typeof oid !== "number") return { source: "state", children: [], detached: [], strangers: [] };
  const fallback = children.find(({ bound }) => "default" in bound);
  const parent: ActualParent = {
    schema,
    name,
    oid,
    ...recordedKey(outputs.partitionBy),
    ...(fallback && { defaultPartition: { schema, name: fallback.name, oid: fallback.oid, bytes: 0 } }),
    references: [],
    referencedBy: [],
  };
  return { source: "state", parent, children, detached, strangers: [] };
}

function recordedPartitions(schema: string, outputs: RecordedSet): ActualPartition[] {
  const oids = record(outputs.oids);
  return Object.entries(record(outputs.partitions)).flatMap(([name, value]): ActualPartition[] => {
    const { tier, ...bound } = record(value);
    const state = STATES[String(tier)];
    const oid = oids[name];
    if (state === undefined || typeof oid !== "number" || !isBound(bound)) return [];
    return [{ schema, name, oid, bound, state, relkind: "r" }];
  });
}

function isBound(value: object): value is PartitionBound {
  return "from" in value || "values" in value || "modulus" in value || "default" in value;
}

function recordedKey(partitionBy: unknown): { strategy: Strategy; keyColumns: string[]; keyTypes: string[] } {
  const by = record(partitionBy);
  const strategy = (["range", "list", "hash"] as const).find((word) => Object.hasOwn(by, word)) ?? "range";
  const { column, columns, type, types } = record(by[strategy]);
  return { strategy, keyColumns: texts(columns ?? column), keyTypes: texts(types ?? type) };
}

function texts(value: unknown): string[] {
  return [value].flat().filter((item): item is string => typeof item === "string");
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? Object.fromEntries(Object.entries(value)) : {};
}
