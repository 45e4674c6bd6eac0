/** Indexes, unique constraints and the primary key of a Table with partitions. */
import type { Session } from "../../postgres/connection";
import type { IndexWork } from "../../postgres/table/alteration";
import type { RefusedChange } from "../../postgres/table/change";
import type { Context } from "../handler";
import { buildIndex, type IndexPreview, previewIndex } from "../index/build";

export function previewWork(session: Session, table: number, { index, difference }: IndexWork): Promise<IndexPreview> {
  const title = `${index.schema}.${index.table}, ${difference.path}, ${index.constraint ?? "index"} ${index.name}`;
  return previewIndex(session, table, index, title);
}

/** Builds one after the other; those that are not there in the end, each with its reason. `missing` are paths of what failed before. */
export async function buildIndexes(
  context: Context,
  session: Session,
  table: number,
  works: IndexWork[],
  missing: string[],
): Promise<RefusedChange[]> {
  const left: RefusedChange[] = [];
  for (const work of works) {
    const first = work.requires.find((path) => missing.includes(path));
    const reason =
      first === undefined
        ? await buildIndex(context, session, table, work.index)
        : `Not built, because ${first} comes first.`;
    if (reason !== undefined) left.push({ difference: work.difference, reason });
  }
  return left;
}
