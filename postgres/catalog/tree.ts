/** Puts the relations that were read at once into the shape of a tree: partitions with their partitions. Pure. */
import { parseBound } from "../../topology/bounds";
import type { ActualLevel, ActualPartition, PartitionBound, RelationName } from "../../topology/model";
import { compareText } from "../../topology/values";

import { losesForeignKeys } from "../locks";
import type { CatalogParent, ChildFacts } from "../parent";
import type { Pair } from "./differences";
import type { ForeignKeys, Links } from "./foreignKeys";
import { constraintKey } from "./keptForeignKeys";
import type { ParentRow } from "./parent";
import type { RelationRow } from "./relations";
import type { SetRequest } from "./request";

/** What the state knows of a partition, by its OID. */
interface Known {
  bound: PartitionBound;
  /** OID of the partition that it was a partition of, {@link OF_THE_SET}, or undefined when that is gone. */
  under: number | undefined;
  /** Its name. */
  above?: string;
}

/** The set's own table, which known tables are not looked up by. */
const OF_THE_SET = 0;

/** No table has this OID. */
const GONE = -1;

export class Tree {
  private readonly byOid: Map<number, RelationRow>;
  private readonly below = new Map<number, RelationRow[]>();
  private readonly known: Map<number, Known>;
  /** Everything that belongs to the set: attached on any level, or known and detached, with what is below it. */
  private readonly memberOids: Set<number>;
  /** Known tables that are nobody's partition now, by the OID of the table they belonged to. */
  private readonly loose = new Map<number, RelationRow[]>();

  constructor(
    private readonly rows: readonly RelationRow[],
    private readonly root: RelationRow | undefined,
    private readonly request: SetRequest,
  ) {
    this.byOid = new Map(rows.map((row) => [row.oid, row]));
    for (const row of rows) if (row.parent !== null) push(this.below, row.parent, row);
    this.known = knownTables(request);
    const detached = rows.filter((row) => row.parent === null && row !== root && this.known.has(row.oid));
    const tops = root === undefined ? detached : [root, ...detached];
    this.memberOids = new Set(tops.flatMap((row) => [row, ...this.descendantsOf(row)]).map(({ oid }) => oid));
    for (const row of detached) push(this.loose, this.isOrphan(row) ? OF_THE_SET : this.aboveOf(row), row);
  }

  /** OID of the table that a known detached one was a partition of. */
  private aboveOf({ oid }: RelationRow): number {
    return this.known.get(oid)?.under ?? GONE;
  }

  /** True when the table that it was a partition of is gone. */
  private isOrphan(row: RelationRow): boolean {
    const above = this.aboveOf(row);
    return above !== OF_THE_SET && !this.memberOids.has(above);
  }

  members(): RelationRow[] {
    return this.rows.filter(({ oid }) => this.memberOids.has(oid));
  }

  /** The set's own table with everything that is attached to it. */
  attached(): RelationRow[] {
    return this.root === undefined ? [] : [this.root, ...this.descendantsOf(this.root)];
  }

  /** Each partition of the set with the table above it. A pending one is on its way out, with all that is below it. */
  pairs(): Pair[] {
    return this.root === undefined ? [] : this.pairsBelow(this.root.oid);
  }

  private pairsBelow(parent: number): Pair[] {
    const children = (this.below.get(parent) ?? []).filter(({ pending }) => !pending);
    return children.flatMap(({ oid }) => [{ child: oid, parent }, ...this.pairsBelow(oid)]);
  }

  /** Relations that bear a declared name and belong to nobody, or to somebody else. */
  strangers(): RelationRow[] {
    const others = this.rows.filter((row) => !this.memberOids.has(row.oid));
    if (others.length === 0) return [];
    const declared = new Set(this.request.names.map(placeOf));
    return others.filter((row) => declared.has(placeOf(row)));
  }

  /** The table that a relation belongs to. */
  nameAbove({ parent, parent_elsewhere }: RelationRow): RelationName | undefined {
    if (parent === null) return undefined;
    const row = this.byOid.get(parent);
    return row === undefined ? (parent_elsewhere ?? undefined) : { schema: row.schema, name: row.name };
  }

  /** Everything below a relation, by name. */
  private descendantsOf({ oid }: RelationRow): RelationRow[] {
    const children = this.below.get(oid);
    if (children === undefined) return [];
    const all = children.flatMap((child) => [child, ...this.descendantsOf(child)]);
    return all.sort((a, b) => compareText(a.schema, b.schema) || compareText(a.name, b.name));
  }

