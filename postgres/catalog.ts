/**
 * Reads a partition set from the catalog: a fixed number of queries however many partitions and levels there are, and none
 * that waits for a lock which somebody holds on a partition.
 */
import { relationsBelow } from "../topology/level";
import type { ActualPartition, RelationName, Stranger, UnfinishedReorganization } from "../topology/model";
import { readCopying } from "./catalog/copying";
import { type FoundAttributes, type Pair, readDifferences } from "./catalog/differences";
import { readForeignKeys } from "./catalog/foreignKeys";
import { readParents } from "./catalog/parent";
import { type RelationRow, readRelations } from "./catalog/relations";
import type { SetRequest } from "./catalog/request";
import { readMisfits } from "./catalog/strangers";
import { Tree } from "./catalog/tree";
import type { Session } from "./connection";
import { GUARD_NAME } from "./guard";
import { qualified } from "./identifiers";
import type { CatalogSet } from "./parent";
import { BOUND_CHECK } from "./reorganize/names";
import type { Unfinished } from "./reorganize/record";

/** Reads parent, children, known detached tables and strangers as they are at one moment. */
export async function readSet(session: Session, request: SetRequest): Promise<CatalogSet> {
  return session.transaction(async () => {
    await session.query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY");
    await session.query("SET LOCAL lock_timeout = '2s'");
    // The estimates of recursive queries are so high that PostgreSQL would compile them, which takes longer than they do.
    await session.query("SET LOCAL jit = off");
    return readInTransaction(session, request);
  });
}

async function readInTransaction(session: Session, request: SetRequest): Promise<CatalogSet> {
  const { schema, table, names } = request;
  const known = Object.values(request.known);
  const rows = await readRelations(session, { schema, table, names, oids: known, guards: GUARDS });
  const root = rows.find((row) => row.schema === schema && row.name === table && row.relkind === "p");
  const tree = new Tree(rows, root, request);
  const members = tree.members();
  const parents = await readParents(
    session,
    members.filter(({ relkind }) => relkind === "p").map(({ oid }) => oid),
    [...new Set(names.map((name) => name.schema))],
  );
  if (request.revoked) for (const { attributes } of parents.values()) attributes.grants = [];
  const top = root && parents.get(root.oid);
  const copying = top && (await readCopying(session, top));
  const unfinished = copying?.unfinished.filter(({ parent }) => parents.has(parent)) ?? [];
  const stagings = new Set(unfinished.map(({ reorganization: { staging } }) => staging.oid));
  const keys = await readForeignKeys(session, {
    parents: [...parents.values()],
    children: rows.map(({ oid }) => oid),
    tree: tree.attached().map(({ oid }) => oid),
  });
  const copies = new Set(unfinished.flatMap(insideCopies));
  const strangers = tree
    .strangers()
    .filter((row) => (row.parent === null || !stagings.has(row.parent)) && !copies.has(qualified(row)));
  const placed = strangers.map((row) => ({ row, above: tree.nameAbove(row) }));
  const misfits = root && strangers.length > 0 ? await readMisfits(session, root.oid, placed) : {};
  const facts = tree.facts(parents, keys);
  const fallback = root && tree.fallbackOf(root.oid);
  const children = root === undefined ? [] : tree.children(root.oid, facts);
  const detached = tree.detached(root?.oid, facts);
  const found =
    root &&
    (await readDifferences(session, {
      root: root.oid,
      attached: tree.pairs(),
      joining: joiningOf(root.oid, [...children, ...detached, ...strangers]),
      revoked: request.revoked ?? false,
    }));
  return {
    source: "catalog",
    parent: facts && { ...facts, copying: copying?.facts },
    children: children.map((partition) => completed(partition, found, unfinished)),
    detached: detached.map((partition) => completed(partition, found, unfinished)),
    strangers: placed.map(({ row, above }) => ({
      ...stranger(row, above, tree.sizeOf(row), misfits[row.oid] ?? []),
      ...attributesOf(row.oid, found),
    })),
    reorganizations: reorganizationsOf(root?.oid, unfinished),
    defaultGuards: fallback?.guarded ? [GUARD_NAME] : [],
    publicationsByName: top?.publicationsByName ?? [],
  };
}

const GUARDS = { fallback: GUARD_NAME, others: BOUND_CHECK };

/** Ordinary, partitioned and foreign tables, by `pg_class.relkind`. */
const ATTACHABLE: ReadonlySet<string> = new Set(["r", "p", "f"]);

/** What is below the targets of an unfinished copy, where that stands under its own name. */
function insideCopies({ reorganization: { phase, staging, targets } }: Unfinished): string[] {
  if (phase === "swapped") return [];
  return targets.flatMap(({ level }) => relationsBelow(level, staging.schema)).map(qualified);
}

/** Tables that are no live partition of `parent`, and may become one: what they differ in is put right in the same run. */
function joiningOf(
  parent: number,
  tables: (Pick<ActualPartition, "oid" | "level" | "relkind"> & { state?: string })[],
): Pair[] {
  return tables.flatMap(({ oid, level, relkind, state }) => [
    ...(state === "live" || !ATTACHABLE.has(relkind) ? [] : [{ child: oid, parent }]),
    ...joiningOf(oid, [...(level?.children ?? []), ...(level?.detached ?? [])]),
  ]);
}

/** With its attributes, and what interrupted runs have left below it. */
function completed(
  partition: ActualPartition,
  found: FoundAttributes | undefined,
  unfinished: readonly Unfinished[],
): ActualPartition {
  const { level, oid } = partition;
  const own = { ...partition, ...attributesOf(oid, found) };
  if (level === undefined) return own;
  const inside = (tables: ActualPartition[]) => tables.map((table) => completed(table, found, unfinished));
  const reorganizations = reorganizationsOf(oid, unfinished);
  return {
    ...own,
    level: {
      ...level,
      children: inside(level.children),
      detached: inside(level.detached),
      ...(reorganizations.length === 0 ? {} : { reorganizations }),
    },
  };
}

function reorganizationsOf(oid: number | undefined, unfinished: readonly Unfinished[]): UnfinishedReorganization[] {
  return unfinished.flatMap(({ parent, reorganization }) => (parent === oid ? [reorganization] : []));
}

function attributesOf(
  oid: number,
  found: FoundAttributes | undefined,
): Pick<ActualPartition, "differences" | "stored"> {
  if (found === undefined) return {};
  const differences = found.differences.get(oid);
  return { ...(differences && { differences }), stored: found.stored(oid) };
}

function stranger(
  row: RelationRow,
  above: RelationName | undefined,
  { rows, bytes }: { rows: number; bytes: number },
  misfits: string[],
): Stranger {
  return {
    schema: row.schema,
    name: row.name,
    oid: row.oid,
    relkind: row.relkind,
    rows,
    bytes,
    misfits,
    partitionOf: above,
  };
}
