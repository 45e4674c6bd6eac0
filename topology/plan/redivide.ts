/** Partitions that have the declared bound, but are not divided as declared: made anew, with their rows. */
import type { Context, Declared } from "./context";
import { note } from "./context";
import type { DraftBuilder } from "./drafts";
import { draftMove } from "./moveSteps";
import { obstacleOf, targetOf } from "./moves";
import { isDividedOtherwise, otherwiseText } from "./subtrees";

/** PostgreSQL can neither divide a table nor change a partition key in place. */
export function redivide(context: Context, build: DraftBuilder, live: readonly Declared[]): void {
  const { drafts, settled } = context;
  const unchanged = new Set(context.unchanged);
  const moving = new Set(
    drafts.reorganizations.flatMap(({ reorganization }) => reorganization?.sources.map(({ oid }) => oid) ?? []),
  );
  for (const { name, partition } of live) {
    const table = unchanged.has(name) ? settled.get(name) : undefined;
    if (table === undefined || moving.has(table.oid) || !isDividedOtherwise(partition, table)) continue;
    settled.delete(name);
    const why = otherwiseText(table, partition);
    const obstacle = obstacleOf(context, table);
    if (obstacle !== undefined) {
      const route = `PostgreSQL cannot divide a table in place. Declare it as it is, ${asItIs(name)}`;
      note(context, "error", name, `${why}, ${obstacle} ${route}.`, table);
      continue;
    }
    const target = targetOf(context, name, table.bound);
    draftMove(context, build, { sources: [table], targets: [target], withDefault: false, why });
  }
}

/** The entry that takes a table as it is. */
export function asItIs(name: string): string {
  const entry = `partitions: {${JSON.stringify(name)}: {…, leaf: true}}`;
  return `${entry}; partitions that are still to be made are divided as declared`;
}
