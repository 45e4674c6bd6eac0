/** Rows of DEFAULT that belong to a bound which is to be attached: PostgreSQL refuses that until they are gone. */
import { describeBound } from "../bounds";
import { uncovered } from "../coverage";
import type { ActualPartition, PartitionBound } from "../model";
import { ask, type Context, type Draft, note, qualified } from "./context";
import { fallbackOf, type Move, targetOf } from "./moves";

/** Takes the additions and re-bounds that DEFAULT has rows of out of the drafts: they become moves, or are refused. */
export function rowsInDefault(context: Context): Move[] {
  const fallback = fallbackOf(context);
  if (fallback === undefined) return [];
  const { drafts } = context;
  const held = [...drafts.rebounds, ...drafts.additions].filter((draft) => isHeld(context, fallback, draft));
  return held.flatMap((draft): Move[] => {
    if (!drafts.rebounds.includes(draft) && !drafts.additions.includes(draft)) return [];
    const together = take(context, draft);
    const obstacle = obstacleOf(context, together);
    if (obstacle === undefined) return [moveOfDrafts(context, together)];
    refuse(context, fallback, draft, obstacle);
    return [];
  });
}

/** Takes a draft out, with those that are one change with it: a re-bound, and what takes over the rest of its range. */
function take({ drafts }: Context, draft: Draft): Draft[] {
  const rebounds = drafts.rebounds.filter((other) => other === draft || draft.after.includes(other.id));
  const follows = ({ kind, after }: Draft) => kind === "create" && rebounds.some(({ id }) => after.includes(id));
  const additions = drafts.additions.filter((other) => other === draft || follows(other));
  drafts.rebounds = drafts.rebounds.filter((other) => !rebounds.includes(other));
  drafts.additions = drafts.additions.filter((other) => !additions.includes(other));
  // Nothing is fetched from the archive that could not be attached.
  drafts.restores = drafts.restores.filter(({ id }) => id !== draft.madeBy);
  return [...rebounds, ...additions];
}

function moveOfDrafts(context: Context, together: readonly Draft[]): Move {
  // A re-bound names the table as it is called then, after a rename.
  const sources = together.flatMap(({ kind, oid, partition: name, schema }): ActualPartition[] => {
    const child = kind === "rebound" ? context.childByOid.get(oid ?? 0) : undefined;
    return child === undefined ? [] : [{ ...child, name, schema }];
  });
  const targets = together.flatMap(({ partition, bound }) =>
    bound === undefined ? [] : [targetOf(context, partition, bound)],
  );
  return { sources, targets, withDefault: true };
}

function isHeld(context: Context, fallback: ActualPartition, draft: Draft): boolean {
  const found = comingBounds(context, draft).map((piece) => ask(context, fallback, piece)?.found ?? "none");
  if (found.includes("some")) return true;
  if (found.includes("unknown")) {
    const reason =
      `Whether ${qualified(fallback)} holds rows of ${describeBound(draft.bound ?? fallback.bound)} could not be found out in` +
      " the time allowed. If it does, attaching that partition fails and nothing changes.";
    note(context, "info", draft.partition, reason, fallback);
  }
  return false;
}

/** What the step adds to the parent. */
function comingBounds(context: Context, { kind, bound, oid }: Draft): PartitionBound[] {
  if (bound === undefined || "default" in bound || "modulus" in bound) return [];
  const before = kind === "rebound" ? context.childByOid.get(oid ?? 0)?.bound : undefined;
  return before === undefined ? [bound] : (uncovered(bound, [before], context.types) ?? [bound]);
}

/** Why the rows stay in DEFAULT, and what to do about it. */
function obstacleOf({ desired }: Context, together: readonly Draft[]): string | undefined {
  if (together.some(({ madeBy }) => madeBy !== undefined))
    return "The others are in the archive: take these out of DEFAULT into a table of yours, run again, and insert them into the restored partition.";
  if (together.some(({ kind }) => kind === "attach"))
    return "A table that has rows of its own takes no others: insert them into it by hand and delete them here, then run again.";
  if (desired.reorganize === "refuse")
    return 'Set reorganize to "online" to have them moved, or move or delete them by hand.';
  return undefined;
}

function refuse(context: Context, fallback: ActualPartition, { partition, bound }: Draft, advice: string): void {
  const what = bound === undefined ? partition : `${partition} (${describeBound(bound)})`;
  const reason =
    `The DEFAULT partition ${qualified(fallback)} holds rows that belong to ${what}, and PostgreSQL refuses to attach it` +
    ` before they are gone. ${advice}`;
  note(context, "error", partition, reason, fallback);
}