  /** Sums over everything below; rows are -1 when a table among them was never analysed. */
  sizeOf(row: RelationRow): { rows: number; bytes: number } {
    const tables = [row, ...this.descendantsOf(row)];
    const bytes = tables.reduce((sum, table) => sum + Number(table.bytes), 0);
    if (tables.some(({ rows }) => Number(rows) < 0)) return { rows: -1, bytes };
    return { rows: tables.reduce((sum, table) => sum + Number(table.rows), 0), bytes };
  }

  fallbackOf(parent: number): RelationRow | undefined {
    return this.below.get(parent)?.find(({ bound }) => bound === "DEFAULT");
  }

  /** The set's own table with the facts of all partitioned tables below it; undefined when it is not there. */
  facts(parents: ReadonlyMap<number, ParentRow>, keys: ForeignKeys): CatalogParent | undefined {
    const childFacts = Object.fromEntries(
      this.rows.map((row): [number, ChildFacts] => {
        const below = this.descendantsOf(row);
        const leaves = below.filter(({ relkind }) => relkind === "r");
        const foreignKeys = this.foreignKeysOf(row, below, keys);
        const names = { descendants: below.map(nameOf), leaves: leaves.map(nameOf) };
        return [row.oid, { relkind: row.relkind, ...foreignKeys, ...names }];
      }),
    );
    const all = [...parents.values()].map((parent) => this.parent(parent, keys, childFacts));
    const top = all.find(({ oid }) => oid === this.root?.oid);
    const below = Object.fromEntries(all.filter((parent) => parent !== top).map((parent) => [parent.oid, parent]));
    return top && { ...top, below };
  }

  /** What a detach leaves a partition, what it takes from its leaves, and what an earlier one has left half done. */
  private foreignKeysOf(
    row: RelationRow,
    below: readonly RelationRow[],
    { ofChildren, kept }: ForeignKeys,
  ): Pick<ChildFacts, "foreignKeys" | "lostForeignKeys" | "unvalidatedForeignKeys"> {
    const tables = [row, ...below];
    const inside = new Set(tables.map(({ oid }) => oid));
    const all = tables.flatMap(({ oid, schema, name, relkind }) =>
      (ofChildren.get(oid) ?? []).map((key) => ({ oid, relkind, key: { ...key, on: { schema, name } } })),
    );
    const lost = all.flatMap(({ oid, relkind, key }) => {
      const inherited = kept.inherited.get(constraintKey(oid, key.name));
      // What comes from a table that leaves as well stays.
      if (inherited === undefined || relkind !== "r" || inside.has(inherited.topmost)) return [];
      return [{ ...key, definition: inherited.definition }];
    });
    const unvalidated = all.filter(({ oid, key }) => kept.unvalidated.has(constraintKey(oid, key.name)));
    const own = all.filter(({ oid, key }) => {
      return oid === row.oid ? !kept.inherited.has(constraintKey(oid, key.name)) : !key.inherited;
    });
    return {
      foreignKeys: own.map(({ key }) => key),
      ...(lost.length > 0 ? { lostForeignKeys: lost } : {}),
      ...(unvalidated.length > 0 ? { unvalidatedForeignKeys: unvalidated.map(({ key }) => key) } : {}),
    };
  }

