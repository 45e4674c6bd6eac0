/** Decisions about rows that go into the archive, and about those that come back. */
import { type RowFormat, serverSideTarget } from "../archive";
import { boundsOverlap, describeBound, sameBound } from "../bounds";
import { besideBound, boundOf, entriesOf, newLevel, setBelow } from "../level";
import type { ActualPartition, ActualSet, ArchivedCopy, DesiredSet, NewLevel, PartitionBound } from "../model";
import type { Finding, Step } from "../steps";
import { needsArchive } from "../tiers";
import { type Context, type Declared, knownChild, note, ownChild, qualified } from "./context";
import { DraftBuilder, stepId } from "./drafts";
import { afterFinalize, isMisfit, knownDetached, tierReason } from "./removals";

/** A partition whose declared tier is `exported`: where it is, with a copy that is as it is. */
export function decideExported(context: Context, build: DraftBuilder, declared: readonly Declared[]): void {
  for (const { name, partition } of declared) {
    const table = context.settled.get(name);
    if (partition.tier === "exported" && table !== undefined && !isCurrent(table) && !isLost(context))
      context.drafts.exports.push(build.export(table, tierReason(context, name, "exported"), [], wayOf(context)));
  }
}

function isLost({ actual }: Context): boolean {
  return actual.lostCopies !== undefined;
}

/** What would be exported now would be where nobody looks for it: below the mount point of a disk that is away, say. */
export function lostArchive({ partitions, archive }: DesiredSet, { lostCopies }: ActualSet): Finding[] {
  if (lostCopies === undefined || archive === undefined) return [];
  if (![...entriesOf(partitions, "")].some(({ entry }) => needsArchive(entry.tier))) return [];
  const copies = lostCopies === 1 ? "has not the copy" : `has none of the ${lostCopies} copies`;
  const reason =
    `${archive.store} ${copies} that the state knows to be there. Is it mounted, and what it was? Nothing is done until it has` +
    " them again. If they are gone for good, declare another directory or prefix, and for partitions that were only there tier" +
    " dropped for one update.";
  return [{ severity: "error", path: "archive.store", reason }];
}

function formatOf({ desired }: Context): RowFormat | undefined {
  return desired.archive?.format;
}

function wayOf({ desired: { archive: settings } }: Context): Pick<Step, "format" | "serverSide"> {
  if (settings === undefined) return {};
  const serverSide = serverSideTarget(settings);
  return { format: settings.format, ...(serverSide && { serverSide }) };
}

/** Exported, and by all that PostgreSQL tells not changed since. */
function isCurrent({ copy }: ActualPartition): boolean {
  return copy !== undefined && !copy.changed;
}

/** A partition whose declared tier is `archived`: never a table that is not known to be it. */
export function decideArchived(context: Context, build: DraftBuilder, declared: Declared): void {
  const { name } = declared;
  const copy = archivedCopy(context, declared);
  if (copy?.missing) note(context, "warning", name, `${missingText(copy)} To have it forgotten declare tier dropped.`);
  const table = ownChild(context, name) ?? knownChild(context, name) ?? knownDetached(context, name);
  if (table !== undefined) {
    if (isMisfit(context, declared, table)) return;
    context.handled.add(table.oid);
    if (hidesArchived(context, declared, table)) return;
    archive(context, build, table, tierReason(context, name, "archived"));
    return;
  }
  // Whatever the archive has of the range: these rows are not in it.
  const holders = context.index.find(declared.partition);
  for (const holder of holders) context.misfits.push({ declared, table: holder });
  if (holders.length > 0) return;
  const stranger = context.strangerByName.get(name);
  if (stranger === undefined) {
    context.unchanged.push(name);
    return;
  }
  const who = `${qualified(stranger)} has the name of a partition that is archived, but the state does not know it`;
  note(context, "warning", name, `${who}; it is left alone. Drop it by hand if it is not needed.`, stranger);
}

