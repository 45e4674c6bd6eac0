/** What an interrupted run has left of a reorganization: finished when the tables were exchanged, gone on with, or given up. */
import type { ActualSet, RelationName, Reorganization, UnfinishedReorganization } from "../model";
import { reorganizationId } from "../reorganization";
import type { Context } from "./context";
import type { DraftBuilder } from "./drafts";

/** Finishes those whose tables are exchanged already, whatever is declared now. */
export function finishSwapped({ actual, drafts }: Context, build: DraftBuilder): void {
  for (const one of actual.reorganizations ?? [])
    if (one.phase === "swapped") drafts.unfinished.push(build.finish(one));
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

/** Relations that an unfinished copy has made under declared names are no strangers. */
export function isCopy({ reorganizations }: ActualSet, of: RelationName | undefined): boolean {
  const same = ({ staging }: UnfinishedReorganization) => staging.schema === of?.schema && staging.name === of.name;
  return reorganizations?.some(same) ?? false;
}
