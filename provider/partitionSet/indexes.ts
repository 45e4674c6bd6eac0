/** Indexes of the parent that partitions have not, or not valid: completed after the steps, outside the parent's lock. */
import type { Session } from "../../postgres/connection";
import { readTopmostDefinitions } from "../../postgres/index/definition";
import type { RelationName } from "../../topology/model";
import type { IncompleteIndex, Plan } from "../../topology/steps";
import type { Context } from "../handler";
import { buildIndex, type IndexPreview, previewIndex } from "../index/build";

/** The set's own table. */
type Root = RelationName & { oid: number };

/** What a preview shows of them. */
export async function previewIncomplete(
  session: Session,
  root: Root | undefined,
  { indexes }: Plan,
): Promise<IndexPreview[]> {
  const previews: IndexPreview[] = [];
  for (const index of await definitions(session, root, indexes)) {
    const title = `${index.schema}.${index.table}, index ${index.name}`;
    previews.push(await previewIndex(session, index.tableOid, index, title));
  }
  return previews;
}

/** Builds what is missing; one reason for each index that is still incomplete then. */
export async function completeIndexes(
  context: Context,
  session: Session,
  root: Root | undefined,
  indexes: IncompleteIndex[],
): Promise<string[]> {
  const reasons: string[] = [];
  for (const index of await definitions(session, root, indexes)) {
    const reason = await buildIndex(context, session, index.tableOid, index);
    if (reason !== undefined) reasons.push(`children.indexes (${index.schema}.${index.name}): ${reason}`);
  }
  return reasons;
}

async function definitions(session: Session, root: Root | undefined, indexes: IncompleteIndex[] = []) {
  return root === undefined || indexes.length === 0 ? [] : readTopmostDefinitions(session, root.oid, indexes);
}