/** The copy is made while the rows are still in their place: a store that does not answer then costs nobody anything. */
function archive(context: Context, build: DraftBuilder, table: ActualPartition, reason: string): void {
  const { drafts, desired } = context;
  if (isLost(context)) return;
  archiveBelow(context, table, reason);
  const before = [...afterFinalize(context, table)];
  if (table.restored === "partial") {
    drafts.drops.push(build.drop(table, `what an interrupted restore has left; ${reason}`, []));
    return;
  }
  // Whatever the counters say: the proof compares rows, and what it refuses has to be exported again. What has not changed
  // is read, and not written again.
  const exported = build.export(table, reason, [...before], wayOf(context));
  drafts.exports.push(exported);
  before.push(exported.id);
  if (table.state === "live") {
    noteReferencing(context, table);
    const draft = build.detach(table, reason);
    drafts.detaches.push({ ...draft, after: [...draft.after, ...before] });
    before.push(stepId("detach", desired, table));
  }
  drafts.drops.push(build.dropArchived(table, reason, before, formatOf(context)));
}

/** Whether rows refer to it PostgreSQL sees when it looks through the referencing tables, which is the detach itself. */
function noteReferencing(context: Context, table: ActualPartition): void {
  const { referencedBy } = context.parent;
  if (referencedBy.length === 0) return;
  const who = referencedBy.map(qualified).join(", ");
  const reason =
    `Foreign keys of ${who} lead here. While rows refer to ${qualified(table)}, PostgreSQL refuses to detach it (23503): it then` +
    " stays in its place, exported. Archive or delete the referencing rows first.";
  note(context, "info", table.name, reason, table);
}

/** What was detached from a table earlier holds rows of the same range, and nobody would know of it any more. */
function archiveBelow(context: Context, { level, ...table }: ActualPartition, reason: string): void {
  if (level === undefined) return;
  const { schema, name, oid } = table;
  const build = new DraftBuilder(context.desired, { schema, name, oid });
  for (const former of level.detached) archive(context, build, former, reason);
  for (const inside of level.children) archiveBelow(context, inside, reason);
}

/** What is made below a new partition: not what is in the archive by itself, which comes back by a step of its own. */
export function levelWithoutArchived(
  { desired, actual }: Context,
  { name, partition }: Declared,
): NewLevel | undefined {
  const archived = actual.archived ?? [];
  const isArchived = (under: string, bound: PartitionBound, types: string[]) =>
    archived.some((copy) => copy.only && copy.under === under && boundsOverlap(copy.bound, bound, types));
  return newLevel(partition, setBelow(desired, name), isArchived);
}

/**
 * Another table in the place of one that is archived: its export would be the newer one of that name, and nobody would find
 * the former rows any more. (What was restored is known.) True: it was reported, and stays.
 */
function hidesArchived(context: Context, declared: Declared, table: ActualPartition): boolean {
  const copy = archivedCopy(context, declared);
  if (!copy?.only || copy.missing || context.knownOids.has(table.oid)) return false;
  const what = `${qualified(table)} was not made by this program, and the archive has ${copy.rows} rows of ${describeBound(copy.bound)} already (${copy.manifest.key})`;
  const advice =
    "Archiving it would hide those. Detach it and give it another name, pin the range so that the rows come back, insert the" +
    " rows of this table, and take the pin away";
  note(context, "error", declared.name, `${what}. ${advice}.`, table);
  return true;
}

/** Says of a partition that holds the place of archived rows, and that no update is known to have restored, that these are not in it. */
export function reportBesideArchived(context: Context, declared: Declared, table: ActualPartition): void {
  const copy = archivedCopy(context, declared);
  if (!copy?.only || copy.missing || context.knownOids.has(table.oid)) return;
  const what = `${qualified(table)} was attached by somebody else, or by an update that was interrupted, and the archive has ${copy.rows} rows of ${describeBound(copy.bound)} (${copy.manifest.key})`;
  const advice = "If they are not in this table, detach it and give it another name: the next update restores them";
  note(context, "warning", declared.name, `${what}. ${advice}.`, table);
}

