/** Partitions that are not rewritten in place, being too large or for want of a way: made anew beside the working application. */
import { describeDifference } from "../attributes";
import { treat } from "./adjust";
import type { Context, Declared } from "./context";
import type { DraftBuilder } from "./drafts";
import { draftMove } from "./moveSteps";

/**
 * Another tablespace, access method or generation expression, and LOGGED instead of UNLOGGED, where the table is in its place with its bound and takes
 * part in no other move: what a move makes is made as declared anyway.
 */
export function relocateLarge(context: Context, build: DraftBuilder, live: readonly Declared[]): void {
  const { desired, drafts, settled } = context;
  if (desired.reorganize === "refuse") return;
  const unchanged = new Set(context.unchanged);
  const moving = new Set(
    drafts.reorganizations.flatMap(({ reorganization }) => reorganization?.sources.map(({ oid }) => oid) ?? []),
  );
  for (const { name, partition } of live) {
    const table = unchanged.has(name) ? settled.get(name) : undefined;
    if (table === undefined || table.relkind !== "r" || moving.has(table.oid)) continue;
    const { refuse } = treat(desired, name, { ...table, bound: partition });
    if (refuse.length === 0) continue;
    const why = refuse.map(describeDifference).join("; ");
    draftMove(context, build, { sources: [table], targets: [{ name, bound: table.bound }], withDefault: false, why });
  }
}
