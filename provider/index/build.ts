/** Indexes that other resources are responsible for: planned and built as the Index resource does its own. */
import type { Session } from "../../postgres/connection";
import { explainError, hasSqlstate, SQLSTATE } from "../../postgres/errors";
import { applyIndex, type IndexEvent, type IndexReport } from "../../postgres/index/apply";
import { readIndexTree, readTreeBefore } from "../../postgres/index/read";
import { renderIndexStep } from "../../postgres/index/render";
import { sentence, stopsItselfOnly } from "../../postgres/table/alter";
import type { IndexDeclaration, IndexTree } from "../../topology/index/model";
import { planIndex } from "../../topology/index/plan";
import type { Context } from "../handler";
import { eventText, planText, summary } from "./present";

/** The plan of one index in words, and what stands in its way. */
export interface IndexPreview {
  text: string;
  /** In a few words, for the Info column. */
  summary: string;
  obstacles: string[];
}

/** @param title what the text begins with. */
export async function previewIndex(
  session: Session,
  table: number,
  index: IndexDeclaration,
  title: string,
): Promise<IndexPreview> {
  try {
    const { steps, findings } = planIndex(index, await readTree(session, table, index));
    const text = planText(title, steps, (step) => renderIndexStep(step, index));
    return { text, summary: summary(steps), obstacles: findings.map(({ reason }) => reason) };
  } catch (error) {
    if (!stopsItselfOnly(error)) throw error;
    return { text: `${title}: cannot be planned`, summary: "", obstacles: [explainError(error)] };
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

/** Builds what is missing; gives back why something still is. */
export async function buildIndex(
  context: Context,
  session: Session,
  table: number,
  index: IndexDeclaration,
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