  private parent(parent: ParentRow, keys: ForeignKeys, childFacts: Record<number, ChildFacts>): CatalogParent {
    const fallback = this.fallbackOf(parent.oid);
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
      ...this.links(parent, keys),
      losesForeignKeys: losesForeignKeys({ ...parent, ...keys.linksOf(parent.oid) }),
      attributes: parent.attributes,
      childFacts,
      childBounds: (this.below.get(parent.oid) ?? []).map((row) => ({ oid: row.oid, bound: boundOf(row) })),
      below: {},
      defaultPartition: fallback && {
        schema: fallback.schema,
        name: fallback.name,
        oid: fallback.oid,
        bytes: this.sizeOf(fallback).bytes,
        guarded: fallback.guarded,
      },
      defaultDescendants: fallback === undefined ? [] : (childFacts[fallback.oid]?.descendants ?? []),
    };
  }

  /**
   * A partition's foreign keys are those of the table above: it shows the tables at their other ends, but PostgreSQL locks
   * the partitions of these as well. With a key on itself the set's own table is at that end, too.
   */
  private links({ oid }: ParentRow, keys: ForeignKeys): Links {
    const own = keys.linksOf(oid);
    if (this.root === undefined || oid === this.root.oid) return own;
    const top = keys.linksOf(this.root.oid);
    const itself = own.itself.length === 0 ? [] : [{ schema: this.root.schema, name: this.root.name }];
    return {
      ...own,
      references: union(own.references, own.references.length === 0 ? [] : top.references),
      referencedBy: union(own.referencedBy, itself),
      itself: own.itself.length === 0 ? [] : union(own.itself, top.itself),
      lockFirst: union(own.lockFirst, itself),
    };
  }

  /** Attached and pending partitions of one table, with all their levels. */
  children(parent: number, facts: CatalogParent | undefined): ActualPartition[] {
    return (this.below.get(parent) ?? []).map((row) =>
      this.partition(row, boundOf(row), row.pending ? "pending" : "live", facts),
    );
  }

  /** Known tables that are detached from one table, or (for the set's own) from partitions that are gone. */
  detached(parent: number | undefined, facts: CatalogParent | undefined): ActualPartition[] {
    const of = parent === undefined || parent === this.root?.oid ? OF_THE_SET : parent;
    return (this.loose.get(of) ?? []).flatMap((row) => {
      const { bound, above } = this.known.get(row.oid) ?? {};
      if (bound === undefined) return [];
      const former = this.isOrphan(row) && above !== undefined ? { wasPartitionOf: above } : {};
      return [{ ...this.partition(row, bound, "detached", facts), ...former }];
    });
  }

  private partition(
    row: RelationRow,
    bound: PartitionBound,
    state: ActualPartition["state"],
    facts: CatalogParent | undefined,
  ): ActualPartition {
    const { oid, schema, name, relkind } = row;
    const level = facts && this.level(oid, facts);
    const unvalidated = facts?.childFacts[oid]?.unvalidatedForeignKeys?.map((key) => key.name) ?? [];
    const left = state === "detached" && unvalidated.length > 0 ? { unvalidatedForeignKeys: unvalidated } : {};
    const guarded = row.guarded && state === "live" && !("default" in bound) ? { guarded: true as const } : {};
    const partition = { schema, name, oid, bound, state, relkind, ...this.sizeOf(row), ...left, ...guarded };
    return level === undefined ? partition : { ...partition, level };
  }

  private level(oid: number, facts: CatalogParent): ActualLevel | undefined {
    const own = facts.below[oid];
    if (own === undefined) return undefined;
    const { strategy, keyColumns, keyTypes, defaultPartition, references, referencedBy, itself, ...more } = own;
    return {
      strategy,
      keyColumns,
      keyTypes,
      ...(defaultPartition && { defaultPartition }),
      references,
      referencedBy,
      itself,
      losesForeignKeys: more.losesForeignKeys,
      children: this.children(oid, facts),
      detached: this.detached(oid, facts),
    };
  }
}

/** PostgreSQL forgets bound and parent of a table that is detached; the state remembers both. */
function knownTables({ known, bounds = {}, under = {}, wasUnder = {} }: SetRequest): Map<number, Known> {
  return new Map(
    Object.entries(known).flatMap(([name, oid]): [number, Known][] => {
      const bound = Object.hasOwn(bounds, name) ? bounds[name] : undefined;
      if (bound === undefined) return [];
      // Its table is gone, even when another one bears that name by now.
      if (Object.hasOwn(wasUnder, name)) return [[oid, { bound, under: undefined, above: wasUnder[name] }]];
      const above = Object.hasOwn(under, name) ? under[name] : undefined;
      if (above === undefined) return [[oid, { bound, under: OF_THE_SET }]];
      return [[oid, { bound, under: Object.hasOwn(known, above) ? known[above] : undefined, above }]];
    }),
  );
}

function nameOf({ schema, name }: RelationName): RelationName {
  return { schema, name };
}

function placeOf({ schema, name }: RelationName): string {
  return JSON.stringify([schema, name]);
}

function union(a: readonly RelationName[], b: readonly RelationName[]): RelationName[] {
  const known = new Set(a.map(placeOf));
  return [...a, ...b.filter((relation) => !known.has(placeOf(relation)))];
}

function boundOf(row: RelationRow): PartitionBound {
  if (row.bound === null) throw new Error(`The bound of partition ${row.schema}.${row.name} cannot be read.`);
  return parseBound(row.bound);
}

function push(map: Map<number, RelationRow[]>, key: number, row: RelationRow): void {
  const rows = map.get(key);
  if (rows === undefined) map.set(key, [row]);
  else rows.push(row);
}
