/** Rows in tables that are no partitions any more, while the program has them in partitions: no plan brings these back. */
import { describeBound } from "../bounds";
import { uncovered } from "../coverage";
import { isRetired } from "../difference";
import { boundOf } from "../level";
import type { ActualPartition, PartitionBound } from "../model";
import { orphansOf, tablesGoing } from "../orphans";
import { OverlapIndex } from "../overlap";
import { ask, type Context, type Declared, note, qualified } from "./context";
import { declaredDefault } from "./moves";

interface Home {
  bound: PartitionBound;
  name: string;
}

/**
 * Reports tables that were detached by hand, or half detached by an interrupted run, before their range was given to others.
 * What is declared as detached is where it should be.
 */
export function reportStranded(context: Context, live: readonly Declared[]): void {
  reportOrphans(context);
  const loose = looseTables(context);
  if (loose.length === 0) return;
  const homes = live
    .map(({ name, partition }): Home => ({ name, bound: boundOf(partition) }))
    .filter(({ bound }) => !("default" in bound));
  const index = new OverlapIndex(homes, context.types);
  for (const table of loose) {
    const near = "default" in table.bound ? homes : [...index.find(table.bound), ...homesInDefault(context, table)];
    const [home] = near.filter(({ bound }) => ask(context, table, bound)?.found === "some");
    if (home === undefined) continue;
    context.handled.add(table.oid);
    const rows = `${qualified(table)} is detached and holds rows of ${describeBound(home.bound)}`;
    const reason =
      `${rows}, which is declared to be in ${home.name}; it was ${describeBound(table.bound)} before that, and its rows are in no` +
      " partition. Insert them into the table by hand, or drop it if they are not needed.";
    note(context, "warning", home.name, reason, table);
  }
}

/** Where their rows belong their bound does not say: it was one of a table that is gone, or goes now. */
function reportOrphans(context: Context): void {
  const { actual, orphans, drafts } = context;
  const going = new Set(drafts.reorganizations.flatMap(tablesGoing));
  const coming = actual.children.filter(({ oid }) => going.has(oid)).flatMap(orphansOf);
  report(orphans, "is gone");
  report(coming, "this update replaces");

  function report(tables: readonly ActualPartition[], what: string): void {
    for (const table of tables) {
      if (ask(context, table)?.found !== "some") continue;
      const reason =
        `${qualified(table)} is detached and holds rows; it was ${describeBound(table.bound)} of ${table.wasPartitionOf},` +
        ` which ${what}, and its rows are in no partition. Insert them into the table by hand, or drop it if they are not needed.`;
      note(context, "warning", table.name, reason, table);
    }
  }
}

/** What no other partition takes is DEFAULT's, unless the policy has given it up. */
function homesInDefault(context: Context, { bound }: ActualPartition): Home[] {
  const { declared, desired, types } = context;
  const name = declaredDefault(context);
  if (name === undefined) return [];
  const taken = declared.map(({ partition }) => boundOf(partition)).filter((one) => !("default" in one));
  const pieces = uncovered(bound, taken, types) ?? [];
  const { retired } = desired;
  const kept = pieces.filter((piece) => retired === undefined || !isRetired(piece, retired));
  return kept.map((piece) => ({ bound: piece, name }));
}

/** Known tables that are detached, or are so after this plan, and that no step or finding of it is about. */
function looseTables({ actual, desired, detached, drafts, handled, knownOids }: Context): ActualPartition[] {
  const pending = actual.children.filter(({ state }) => state === "pending");
  const settled = new Set([...drafts.additions, ...drafts.drops].map(({ oid }) => oid));
  const stays = (name: string) =>
    Object.hasOwn(desired.partitions, name) && desired.partitions[name]?.tier === "detached";
  return [...pending, ...detached.filter(({ oid }) => knownOids.has(oid))].filter(
    ({ oid, name }) => !handled.has(oid) && !settled.has(oid) && !stays(name),
  );
}
