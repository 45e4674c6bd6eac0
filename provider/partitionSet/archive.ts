/** The archive of a set: what of it a plan has to know, and what the state keeps of it. */
import { TableArchive } from "../../archive/archiver";
import { openParquet, openStore } from "../../archive/open";
import { type ArchiveView, viewArchive } from "../../archive/view";
import { zstdProblem } from "../../archive/zstd";
import type { Archiver } from "../../postgres/archive/archiver";
import type { MarkedTable, RestoreMark } from "../../postgres/archive/mark";
import type { Session } from "../../postgres/connection";
import { ArchiveError } from "../../postgres/errors";
import type { ArchiveSettings } from "../../topology/archive";
import { boundKey, boundsOverlap, sameBound } from "../../topology/bounds";
import { archivedOf, copiesOf } from "../../topology/fromState";
import { entriesOf, levelKey, record } from "../../topology/level";
import type {
  ActualLevel,
  ActualPartition,
  ActualSet,
  ArchivedCopy,
  DesiredPartition,
  DesiredSet,
  InputFailure,
  KnownOids,
  PartitionBound,
  Tier,
} from "../../topology/model";
import { isAttached, needsArchive } from "../../topology/tiers";
import type { Context } from "../handler";
import type { Identity } from "../identity";
import type { Properties } from "../values";

export interface WithArchive {
  actual: ActualSet;
  archiver?: Archiver;
}

/** Where it is no reason to stop that the archive cannot be read: what the state knows of it has to do. */
export interface ArchiveReading {
  /** Its store is an output of something that does not exist yet. */
  toBeMade?: boolean;
  /** Told why it cannot be read. */
  unreadable?(reason: string): Promise<void>;
}

/** Says it and goes on. */
export function tellingUnreadable({ log }: Pick<Context, "log">): NonNullable<ArchiveReading["unreadable"]> {
  return (reason) =>
    log.diagnostic("warning", `Looked at without the archive, by what the state knows of it: ${reason}.`);
}

/** For previews, which `up` does not follow without the archive. */
export function planningWithout({ log }: Pick<Context, "log">): NonNullable<ArchiveReading["unreadable"]> {
  const what =
    "Whether a copy is still there, and whether rows have changed since, does not show; `up` stops until it can be read.";
  return (reason) =>
    log.diagnostic("warning", `Planned without the archive, from what the state knows of it: ${reason}. ${what}`);
}

/** Why this provider cannot serve an archive. */
export function archiveFailures({ archive }: Properties): InputFailure[] {
  const reason = archive === undefined ? undefined : zstdProblem();
  return reason === undefined ? [] : [{ property: "archive", reason }];
}

export interface ArchiveKnowledge extends ArchiveReading {
  /** Outputs that are about this very table; empty after a move to another. */
  olds: Properties;
  known: KnownOids;
  restored: readonly MarkedTable[];
}

/** What is there with what the archive has of it. @throws ArchiveError when it cannot be read, unless `unreadable` is given. */
export async function withArchive(
  session: Session,
  desired: DesiredSet,
  actual: ActualSet,
  identity: Identity | undefined,
  { olds, known, restored, toBeMade, unreadable }: ArchiveKnowledge,
): Promise<WithArchive> {
  if (identity === undefined) return { actual };
  const marks = new Map(restored.map(({ oid, mark }) => [oid, mark]));
  const isDeclared = isWantedBy(desired);
  const recorded = archivedOf(olds).filter(({ name, only }) => only || isDeclared(name));
  const settings = desired.archive;
  if (toBeMade) return { actual: withView(actual, { ...viewOfState(olds, recorded), known, marks }) };
  if (settings === undefined) {
    const gone = recorded.map((copy) => ({ ...copy, missing: true as const }));
    return { actual: withView(actual, { copies: new Map(), gone, known, marks }) };
  }
  try {
    return await readArchive(session, desired, actual, identity, { settings, olds, recorded, known, marks });
  } catch (error) {
    if (!(error instanceof ArchiveError) || unreadable === undefined) throw error;
    await unreadable(error.message);
    return { actual: withView(actual, { ...viewOfState(olds, recorded), known, marks }) };
  }
}

