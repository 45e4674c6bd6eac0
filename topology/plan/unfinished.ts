/** What an interrupted run has left of a reorganization: finished when the tables were exchanged, gone on with, or given up. */
import type { Placing } from "../level";
import type { ActualPartition, Reorganization, UnfinishedReorganization } from "../model";
import { reorganizationId } from "../reorganization";
import type { Context, Draft } from "./context";
import { DraftBuilder } from "./drafts";

/** Finishes those whose tables are exchanged already, whatever is declared now. */
export function finishSwapped({ actual, drafts }: Context, build: DraftBuilder): void {
  for (const one of actual.reorganizations ?? [])
    if (one.phase === "swapped") drafts.unfinished.push(build.finish(one));
}

/**
 * Validates what a detach has put back on tables that stay. One that is attached again is validated before, or ATTACH would
 * read it under lock and leave it with the key twice.
 */
export function finishKeeping({ drafts, detached, orphans }: Context, build: DraftBuilder): void {
  const leaving = new Set(drafts.drops.map(({ oid }) => oid));
  for (const table of [...detached, ...orphans]) {
    const { unvalidatedForeignKeys: names = [] } = table;
    if (names.length === 0 || leaving.has(table.oid)) continue;
    const draft = build.validateForeignKeys(table, names);
    drafts.unfinished.push(draft);
    drafts.additions = drafts.additions.map((one) =>
      one.oid === table.oid ? { ...one, after: [...one.after, draft.id] } : one,
    );
  }
}

/** The unfinished copy that is this very reorganization. */
export function resumed({ actual, parent }: Context, wanted: Reorganization): UnfinishedReorganization | undefined {
  const id = reorganizationId(parent.oid, wanted);
  return actual.reorganizations?.find((one) => one.phase === "copying" && one.id === id);
}

/** Gives up the copies that nobody wants any more: their triggers would go on writing. */
export function abandonOthers({ actual, drafts, parent }: Context, build: DraftBuilder): void {
  const wanted = new Set(
    drafts.reorganizations.flatMap(({ reorganization }) =>
      reorganization === undefined ? [] : [reorganizationId(parent.oid, reorganization)],
    ),
  );
  for (const one of actual.reorganizations ?? []) {
    if (one.phase === "copying" && !wanted.has(one.id)) drafts.unfinished.push(build.abandon(one));
  }
  const before = drafts.unfinished.map(({ id }) => id);
  if (before.length === 0) return;
  const following = (list: typeof drafts.additions) =>
    list.map((draft) => ({ ...draft, after: [...new Set([...draft.after, ...before])] }));
  drafts.reorganizations = following(drafts.reorganizations);
  drafts.rebounds = following(drafts.rebounds);
}

/**
 * Copies inside partitions that leave: nobody would come back to them, and their triggers would go on writing. They are
 * ended before.
 */
export function endBelowLeaving(context: Context): void {
  const { drafts, childByOid, desired } = context;
  const ended = new Map<number, string[]>();
  for (const { oid } of [...drafts.making, ...drafts.detaches]) {
    const child = childByOid.get(oid ?? 0);
    if (oid === undefined || child === undefined) continue;
    const steps = endingsIn(child, desired);
    drafts.unfinished.push(...steps);
    ended.set(
      oid,
      steps.map(({ id }) => id),
    );
  }
  const following = (list: typeof drafts.additions) =>
    list.map((draft) => ({ ...draft, after: [...draft.after, ...(ended.get(draft.oid ?? 0) ?? [])] }));
  drafts.making = following(drafts.making);
  drafts.detaches = following(drafts.detaches);
}

/** Ends what has been begun in a table and below it. */
export function endingsIn({ level, ...table }: ActualPartition, set: Placing): Draft[] {
  const { schema, name, oid } = table;
  const build = new DraftBuilder(set, { schema, name, oid });
  const own = (level?.reorganizations ?? []).map((one) =>
    one.phase === "swapped" ? build.finish(one) : build.abandon(one),
  );
  return [...own, ...(level?.children ?? []).flatMap((child) => endingsIn(child, set))];
}
