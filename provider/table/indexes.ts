/** Indexes, unique constraints and the primary key of a Table with partitions: built as the Index resource builds its own. */
import type { Session } from "../../postgres/connection";
import { explainError, hasSqlstate, SQLSTATE } from "../../postgres/errors";
import { applyIndex, type IndexEvent, type IndexReport } from "../../postgres/index/apply";
import { readIndexTree, readTreeBefore } from "../../postgres/index/read";
import { renderIndexStep } from "../../postgres/index/render";
import { sentence, stopsItselfOnly } from "../../postgres/table/alter";
import type { RefusedChange } from "../../postgres/table/change";
import type { IndexWork } from "../../postgres/table/rules/indexes";
import type { IndexDeclaration, IndexTree } from "../../topology/index/model";
import { planIndex } from "../../topology/index/plan";
import type { Context } from "../handler";
import { eventText, planText } from "../index/present";

/** The plan of one index in words, and what stands in its way. */
export interface IndexPreview {
  text: string;
  obstacles: string[];
}

export async function previewIndex(session: Session, table: number, work: IndexWork): Promise<IndexPreview> {
  const { index, difference } = work;
  const title = `${index.schema}.${index.table}, ${difference.path}, ${index.constraint ?? "index"} ${index.name}`;
  try {
    const { steps, findings } = planIndex(index, await readTree(session, table, index));
    const text = planText(title, steps, (step) => renderIndexStep(step, index));
    return { text, obstacles: findings.map(({ reason }) => reason) };
  } catch (error) {
    if (!stopsItselfOnly(error)) throw error;
    return { text: `${title}: cannot be planned`, obstacles: [explainError(error)] };
  }
}

/** In a preview its columns may be among those that are added just before. */
async function readTree(session: Session, table: number, index: IndexDeclaration): Promise<IndexTree> {
  try {
    return await readIndexTree(session, index, table);
  } catch (error) {
    if (!hasSqlstate(error, SQLSTATE.undefinedColumn)) throw error;
    return readTreeBefore(session, index, table);
  }
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
      first === undefined ? await build(context, session, table, work) : `Not built, because ${first} comes first.`;
    if (reason !== undefined) left.push({ difference: work.difference, reason });
  }
  return left;
}

async function build(
  context: Context,
  session: Session,
  table: number,
  { index }: IndexWork,
): Promise<string | undefined> {
  const { sessions, ladder } = context.database;
  const { signal, log } = context;
  try {
    const onEvent = (event: IndexEvent) => void log.status(eventText(event));
    return unfinished(await applyIndex({ sessions, session, ladder, signal, onEvent }, index, table));
  } catch (error) {
    if (!stopsItselfOnly(error)) throw error;
    return `${sentence(error)} The next \`pulumi up\` goes on.`;
  }
}

function unfinished({ failed, findings, left }: IndexReport): string | undefined {
  const reasons = [...failed.map(({ step, reason }) => `${step}: ${reason}`), ...findings.map(({ reason }) => reason)];
  if (reasons.length > 0) return reasons.join(" ");
  return left.length === 0 ? undefined : `${left.length} steps are left; the next \`pulumi up\` goes on.`;
}