/** As if nothing had changed since the last update. */
function viewOfState(olds: Properties, recorded: readonly ArchivedCopy[]): ArchiveView {
  return {
    copies: new Map([...copiesOf(olds).values()].map((copy) => [copy.oid, copy])),
    gone: [...recorded],
  };
}

interface Reading {
  settings: ArchiveSettings;
  olds: Properties;
  /** Copies that are all that was left of declared partitions. */
  recorded: readonly ArchivedCopy[];
  known: KnownOids;
  marks: ReadonlyMap<number, RestoreMark>;
}

async function readArchive(
  session: Session,
  desired: DesiredSet,
  actual: ActualSet,
  identity: Identity,
  { settings, olds, recorded, known, marks }: Reading,
): Promise<WithArchive> {
  const now = new Date();
  const store = openStore(settings, now);
  const { schema, table: name } = desired;
  const origin = { ...identity, parent: { schema, name } };
  const declared = tiersOf(desired);
  const isDeclared = isWantedBy(desired);
  const tables = tablesOf(actual);
  // Then every copy may be all that there is, under whatever name. An import has not asked any archive.
  const stateless = olds.partitions === undefined || olds.imported === true;
  const knownOids = new Set(Object.values(known));
  const archiver = new TableArchive(store, origin, settings, openParquet(settings, now));
  const view = await viewArchive(session, {
    store,
    origin,
    tables,
    archived: recorded,
    knownOids,
    isWanted: ({ partition, oid }) => stateless || knownOids.has(oid) || isDeclared(partition),
    isCompared: (oid) => {
      const names = [tables.get(oid)?.name, ...Object.keys(known).filter((one) => known[one] === oid)];
      return names.some((one) => needsArchive(declared.get(one ?? "") ?? "live"));
    },
    known: new Map(
      [...copiesOf(olds).values()].map(({ changed: _, missing: __, ...copy }) => [copy.manifest.key, copy]),
    ),
  }).finally(() => archiver.close());
  // Of another one than before nobody expects that it has them.
  const lost = view.lost && isSameStore(olds, settings);
  const gone = stateless ? view.gone.map((copy) => ({ ...copy, only: true as const })) : view.gone;
  const seen = { gone: withMissing(gone, recorded, tables), known, marks };
  if (!lost) return { actual: withView(actual, { ...view, ...seen }), archiver };
  // Who forgot them with a refresh would take the wrong store for the right one afterwards.
  const { copies } = viewOfState(olds, recorded);
  return { actual: { ...withView(actual, { copies, ...seen }), lostCopies: copiesOf(olds).size }, archiver };
}

function isSameStore({ archive }: Properties, { store }: ArchiveSettings): boolean {
  return record(archive).store === store;
}

/** What the state knows to be archived, and is neither in the store nor a table. */
function withMissing(
  gone: readonly ArchivedCopy[],
  recorded: readonly ArchivedCopy[],
  tables: ReadonlyMap<number, ActualPartition>,
): ArchivedCopy[] {
  const there = new Set([...tables.values(), ...gone].map(({ name }) => name));
  const lost = recorded.filter(({ name }) => !there.has(name));
  return [...lost.map((copy) => ({ ...copy, missing: true as const })), ...gone];
}

function tiersOf({ partitions }: DesiredSet): Map<string, Tier> {
  return new Map([...entriesOf(partitions, "")].map(({ name, entry }) => [name, entry.tier]));
}

/** Partitions that are to be in their place, or in the archive: manifests of others are of no use. */
function isWantedBy(desired: DesiredSet): (partition: string) => boolean {
  const declared = tiersOf(desired);
  return (partition) => {
    const tier = declared.get(partition);
    return tier !== undefined && (isAttached(tier) || needsArchive(tier));
  };
}

type Level = Pick<ActualLevel, "children" | "detached" | "archived">;

/** Partitions of every level, attached or not, by OID. */
function tablesOf({ children, detached }: Level): Map<number, ActualPartition> {
  const all = [...children, ...detached];
  return new Map([
    ...all.map((table): [number, ActualPartition] => [table.oid, table]),
    ...all.flatMap(({ level }) => (level === undefined ? [] : [...tablesOf(level)])),
  ]);
}

