/**
 * Reads a partition set from the catalog: a fixed number of queries however many partitions there are, and none that
 * waits for a lock which somebody holds on a partition.
 */
import { parseBound } from "../topology/bounds";
import type { ActualPartition, KnownOids, PartitionBound, Stranger } from "../topology/model";
import { readCopying } from "./catalog/copying";
import { type ForeignKeys, readForeignKeys } from "./catalog/foreignKeys";
import { type ParentRow, readParent } from "./catalog/parent";
import { type RelationRow, readRelations } from "./catalog/relations";
import { readMisfits } from "./catalog/strangers";
import type { Session } from "./connection";
import { GUARD_NAME } from "./guard";
import { losesForeignKeys } from "./locks";
import type { CatalogParent, CatalogSet, ChildFacts } from "./parent";

/** What to read. */
export interface SetRequest {
  schema: string;
  table: string;
  /** Names of the declared partitions: a relation of such a name that is no partition of the table is a stranger. */
  names: string[];
  /** OIDs of partitions as the state knows them. */
  known: KnownOids;
  /** Bounds of the same partitions: PostgreSQL forgets the bound of a table that is detached. */
  bounds?: Record<string, PartitionBound>;
}

/** Reads parent, children, known detached tables and strangers as they are at one moment. */
export async function readSet(session: Session, request: SetRequest): Promise<CatalogSet> {
  return session.transaction(async () => {
    await session.query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY");
    await session.query("SET LOCAL lock_timeout = '2s'");
    return readInTransaction(session, request);
  });
}

async function readInTransaction(session: Session, request: SetRequest): Promise<CatalogSet> {
  const parent = await readParent(session, request.schema, request.table);
  const rows = await readRelations(session, {
    parent: parent?.oid ?? 0,
    schema: request.schema,
    names: request.names,
    oids: Object.values(request.known),
    guard: GUARD_NAME,
  });
  const copying = parent && (await readCopying(session, parent));
  const unfinished = copying?.unfinished ?? [];
  const stagings = new Set(unfinished.map(({ staging }) => staging.oid));
  const sorted = sortRows(
    rows.filter((row) => row.parent === null || !stagings.has(row.parent)),
    parent?.oid,
    request,
  );
  const keys: ForeignKeys = parent
    ? await readForeignKeys(
        session,
        parent.oid,
        rows.map(({ oid }) => oid),
      )
    : { references: [], referencedBy: [], itself: [], lockFirst: [], ofChildren: new Map() };
  const misfits = parent && sorted.strangers.length > 0 ? await readMisfits(session, parent.oid, sorted.strangers) : {};
  const fallback = sorted.children.find(({ bound }) => bound === "DEFAULT");
  return {
    source: "catalog",
    parent: parent && {
      ...catalogParent(parent, keys, rows, fallback),
      copying: copying?.facts,
      childBounds: sorted.children.map((row) => ({ oid: row.oid, bound: boundOf(row) })),
    },
    children: sorted.children.map((row) => partition(row, boundOf(row), row.pending ? "pending" : "live")),
    detached: sorted.detached.map(({ row, bound }) => partition(row, bound, "detached")),
    strangers: sorted.strangers.map((row) => stranger(row, misfits[row.oid] ?? [])),
    reorganizations: unfinished,
    defaultGuards: fallback?.guarded ? [GUARD_NAME] : [],
    publicationsByName: parent?.publicationsByName ?? [],
  };
}

interface SortedRows {
  children: RelationRow[];
  detached: { row: RelationRow; bound: PartitionBound }[];
  strangers: RelationRow[];
}

/** Attached here: a child. Known by its OID and nobody else's partition: detached. Else it is a stranger. */
function sortRows(rows: RelationRow[], parentOid: number | undefined, request: SetRequest): SortedRows {
  const boundByOid = new Map(
    Object.entries(request.known).flatMap(([name, oid]): [number, PartitionBound][] => {
      const bound = request.bounds?.[name];
      return bound === undefined ? [] : [[oid, bound]];
    }),
  );
  const declared = new Set(request.names);
  const sorted: SortedRows = { children: [], detached: [], strangers: [] };
  for (const row of rows) {
    const bound = boundByOid.get(row.oid);
    if (parentOid !== undefined && row.parent === parentOid) sorted.children.push(row);
    else if (bound !== undefined && row.parent === null) sorted.detached.push({ row, bound });
    else if (row.schema === request.schema && declared.has(row.name)) sorted.strangers.push(row);
  }
  return sorted;
}

function catalogParent(
  parent: ParentRow,
  keys: ForeignKeys,
  rows: RelationRow[],
  fallback: RelationRow | undefined,
): CatalogParent {
  const lost = ({ parent: of }: RelationRow) => of === parent.oid && losesForeignKeys({ ...parent, ...keys });
  const childFacts = rows.map((row): [number, ChildFacts] => [
    row.oid,
    {
      relkind: row.relkind,
      foreignKeys: lost(row) ? [] : (keys.ofChildren.get(row.oid) ?? []),
      descendants: row.descendants,
    },
  ]);
  return {
    schema: parent.schema,
    name: parent.name,
    oid: parent.oid,
    major: parent.major,
    strategy: parent.strategy,
    keyColumns: parent.keys.map(({ column }) => column),
    keyTypes: parent.keys.map(({ type }) => type),
    keys: parent.keys.map(({ sql, type }) => ({ sql, type })),
    ancestors: parent.ancestors,
    references: keys.references,
    referencedBy: keys.referencedBy,
    itself: keys.itself,
    lockFirst: keys.lockFirst,
    attributes: parent.attributes,
    childFacts: Object.fromEntries(childFacts),
    defaultPartition: fallback && {
      schema: fallback.schema,
      name: fallback.name,
      oid: fallback.oid,
      bytes: Number(fallback.bytes),
      guarded: fallback.guarded,
    },
    defaultDescendants: fallback?.descendants ?? [],
  };
}

function boundOf(row: RelationRow): PartitionBound {
  if (row.bound === null) throw new Error(`The bound of partition ${row.schema}.${row.name} cannot be read.`);
  return parseBound(row.bound);
}

function partition(row: RelationRow, bound: PartitionBound, state: ActualPartition["state"]): ActualPartition {
  return {
    schema: row.schema,
    name: row.name,
    oid: row.oid,
    bound,
    state,
    relkind: row.relkind,
    rows: Number(row.rows),
    bytes: Number(row.bytes),
  };
}

function stranger(row: RelationRow, misfits: string[]): Stranger {
  return {
    schema: row.schema,
    name: row.name,
    oid: row.oid,
    relkind: row.relkind,
    rows: Number(row.rows),
    bytes: Number(row.bytes),
    misfits,
    partitionOf: row.parent === null ? undefined : { schema: row.parent_schema ?? "", name: row.parent_name ?? "" },
  };
}
