/** The rows of a preview that show a set's partitions. Pure. */
import { entriesOf } from "../../topology/level";
import type { DesiredPartition } from "../../topology/model";
import { isRecord, type Properties } from "../values";
import type { OldViews, ViewRow } from "../views";

/**
 * Rows for the partitions of a set, on every level. Above `viewLimit` none are shown, because each row costs a rewrite of the state file;
 * rows of an earlier, smaller set are taken away then.
 */
export function viewRows(setName: string, outputs: Properties, oldViews: OldViews): ViewRow[] {
  const table = String(outputs.table);
  const partitions = (isRecord(outputs.partitions) ? outputs.partitions : {}) as Record<string, DesiredPartition>;
  const limit = typeof outputs.viewLimit === "number" ? outputs.viewLimit : Number.POSITIVE_INFINITY;
  const prefix = setName === table ? "" : `${setName}/`;
  const all = [...entriesOf(partitions, table)];
  const rows = (all.length > limit ? [] : all).map(
    ({ name, entry: { partitions: _, ...state } }): ViewRow => ({
      name: prefix + name,
      state: { ...state },
    }),
  );
  const kept = new Set(rows.map(({ name }) => name));
  const gone = Object.keys(oldViews).filter((name) => !kept.has(name));
  return [...rows, ...gone.map((name): ViewRow => ({ name }))];
}
