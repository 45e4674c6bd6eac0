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
import { sameBound } from "../../topology/bounds";
import { archivedOf, copiesOf } from "../../topology/fromState";
import { entriesOf, record } from "../../topology/level";
import type {
  ActualLevel,
  ActualPartition,
  ActualSet,
  ArchivedCopy,
  DesiredSet,
  InputFailure,
  KnownOids,
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
