/** Decisions about rows that go into the archive, and about those that come back. */

import type { RowFormat } from "../archive";
import { describeBound, sameBound } from "../bounds";
import { besideBound, boundOf, newLevel, setBelow } from "../level";
import type { ActualPartition, ArchivedCopy } from "../model";
import { type Context, type Declared, knownChild, note, ownChild, qualified } from "./context";
import { type DraftBuilder, stepId } from "./drafts";
import { afterFinalize, detachedBelow, isMisfit, knownDetached, tierReason } from "./removals";

/** A partition whose declared tier is `exported`: where it is, with a copy that is as it is. */
export function decideExported(context: Context, build: DraftBuilder, declared: readonly Declared[]): void {
  for (const { name, partition } of declared) {
    const table = context.settled.get(name);
    if (partition.tier === "exported" && table !== undefined && !isCurrent(table))
      context.drafts.exports.push(build.export(table, tierReason(context, name, "exported"), [], formatOf(context)));
  }
}

function formatOf({ desired }: Context): RowFormat | undefined {
  return desired.archive?.format;
}

/** Exported, and by all that PostgreSQL tells not changed since. */
function isCurrent({ copy }: ActualPartition): boolean {
  return copy !== undefined && !copy.changed;
}

/** A partition whose declared tier is `archived`: never a table that is not known to be it. */
export function decideArchived(context: Context, build: DraftBuilder, declared: Declared): void {
  const { name } = declared;
  const copy = archivedCopy(context, name);
  if (copy?.missing) note(context, "warning", name, `${missingText(copy)} To have it forgotten declare tier dropped.`);
  const table = ownChild(context, name) ?? knownChild(context, name) ?? knownDetached(context, name);
  if (table !== undefined) {
    if (isMisfit(context, declared, table)) return;
    context.handled.add(table.oid);
    archive(context, build, table, tierReason(context, name, "archived"));
    return;
  }
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
  const before = [...afterFinalize(context, table)];
  if (table.restored === "partial") {
    drafts.drops.push(build.drop(table, `what an interrupted restore has left; ${reason}`, []));
    return;
  }
  // Whatever the counters say: the proof compares rows, and what it refuses has to be exported again. What has not changed
  // is read, and not written again.
  const exported = build.export(table, reason, [...before], formatOf(context));
  drafts.exports.push(exported);
  before.push(exported.id);
  if (table.state === "live") {
    const draft = build.detach(table, reason);
    drafts.detaches.push({ ...draft, after: [...draft.after, ...before] });
    before.push(stepId("detach", desired, table));
  }
  drafts.drops.push(build.dropArchived(table, reason, before, formatOf(context)));
  // What was detached from it earlier holds rows of the same range, and nobody would know of it any more.
  for (const former of detachedBelow(table)) archive(context, build, former, reason);
}

/** The archived rows of a declared partition that is not there. */
export function archivedCopy({ actual }: Context, name: string): ArchivedCopy | undefined {
  return actual.archived?.find((copy) => copy.name === name);
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
  if (!sameBound(copy.bound, bound, context.types)) {
    const what = `the archive has its rows as ${describeBound(copy.bound)}, and ${describeBound(bound)} is declared`;
    const advice = "Declare that bound in partitions; once it is restored the rows can be divided otherwise.";
    note(context, "error", name, `${what}. ${advice}`);
    return;
  }
  const level = newLevel(partition, setBelow(context.desired, name));
  const beside = { ...besideBound(context.desired, name, partition), ...(level && { level }) };
  const draft = build.restore(name, bound, copy, beside, after);
  context.drafts.restores.push(draft);
  context.drafts.additions.push(build.attachMade(name, bound, draft, copy));
}
