/** What is there, as far as the state knows: for previews that reach no database. */
import { levelKey, parentOf, record } from "./level";
import type { ActualLevel, ActualPartition, ActualSet, PartitionBound } from "./model";

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
const STATES: Record<string, ActualPartition["state"]> = {
  live: "live",
  exported: "live",
  detached: "detached",
  detaching: "pending",
};

/**
 * The set as the outputs recorded it. Without a recorded parent OID there is no parent: everything is still to be created.
 * Rows, bytes and foreign keys are not known, and there are no strangers; whatever was done by hand since is not seen.
 */
export function actualFromState(outputs: RecordedSet): ActualSet {
  const schema = typeof outputs.schema === "string" ? outputs.schema : "public";
  const name = typeof outputs.table === "string" ? outputs.table : "";
  const oid = record(outputs.identity).parentOid;
  const level = recordedLevel(schema, outputs.partitionBy, outputs.partitions, record(outputs.oids));
  if (typeof oid !== "number") return { source: "state", children: [], detached: [], strangers: [] };
  const { children, detached } = level;
  return { source: "state", parent: parentOf({ schema, name, oid }, level), children, detached, strangers: [] };
}

function recordedLevel(
  schema: string,
  partitionBy: unknown,
  recorded: unknown,
  oids: Record<string, unknown>,
): ActualLevel {
  const partitions = Object.entries(record(recorded)).flatMap(([key, value]): ActualPartition[] => {
    const { tier, schema: own = schema, partitionBy: divided, partitions: inside, ...rest } = record(value);
    const { differs: _, noticed: __, generated: ___, wasPartitionOf, ...bound } = rest;
    const state = STATES[String(tier)];
    const oid = oids[key];
    if (state === undefined || typeof oid !== "number" || typeof own !== "string" || !isBound(bound)) return [];
    // Where a partition of that name is not to be, the key begins with the schema.
    const name = key.startsWith(`${own}.`) ? key.slice(own.length + 1) : key;
    const former = typeof wasPartitionOf === "string" ? { wasPartitionOf } : {};
    if (divided === undefined) return [{ schema: own, name, oid, bound, state, relkind: "r", ...former }];
    const level = recordedLevel(own, divided, inside, oids);
    return [{ schema: own, name, oid, bound, state, relkind: "p", ...former, level }];
  });
  const children = partitions.filter(({ state }) => state !== "detached");
  const fallback = children.find(({ bound }) => "default" in bound);
  return {
    ...levelKey(partitionBy),
    ...(fallback && {
      defaultPartition: { schema: fallback.schema, name: fallback.name, oid: fallback.oid, bytes: 0 },
    }),
    references: [],
    referencedBy: [],
    children,
    detached: partitions.filter(({ state }) => state === "detached"),
  };
}

function isBound(value: object): value is PartitionBound {
  return "from" in value || "values" in value || "modulus" in value || "default" in value;
}