/** The archived rows of a declared partition that is not there, whatever it was called then: its bound says what they are. */
export function archivedCopy(context: Context, { partition }: Declared): ArchivedCopy | undefined {
  return archivedHere(context).findLast(({ bound }) => sameBound(bound, partition, context.types));
}

/** Copies of partitions of this level, older ones first. */
function archivedHere({ actual, under }: Context): ArchivedCopy[] {
  return (actual.archived ?? []).filter((copy) => copy.under === under?.name);
}

/**
 * Reports rows in the archive that a partition with other rows of their range would hide (`restored`: with those of its own
 * bound, whose last copy it gets). True: there are some.
 */
export function hidesInPart(context: Context, { name, partition }: Declared, restored = false): boolean {
  const found = archivedHere(context).filter(({ only, bound }) => {
    if (!only || (restored && sameBound(bound, partition, context.types))) return false;
    return boundsOverlap(bound, partition, context.types);
  });
  if (found.length === 0) return false;
  const list = found.map((copy) => `${copy.name} (${describeBound(copy.bound)}, ${copy.rows} rows)`).join(", ");
  const what = `${describeBound(partition)} is declared, and the archive has rows of that range by other bounds: ${list}`;
  const entries = (tier?: "dropped") =>
    JSON.stringify(Object.fromEntries(found.map((copy) => [copy.name, { ...copy.bound, ...(tier && { tier }) }])));
  const lost = found.filter(({ missing }) => missing);
  const way =
    lost.length === 0
      ? `Declare them as they were archived, partitions: ${entries()}, which brings them back; after that the rows can be divided otherwise`
      : `The store has not ${lost.map(({ manifest }) => manifest.key).join(", ")}: declare where it is now. To give them up declare partitions: ${entries("dropped")} for one update`;
  note(context, "error", name, `${what}. ${way}. No empty partition is made in their place.`);
  return true;
}

/** What has become of rows that are nowhere. */
function missingText({ name, manifest }: ArchivedCopy): string {
  return (
    `${name} is archived, but the archive as it is declared has no ${manifest.key}. If the store has been moved, declare ` +
    "where it is now; if the object was deleted, restore its earlier version or a backup of the store."
  );
}

/** What an interrupted restore has left must not become a partition with some of its rows. */
export function refusePartial(context: Context, name: string, table: ActualPartition): void {
  const what = `${qualified(table)} holds what an interrupted restore has filled in, and the archive has no copy of ${name} any more`;
  note(context, "error", name, `${what}. Declare the store that has it, or tier dropped to give the rows up.`, table);
}

/** Brings a partition back, with a table of its own first. */
export function restore(
  context: Context,
  build: DraftBuilder,
  { name, partition }: Declared,
  copy: ArchivedCopy,
  after: string[],
): void {
  const bound = boundOf(partition);
  if (copy.missing) {
    const empty = "It is not made empty in its place; to give its rows up declare tier dropped for one update.";
    note(context, "error", name, `${missingText(copy)} ${empty}`);
    return;
  }
  if (hidesInPart(context, { name, partition }, true)) return;
  if (!copy.only) {
    const what = `${name} was dropped outside; it is restored from its last export (${copy.manifest.key})`;
    note(context, "warning", name, `${what}. What was changed in it after that is gone.`);
  }
  const level = levelWithoutArchived(context, { name, partition });
  const beside = { ...besideBound(context.desired, name, partition), ...(level && { level }) };
  const draft = build.restore(name, bound, copy, beside, after);
  context.drafts.restores.push(draft);
  const attached = build.attachMade(name, bound, draft, copy);
  context.drafts.additions.push(attached);
  if (partition.tier === "exported")
    context.drafts.exports.push(build.exportMade(attached, tierReason(context, name, "exported"), wayOf(context)));
}
