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
import { archivedOf, copiesOf } from "../../topology/fromState";
import { entriesOf } from "../../topology/level";
import type {
  ActualLevel,
  ActualPartition,
  ActualSet,
  ArchivedCopy,
  DesiredSet,
  InputFailure,
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
  restored: readonly MarkedTable[];
}

/** What is there with what the archive has of it. @throws ArchiveError when it cannot be read, unless `unreadable` is given. */
export async function withArchive(
  session: Session,
  desired: DesiredSet,
  actual: ActualSet,
  identity: Identity | undefined,
  { olds, restored, toBeMade, unreadable }: ArchiveKnowledge,
): Promise<WithArchive> {
  if (identity === undefined) return { actual };
  const marks = new Map(restored.map(({ oid, mark }) => [oid, mark]));
  const recorded = archivedOf(olds).filter(({ name }) => isWantedBy(desired)(name));
  const settings = desired.archive;
  if (toBeMade) return { actual: withView(actual, { ...viewOfState(olds, recorded), marks }) };
  if (settings === undefined) {
    const gone = recorded.map((copy): [string, ArchivedCopy] => [copy.name, { ...copy, missing: true }]);
    return { actual: withView(actual, { copies: new Map(), gone: new Map(gone), marks }) };
  }
  try {
    return await readArchive(session, desired, actual, identity, { settings, olds, recorded, marks });
  } catch (error) {
    if (!(error instanceof ArchiveError) || unreadable === undefined) throw error;
    await unreadable(error.message);
    return { actual: withView(actual, { ...viewOfState(olds, recorded), marks }) };
  }
}

/** As if nothing had changed since the last update. */
function viewOfState(olds: Properties, recorded: readonly ArchivedCopy[]): ArchiveView {
  return {
    copies: new Map([...copiesOf(olds).values()].map((copy) => [copy.oid, copy])),
    gone: new Map(recorded.map((copy) => [copy.name, copy])),
  };
}

interface Reading {
  settings: ArchiveSettings;
  olds: Properties;
  /** Copies that are all that was left of declared partitions. */
  recorded: readonly ArchivedCopy[];
  marks: ReadonlyMap<number, RestoreMark>;
}

async function readArchive(
  session: Session,
  desired: DesiredSet,
  actual: ActualSet,
  identity: Identity,
  { settings, olds, recorded, marks }: Reading,
): Promise<WithArchive> {
  const now = new Date();
  const store = openStore(settings, now);
  const { schema, table: name } = desired;
  const origin = { ...identity, parent: { schema, name } };
  const declared = tiersOf(desired);
  const view = await viewArchive(session, {
    store,
    origin,
    isWanted: isWantedBy(desired),
    isCompared: (partition) => {
      const tier = declared.get(partition);
      return tier !== undefined && needsArchive(tier);
    },
    known: new Map(
      [...copiesOf(olds).values()].map(({ changed: _, missing: __, ...copy }) => [copy.manifest.key, copy]),
    ),
  });
  const archiver = new TableArchive(store, origin, settings, openParquet(settings, now));
  return { actual: withView(actual, { ...view, gone: withMissing(view, recorded, actual), marks }), archiver };
}

/** What the state knows to be archived, and is neither in the store nor a table. */
function withMissing({ gone }: ArchiveView, recorded: readonly ArchivedCopy[], actual: ActualSet): ArchiveView["gone"] {
  const there = new Set([...tablesOf(actual)].map(({ name }) => name));
  const lost = recorded.filter(({ name }) => !gone.has(name) && !there.has(name));
  return new Map([...lost.map((copy): [string, ArchivedCopy] => [copy.name, { ...copy, missing: true }]), ...gone]);
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

function* tablesOf({ children, detached }: Level): Generator<ActualPartition> {
  for (const table of [...children, ...detached]) {
    yield table;
    if (table.level !== undefined) yield* tablesOf(table.level);
  }
}

type View = ArchiveView & { marks: ReadonlyMap<number, RestoreMark> };

function withView(actual: ActualSet, view: View): ActualSet {
  return { ...actual, ...levelWith(actual, undefined, view) };
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
  const archived = [...view.gone.values()].filter((copy) => copy.under === under);
  return {
    children: children.map(withCopy),
    detached: detached.map(withCopy),
    ...(archived.length > 0 && { archived }),
  };
}

/** What outputs say of copies: those of partitions that are declared to have one. */
export function archivesOf(actual: ActualSet, desired: DesiredSet["partitions"]): Record<string, ArchivedCopy> {
  const tiers = new Map([...entriesOf(desired, "")].map(({ name, entry }) => [name, entry.tier]));
  const wanted = (name: string) => {
    const tier = tiers.get(name);
    return tier !== undefined && needsArchive(tier);
  };
  const all = function* (level: Level): Generator<[string, ArchivedCopy]> {
    for (const { name, copy, level: below } of [...level.children, ...level.detached]) {
      if (copy !== undefined && wanted(name)) yield [name, copy];
      if (below !== undefined) yield* all(below);
    }
    for (const copy of level.archived ?? []) if (wanted(copy.name)) yield [copy.name, copy];
  };
  return Object.fromEntries([...all(actual)].sort(([a], [b]) => (a < b ? -1 : 1)));
}
