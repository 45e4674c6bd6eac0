/** What is there, as far as the state knows: for previews that reach no database. */
import { entriesOf, levelKey, parentOf, record } from "./level";
import type { ActualLevel, ActualPartition, ActualSet, ArchivedCopy, PartitionBound } from "./model";

/** The part of a PartitionSet's outputs that tells what was there. */
export interface RecordedSet {
  schema?: unknown;
  table?: unknown;
  partitionBy?: unknown;
  identity?: unknown;
  partitions?: unknown;
  oids?: unknown;
  archives?: unknown;
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
  const known: Known = { oids: record(outputs.oids), archives: copiesOf(outputs) };
  const level = recordedLevel({ schema }, outputs.partitionBy, outputs.partitions, known);
  if (typeof oid !== "number") return { source: "state", children: [], detached: [], strangers: [] };
  const { children, detached, archived } = level;
  const parent = parentOf({ schema, name, oid }, level);
  return { source: "state", parent, children, detached, ...(archived && { archived }), strangers: [] };
}

/** What a state knows of all levels, by name. */
interface Known {
  oids: Record<string, unknown>;
  archives: ReadonlyMap<string, ArchivedCopy>;
}

/** Copies that outputs tell of, by name of the partition. */
export function copiesOf({ archives }: RecordedSet): Map<string, ArchivedCopy> {
  return new Map(Object.entries(record(archives) as Record<string, ArchivedCopy>));
}

/** Those of them that are all that is left of a partition. */
export function archivedOf(outputs: RecordedSet): ArchivedCopy[] {
  const copies = copiesOf(outputs);
  const places = entriesOf(record(outputs.partitions) as Record<string, { tier?: unknown; partitions?: never }>, "");
  const archived = new Set([...places].flatMap(({ name, entry: { tier } }) => (isArchived(tier) ? [name] : [])));
  return [...copies].flatMap(([name, copy]) => (copy.only || archived.has(name) ? [copy] : []));
}

/** `missing`: archived, and the store did not have it the last time. */
function isArchived(tier: unknown): boolean {
  return tier === "archived" || tier === "missing";
}

/** The table of a level; `name` only of a partition. */
interface RecordedTable {
  schema: string;
  name?: string;
}

function recordedLevel(table: RecordedTable, partitionBy: unknown, recorded: unknown, known: Known): ActualLevel {
  const { oids, archives } = known;
  const { schema } = table;
  const partitionsHere = record(recorded);
  // Also those that the state keeps though nobody declares them any more.
  const archived = [...archives].flatMap(([name, copy]) => {
    const isHere = copy.only === true && copy.under === table.name && !Object.hasOwn(partitionsHere, name);
    return isHere || isArchived(record(partitionsHere[name]).tier) ? [copy] : [];
  });
  const partitions = Object.entries(partitionsHere).flatMap(([key, value]): ActualPartition[] => {
    const { tier, schema: own = schema, partitionBy: divided, partitions: inside, ...rest } = record(value);
    const { differs: _, noticed: __, generated: ___, wasPartitionOf, ...bound } = rest;
    const state = STATES[String(tier)];
    const oid = oids[key];
    if (state === undefined || typeof oid !== "number" || typeof own !== "string" || !isBound(bound)) return [];
    // Where a partition of that name is not to be, the key begins with the schema.
    const name = key.startsWith(`${own}.`) ? key.slice(own.length + 1) : key;
    const former = typeof wasPartitionOf === "string" ? { wasPartitionOf } : {};
    const copy = archives.get(name);
    const partition = { schema: own, name, oid, bound, state, ...former, ...(copy?.oid === oid && { copy }) };
    if (divided === undefined) return [{ ...partition, relkind: "r" }];
    const level = recordedLevel({ schema: own, name }, divided, inside, known);
    return [{ ...partition, relkind: "p", level }];
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
    ...(archived.length > 0 && { archived }),
  };
}

function isBound(value: object): value is PartitionBound {
  return "from" in value || "values" in value || "modulus" in value || "default" in value;
}
