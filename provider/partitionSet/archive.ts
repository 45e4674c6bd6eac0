/** The archive of a set: what of it a plan has to know, and what the state keeps of it. */
import { TableArchive } from "../../archive/archiver";
import { openParquet, openStore } from "../../archive/open";
import { type ArchiveView, viewArchive } from "../../archive/view";
import type { Archiver } from "../../postgres/archive/archiver";
import type { MarkedTable, RestoreMark } from "../../postgres/archive/mark";
import type { Session } from "../../postgres/connection";
import { entriesOf } from "../../topology/level";
import type { ActualLevel, ActualPartition, ActualSet, ArchivedCopy, DesiredSet } from "../../topology/model";
import { isAttached, needsArchive } from "../../topology/tiers";
import type { Identity } from "../identity";
import { isRecord, type Properties } from "../values";

export interface WithArchive {
  actual: ActualSet;
  archiver?: Archiver;
}

/** What is there with what the archive has of it. @throws StoreError when the archive cannot be read. */
export async function withArchive(
  session: Session,
  desired: DesiredSet,
  actual: ActualSet,
  identity: Identity | undefined,
  { olds, restored }: { olds: Properties; restored: readonly MarkedTable[] },
): Promise<WithArchive> {
  const settings = desired.archive;
  if (settings === undefined || identity === undefined) return { actual };
  const now = new Date();
  const store = openStore(settings, now);
  const { schema, table: name } = desired;
  const origin = { ...identity, parent: { schema, name } };
  const declared = new Map([...entriesOf(desired.partitions, "")].map(({ name: of, entry }) => [of, entry.tier]));
  const view = await viewArchive(session, {
    store,
    origin,
    isWanted: (partition) => {
      const tier = declared.get(partition);
      return tier !== undefined && (isAttached(tier) || needsArchive(tier));
    },
    isCompared: (partition) => {
      const tier = declared.get(partition);
      return tier !== undefined && needsArchive(tier);
    },
    known: new Map(Object.values(recordedArchives(olds)).map((copy) => [copy.manifest.key, copy])),
  });
  const archiver = new TableArchive(store, origin, settings, openParquet(settings, now));
  const marks = new Map(restored.map(({ oid, mark }) => [oid, mark]));
  return { actual: { ...actual, ...levelWith(actual, undefined, { ...view, marks }) }, archiver };
}

type Level = Pick<ActualLevel, "children" | "detached" | "archived">;

function levelWith(
  { children, detached }: Pick<ActualLevel, "children" | "detached">,
  under: string | undefined,
  view: ArchiveView & { marks: ReadonlyMap<number, RestoreMark> },
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

/** Copies that the state knows, by name of the partition. */
export function recordedArchives({ archives }: Properties): Record<string, ArchivedCopy> {
  return (isRecord(archives) ? archives : {}) as Record<string, ArchivedCopy>;
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
