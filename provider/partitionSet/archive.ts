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
import { boundKey, sameBound } from "../../topology/bounds";
import { archivedOf, copiesOf } from "../../topology/fromState";
import { entriesOf, record } from "../../topology/level";
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
import { type FormerPlace, givenUpBy, placesIn } from "./givenUp";
import type { RecordedPartition } from "./state";

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
  const isGivenUp = givenUpBy(desired, formerPlaces(actual, olds));
  const said = { known, marks, isGivenUp };
  if (toBeMade) return { actual: withView(actual, { ...viewOfState(olds, recorded), ...said }) };
  if (settings === undefined) {
    const gone = recorded.map((copy) => ({ ...copy, missing: true as const }));
    return { actual: withView(actual, { copies: new Map(), gone, ...said }) };
  }
  try {
    return await readArchive(session, desired, actual, identity, { ...said, settings, olds, recorded });
  } catch (error) {
    if (!(error instanceof ArchiveError) || unreadable === undefined) throw error;
    await unreadable(error.message);
    return { actual: withView(actual, { ...viewOfState(olds, recorded), ...said }) };
  }
}

/** Of tables that are there, and of what was there the last time: what is below them may be all that is left. */
function formerPlaces(actual: ActualSet, { partitions }: Properties): Map<string, FormerPlace> {
  const recorded = placesIn(record(partitions) as Record<string, RecordedPartition>);
  return new Map([...recorded, ...placesOfTables(actual, undefined)]);
}

function* placesOfTables(level: Level, under: string | undefined): Generator<[string, FormerPlace]> {
  for (const { name, bound, level: below } of [...level.children, ...level.detached]) {
    yield [name, { bound, ...(under !== undefined && { under }) }];
    if (below !== undefined) yield* placesOfTables(below, name);
  }
}

/** As if nothing had changed since the last update. */
function viewOfState(olds: Properties, recorded: readonly ArchivedCopy[]): Seen {
  return {
    copies: new Map([...copiesOf(olds).values()].map((copy) => [copy.oid, copy])),
    gone: [...recorded],
  };
}

/** What of the archive is seen: all of it has another snapshot than the state. */
type Seen = Pick<ArchiveView, "copies" | "gone"> & Partial<ArchiveView>;

/** What is known of a table without its archive. */
interface Said {
  known: KnownOids;
  marks: ReadonlyMap<number, RestoreMark>;
  isGivenUp(place: FormerPlace): boolean;
}

interface Reading extends Said {
  settings: ArchiveSettings;
  olds: Properties;
  /** Copies that are all that was left of partitions. */
  recorded: readonly ArchivedCopy[];
}

async function readArchive(
  session: Session,
  desired: DesiredSet,
  actual: ActualSet,
  identity: Identity,
  { settings, olds, recorded, ...said }: Reading,
): Promise<WithArchive> {
  const { known } = said;
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
    ...(typeof olds.snapshot === "string" && { snapshot: olds.snapshot }),
    isAlone: desired.unmanaged !== "ignore",
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
  const seen = { gone: withMissing(gone, recorded, tables), ...said };
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
  const there = [...tables.values(), ...gone];
  const lost = recorded.filter(
    (copy) => !there.some(({ name, bound }) => name === copy.name && sameBound(bound, copy.bound)),
  );
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

function withView(actual: ActualSet, view: Seen & Said): ActualSet {
  const tables = tablesOf(actual);
  const left = view.gone.filter((copy) => !view.isGivenUp(copy));
  const gone = left.map((copy) => underPresentName(copy, tables, view.known));
  const levels = new Set([...tables.values()].flatMap(({ name, level }) => (level === undefined ? [] : [name])));
  const seen = levelWith(actual, undefined, { ...view, gone });
  // What was below a partition that is gone stays with the set, so that nobody forgets it.
  const below = gone.filter(({ under }) => under !== undefined && !levels.has(under));
  const archived = [...(seen.archived ?? []), ...below];
  const { snapshot } = view;
  return {
    ...actual,
    ...seen,
    ...(archived.length > 0 && { archived }),
    ...(snapshot !== undefined && { snapshot }),
  };
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
  view: Seen & Said,
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
 * What outputs say of copies: those of partitions that are declared to have one, and those that tables were dropped for, declared
 * or not. These stay until a table of their bound is there again, or {@link withoutGivenUp} has taken them out: whoever forgot
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
