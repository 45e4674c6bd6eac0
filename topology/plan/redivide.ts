/**
 * Partitions that have the declared bound, or get it by this plan, but are not divided as declared: made anew, with their
 * rows.
 */
import { boundOf } from "../level";
import type { ActualPartition } from "../model";
import type { Context, Declared } from "./context";
import { note } from "./context";
import type { DraftBuilder } from "./drafts";
import { draftMove } from "./moveSteps";
import { obstacleOf, targetOf } from "./moves";
import { isDividedOtherwise, otherwiseText } from "./subtrees";

/** PostgreSQL can neither divide a table, nor change a partition key, nor make one table of a divided one in place. */
export function redivide(context: Context, build: DraftBuilder, live: readonly Declared[]): void {
  const { drafts, settled } = context;
  const unchanged = new Set(context.unchanged);
  const moving = new Set(
    drafts.reorganizations.flatMap(({ reorganization }) => reorganization?.sources.map(({ oid }) => oid) ?? []),
  );
  for (const { name, partition } of live) {
    const table = settled.get(name);
    if (table === undefined || moving.has(table.oid) || !isDividedOtherwise(partition, table)) continue;
    const coming = [...drafts.renames, ...drafts.additions].findLast(({ oid }) => oid === table.oid);
    if (!unchanged.has(name) && coming === undefined) continue;
    settled.delete(name);
    const why = otherwiseText(table, partition);
    const obstacle = obstacleOf(context, table);
    if (obstacle !== undefined) {
      const route = `PostgreSQL cannot divide a table, or undo that, in place. Declare it as it is, ${asItIs({ name, partition }, table)}`;
      note(context, "error", name, `${why}, ${obstacle} ${route}.`, table);
      continue;
    }
    const bound = boundOf(partition);
    const { schema } = coming ?? table;
    draftMove(context, build, {
      sources: [{ ...table, name, schema, bound }],
      targets: [targetOf(context, name, bound)],
      withDefault: false,
      why,
      ...(coming && { madeBy: coming.id }),
    });
  }
}

/** The entry that takes a table as it is. */
export function asItIs({ name, partition }: Declared, { level }: ActualPartition): string {
  const entry = (says: string) => `partitions: {${JSON.stringify(name)}: {…, ${says}}}`;
  if (level === undefined)
    return `${entry("leaf: true")}; partitions that are still to be made are divided as declared`;
  const left = partition.leaf ? `; or leave what is below it alone, ${entry("leaf: false")}` : "";
  return `${entry("partitionBy: …, partitions: …")}${left}`;
}
