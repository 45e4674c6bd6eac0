/** The Index resource: an index on a partitioned table and on all its partitions, built without blocking writers. */
import { findSnapshots, findUsers, olderThan } from "../../postgres/blockers";
import type { Session } from "../../postgres/connection";
import { describeBlockers } from "../../postgres/errors";
import { qualified } from "../../postgres/identifiers";
import { applyIndex, type IndexRun } from "../../postgres/index/apply";
import { dropIndex } from "../../postgres/index/drop";
import { createClause, renderIndexStep } from "../../postgres/index/render";
import { checkIndex } from "../../topology/index/check";
import type { IndexDeclaration, IndexPlan } from "../../topology/index/model";
import { containsUnknown, UNKNOWN } from "../../topology/unknown";
import {
  type Context,
  type CreateRequest,
  converging,
  type DeleteRequest,
  type ResourceHandler,
  type UpdateRequest,
} from "../handler";
import { identityOf } from "../identity";
import { relationFrom } from "../ids";
import { PartialFailure } from "../rpcErrors";
import type { Properties } from "../values";
import { diffIndex } from "./diff";
import { findTarget, noTableText, observe, type Target } from "./observe";
import { eventText, planText, summary } from "./present";
import { readIndexResource } from "./read";
import { declaredOf, idOf, outputsOf, plannedOutputs } from "./state";

export const indexHandler: ResourceHandler = {
  relation: ({ schema, name }) => relationFrom(schema, name),

  check({ news }) {
    const { checked, failures } = checkIndex(news);
    return { inputs: checked, failures };
  },

  diff: diffIndex,

  ...converging(preview, apply, idOf),

  read: readIndexResource,

  delete: deleteIndex,
};

async function preview(
  context: Context,
  { news }: CreateRequest | UpdateRequest,
  olds: Properties,
): Promise<Properties> {
  if (containsUnknown(news)) return plannedOutputs(news, UNKNOWN, UNKNOWN);
  return context.database.orElse(
    () => context.database.sessions.withSession((session) => previewWith(context, session, news, olds)),
    async (reason) => {
      await context.log.diagnostic("warning", `Not compared with what is there, for want of the database: ${reason}.`);
      return plannedOutputs(news, olds.oid, olds.identity);
    },
  );
}

async function previewWith(
  context: Context,
  session: Session,
  news: Properties,
  olds: Properties,
): Promise<Properties> {
  const target = await findTarget(session, news, olds);
  const { declared, table, server } = target;
  if (table === undefined) {
    await context.log.diagnostic("info", withTableText(declared));
    return plannedOutputs(news, UNKNOWN, UNKNOWN);
  }
  const { plan } = await observe(session, { ...target, table });
  await showPlan(context, session, declared, plan);
  const keeps = plan.found !== undefined && !plan.steps.some(({ kind }) => kind === "swap");
  return plannedOutputs(news, keeps ? plan.found?.oid : UNKNOWN, identityOf(server, table));
}

/** The table comes first in the same run, without rows: nothing is there yet to be compared with. */
function withTableText(declared: IndexDeclaration): string {
  const table = { schema: declared.schema, name: declared.table };
  return [
    `${declared.schema}.${declared.table} does not exist yet. When it does:`,
    `    CREATE ${createClause(declared, table, { index: declared.name, only: true })}`,
    "    and the same on each partition that is there by then, CONCURRENTLY",
  ].join("\n");
}

async function showPlan(
  context: Context,
  session: Session,
  declared: IndexDeclaration,
  { steps, findings }: IndexPlan,
): Promise<void> {
  const title = `${declared.schema}.${declared.name}`;
  if (steps.length > 0) {
    await context.log.diagnostic(
      "info",
      planText(title, steps, (step) => renderIndexStep(step, declared)),
    );
  }
  const relations = steps.map(({ table }) => qualified(table));
  const holders = steps.length === 0 ? [] : await longHolders(session, relations);
  for (const text of [...findings.map(({ path, reason }) => `${path}: ${reason}`), ...holders]) {
    await context.log.diagnostic("warning", `${title}: ${text}`);
  }
  await context.log.status(summary(steps), true);
}

/** From this age on a transaction is named before a build has to wait for it, in milliseconds. */
const LONG_MS = 1_000;

async function longHolders(session: Session, relations: string[]): Promise<string[]> {
  const found = [...(await findUsers(session, relations)), ...(await findSnapshots(session))];
  const long = new Map(olderThan(found, LONG_MS).map((holder) => [holder.gid ?? holder.pid, holder]));
  return [...long.values()].map(
    (holder) => `A build would wait for this transaction to end. ${describeBlockers([holder])}`,
  );
}

async function apply(context: Context, { news }: CreateRequest | UpdateRequest, olds: Properties): Promise<Properties> {
  return context.database.sessions.withSession(async (session) => {
    const target = await findTarget(session, news, olds);
    const { declared, table, server, recorded } = target;
    if (table === undefined) throw new Error(noTableText(declared));
    await observe(session, { ...target, table });
    const report = await applyIndex(runOf(context, session), declared, table, recorded);
    const { index, left, wanted } = report;
    const title = `${declared.schema}.${declared.name}`;
    const reasons = [
      ...report.failed.map(({ step, reason }) => `${title}, ${step}: ${reason}`),
      ...report.findings.map(({ path, reason }) => `${title}, ${path}: ${reason}`),
    ];
    if (index === undefined) throw new Error(reasons.join("\n"));
    const outputs = outputsOf(news, { server, table, index, left, wanted });
    if (reasons.length > 0) throw new PartialFailure(idOf(outputs), outputs, news, reasons);
    return outputs;
  });
}

function runOf(context: Context, session: Session): IndexRun {
  return {
    sessions: context.database.sessions,
    session,
    ladder: context.database.ladder,
    signal: context.signal,
    onEvent: (event) => void context.log.status(eventText(event)),
  };
}

async function deleteIndex(context: Context, { olds, oldInputs }: DeleteRequest): Promise<void> {
  await context.database.sessions.withSession(async (session) => {
    const known = { ...olds, acceptIdentity: oldInputs.acceptIdentity };
    const { table, recorded }: Target = await findTarget(session, oldInputs, known);
    if (table === undefined || recorded === undefined) return;
    await dropIndex(runOf(context, session), declaredOf(oldInputs), table, recorded);
  });
}