type View = ArchiveView & { known: KnownOids; marks: ReadonlyMap<number, RestoreMark> };

function withView(actual: ActualSet, view: View): ActualSet {
  const tables = tablesOf(actual);
  const gone = view.gone.map((copy) => underPresentName(copy, tables, view.known));
  const levels = new Set([...tables.values()].flatMap(({ name, level }) => (level === undefined ? [] : [name])));
  const seen = levelWith(actual, undefined, { ...view, gone });
  // What was below a partition that is gone stays with the set, so that nobody forgets it.
  const below = gone.filter(({ under }) => under !== undefined && !levels.has(under));
  const archived = [...(seen.archived ?? []), ...below];
  return { ...actual, ...seen, ...(archived.length > 0 && { archived }) };
}

/** The partition that it was below may have another name by now. */
function underPresentName(
  copy: ArchivedCopy,
  tables: ReadonlyMap<number, ActualPartition>,
  known: KnownOids,
): ArchivedCopy {
  const { under } = copy;
  if (under === undefined || [...tables.values()].some(({ name }) => name === under)) return copy;
  const now = tables.get(known[under] ?? 0)?.name;
  return now === undefined ? copy : { ...copy, under: now };
}

function levelWith(
  { children, detached }: Pick<ActualLevel, "children" | "detached">,
  under: string | undefined,
  view: View,
): Level {
  const withCopy = (partition: ActualPartition): ActualPartition => {
    const copy = view.copies.get(partition.oid);
    const mark = view.marks.get(partition.oid);
    const { level } = partition;
    return {
      ...partition,
      ...(mark &&
        partition.state === "detached" && { restored: mark.whole ? ("whole" as const) : ("partial" as const) }),
      ...(copy && { copy }),
      ...(level && { level: { ...level, ...levelWith(level, partition.name, view) } }),
    };
  };
  const archived = view.gone.filter((copy) => copy.under === under);
  return {
    children: children.map(withCopy),
    detached: detached.map(withCopy),
    ...(archived.length > 0 && { archived }),
  };
}

/**
 * What outputs say of copies: those of partitions that are declared to have one, and those that hold rows of a declared
 * range for which no table is there.
 */
export function archivesOf(actual: ActualSet, desired: DesiredSet["partitions"]): Record<string, ArchivedCopy> {
  const declared = new Map([...entriesOf(desired, "")].map((placed) => [placed.name, placed]));
  /** The partition, or one above it, is to be in the archive only. */
  const leaves = (name: string | undefined): boolean => {
    const found = name === undefined ? undefined : declared.get(name);
    return found !== undefined && (found.entry.tier === "archived" || leaves(found.under));
  };
  const wanted = (name: string) => needsArchive(declared.get(name)?.entry.tier ?? "live");
  const all = function* (level: Level): Generator<[string, ArchivedCopy]> {
    const tables = [...level.children, ...level.detached];
    for (const { name, copy, level: below } of tables) {
      if (copy !== undefined && wanted(name)) yield [name, copy];
      if (below !== undefined) yield* all(below);
    }
    // What a restore has not finished stands for nothing yet.
    const there = new Set(tables.filter(({ restored }) => restored === undefined).map(({ name }) => name));
    for (const copy of level.archived ?? []) {
      const { under } = copy;
      const above = under === undefined ? undefined : declared.get(under)?.entry;
      const beside = under === undefined ? desired : (above?.partitions ?? {});
      const types = under === undefined ? actual.parent?.keyTypes : levelKey(above?.partitionBy).keyTypes;
      const name = declaredName(copy, beside);
      const only = copy.only || leaves(name) || leaves(under);
      const isMissing = ([one, entry]: [string, DesiredPartition]) =>
        entry.tier !== "dropped" && !there.has(one) && boundsOverlap(entry, copy.bound, types);
      // What is below a partition that is to be archived is not declared one by one.
      const needed = leaves(under) || Object.entries(beside).some(isMissing);
      if (wanted(name) || (only && needed)) yield [name, { ...copy, name, ...(only && { only }) }];
    }
  };
  return Object.fromEntries([...all(actual)].sort(([a], [b]) => (a < b ? -1 : 1)));
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
