/** What the state keeps of copies, and under which names. Pure. */
import { boundKey, sameBound } from "../../topology/bounds";
import { entriesOf } from "../../topology/level";
import type {
  ActualLevel,
  ActualSet,
  ArchivedCopy,
  DesiredPartition,
  DesiredSet,
  PartitionBound,
} from "../../topology/model";
import { isAttached, needsArchive } from "../../topology/tiers";

type Level = Pick<ActualLevel, "children" | "detached" | "archived">;

/**
 * What outputs say of copies: those of partitions that are declared to have one, and those that tables were dropped for, declared
 * or not. These stay until a table of their bound is there again, or the program gives their range up (`givenUpBy`): whoever forgot
 * them while a table with another bound stands in their range would make an empty partition in their place later.
 */
export function archivesOf(actual: ActualSet, desired: DesiredSet["partitions"]): Record<string, ArchivedCopy> {
  const declared = new Map([...entriesOf(desired, "")].map((placed) => [placed.name, placed]));
  /** The partition, or one above it, is to be in the archive only. */
  const leaves = (name: string | undefined): boolean => {
    const found = name === undefined ? undefined : declared.get(name);
    return found !== undefined && (found.entry.tier === "archived" || leaves(found.under));
  };
  const wanted = (name: string) => needsArchive(declared.get(name)?.entry.tier ?? "live");
  const all = function* (
    level: Level,
    above?: { name: string; keyTypes: string[] },
  ): Generator<[string, ArchivedCopy]> {
    const types = above === undefined ? actual.parent?.keyTypes : above.keyTypes;
    const tables = [...level.children, ...level.detached];
    for (const { name, copy, level: below } of tables) {
      if (copy !== undefined && wanted(name)) yield [name, copy];
      if (below !== undefined) yield* all(below, { ...below, name });
    }
    // What a restore has not finished stands for nothing yet.
    const there = tables.filter(({ restored }) => restored === undefined);
    for (const copy of level.archived ?? []) {
      const { under, bound } = copy;
      const beside = under === undefined ? desired : (declared.get(under)?.entry.partitions ?? {});
      const name = declaredName(copy, beside);
      const own = declared.get(name)?.entry;
      const isArchived = own !== undefined && sameBound(own, bound, types) && leaves(name);
      const only = copy.only || isArchived || leaves(under);
      const isBack = under === above?.name && there.some((table) => sameBound(table.bound, bound, types));
      if (wanted(name) || (only && !isBack)) yield [name, { ...copy, name, ...(only && { only }) }];
    }
  };
  const found = new Map<string, ArchivedCopy>();
  for (const [name, copy] of all(actual)) {
    // Another policy may have given the name to another range.
    const isTaken = found.has(name) && !sameBound(found.get(name)?.bound ?? copy.bound, copy.bound);
    found.set(isTaken ? `${name} ${boundKey(copy.bound)}` : name, copy);
  }
  return Object.fromEntries([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}

type Partitions = Readonly<Record<string, PartitionBound>>;

/** Finds the declared name of a partition, which may bear another one: its bound says which it is. */
function namesOf(partitions: Partitions): (partition: { name: string; bound: PartitionBound }) => string {
  const byBound = new Map(Object.entries(partitions).map(([name, entry]) => [boundKey(entry), name]));
  return ({ name, bound }) => {
    const own = Object.hasOwn(partitions, name) ? partitions[name] : undefined;
    return own !== undefined && sameBound(own, bound) ? name : (byBound.get(boundKey(bound)) ?? name);
  };
}

/** The copies of a level that partitions have which are to be in their place or in the archive, with the declared names. */
export function archivedNames(
  archived: readonly ArchivedCopy[],
  partitions: Readonly<Record<string, DesiredPartition>>,
): [name: string, copy: ArchivedCopy][] {
  if (archived.length === 0) return [];
  const nameOf = namesOf(partitions);
  return archived
    .map((copy): [string, ArchivedCopy] => [nameOf(copy), copy])
    .filter(([name]) => {
      const tier = Object.hasOwn(partitions, name) ? partitions[name]?.tier : undefined;
      return tier !== undefined && (isAttached(tier) || needsArchive(tier));
    });
}

/** The name that a partition is declared by. */
export function declaredName(partition: { name: string; bound: PartitionBound }, partitions: Partitions): string {
  const own = Object.hasOwn(partitions, partition.name);
  return own ? partition.name : namesOf(partitions)(partition);
}
