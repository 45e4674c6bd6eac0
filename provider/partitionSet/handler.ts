/** The PartitionSet resource: what the engine asks, in terms of observe, plan and execute. */
import type { ParentFacts } from "../../postgres/parent";
import { renderAs, renderStep } from "../../postgres/statements";
import type { DesiredSet } from "../../topology/model";
import { plan } from "../../topology/plan";
import { desiredFromChecked, expand } from "../../topology/policy";
import type { Plan, Step } from "../../topology/steps";
import { containsUnknown, UNKNOWN } from "../../topology/unknown";
import { type Context, type CreateRequest, converging, type ResourceHandler, type UpdateRequest } from "../handler";
import { idOfOutputs } from "../identity";
import { relationFrom } from "../ids";
import type { IndexPreview } from "../index/build";
import { PartialFailure } from "../rpcErrors";
import type { Properties } from "../values";
import { applySet } from "./apply";
import { archiveFailures, planningWithout } from "./archive";
import { forgottenTexts, foundText, toBeMadeText } from "./archived";
import { decide, factsFor } from "./decide";
import { deleteSet } from "./delete";
import { diffSet } from "./diff";
import { whyExclusive } from "./exclusive";
import { previewIncomplete } from "./indexes";
import { type Observation, observe, observeState } from "./observe";
import { ownPart } from "./own";
import { findingText, planText, type Rendered, summary } from "./present";
import { readSetResource } from "./read";
import { viewRows } from "./rows";
import { outputsFromPlan, withNewNames, withSnapshot } from "./state";

export const partitionSetHandler: ResourceHandler = {
  relation: ({ schema, table }) => relationFrom(schema, table),

  check({ olds, news }) {
    const { checked, failures } = expand(news, olds);
    return { inputs: checked, failures: [...failures, ...archiveFailures(news)] };
  },

  diff: diffSet,

  ...converging(preview, apply, idOf),

  read: readSetResource,

  delete: deleteSet,
};

function idOf(outputs: Properties): string {
  return idOfOutputs(outputs, outputs.table);
}

/** What the state knows, partitions that the program has renamed included. */
function recorded(request: CreateRequest | UpdateRequest, olds: Properties): Properties {
  return "oldInputs" in request ? withNewNames(olds, request.oldInputs, request.news) : olds;
}

/** Shows what `up` would do; changes nothing. */
async function preview(
  context: Context,
  request: CreateRequest | UpdateRequest,
  oldOutputs: Properties,
): Promise<Properties> {
  const { news } = request;
  // A bucket that the same update makes has no URL yet; what is planned does not depend on it.
  const { archive, ...others } = news;
  if (containsUnknown(others)) return { ...news, partitions: UNKNOWN, identity: UNKNOWN };
  const unknown = containsUnknown(archive);
  const olds = recorded(request, oldOutputs);
  const desired = desiredFromChecked(unknown ? others : news);
  const unreadable = planningWithout(context);
  if (unknown) await context.log.diagnostic("info", toBeMadeText(olds));
  const { observation, planned, indexes } = await context.database.orElse(
    () =>
      context.database.sessions.withSession(async (session) => {
        const seen = await observe(session, desired, olds, { toBeMade: unknown, unreadable });
        const made = await decide(session, seen);
        const builds = await previewIncomplete(session, seen.actual.parent, made);
        const observed = { ...seen, facts: await factsFor(session, made, seen) };
        return { observation: observed, planned: made, indexes: builds };
      }),
    async (reason) => {
      await context.log.diagnostic("warning", fromStateText(reason));
      const seen = observeState(desired, olds);
      return { observation: seen, planned: plan(desired, seen.actual, seen.known), indexes: [] };
    },
  );
  await showPlan(context, desired, planned, observation, indexes);
  await tellForgotten(context, olds, desired);
  const found = foundText(olds, observation.actual, desired);
  if (found !== undefined) await context.log.diagnostic("warning", found);
  const ours = ownPart(desired, observation.actual, observation.known);
  const promised = outputsFromPlan(news, ours, planned, observation.identity, observation.known);
  const outputs = withSnapshot(promised, {}, olds);
  await context.views.publish(viewRows(context.name, outputs, context.views.old));
  return outputs;
}

function fromStateText(reason: string): string {
  return `Planned from the state alone, without the database: ${reason}. What was changed there by hand does not show.`;
}

/** What the state will not speak of any more, and what it keeps though nobody declares it. */
export async function tellForgotten(context: Context, olds: Properties, desired: DesiredSet): Promise<void> {
  for (const text of forgottenTexts(olds, desired)) await context.log.diagnostic("info", text);
}

/** What a reviewer sees of a plan. */
export async function showPlan(
  context: Context,
  desired: DesiredSet,
  planned: Plan,
  { facts }: Observation,
  indexes: readonly IndexPreview[] = [],
): Promise<void> {
  const title = `${desired.schema}.${desired.table}`;
  if (planned.steps.length > 0) {
    await context.log.diagnostic(
      "info",
      planText(title, planned, (step) => rendered(step, facts)),
    );
  }
  for (const { text } of indexes) await context.log.diagnostic("info", text);
  for (const reason of indexes.flatMap(({ obstacles }) => obstacles)) await context.log.diagnostic("warning", reason);
  for (const finding of planned.findings) {
    // An error here would end the preview and hide the rest of it from the reviewer; `up` is what refuses.
    const severity = finding.severity === "info" ? "info" : "warning";
    await context.log.diagnostic(severity, findingText(finding));
  }
  const builds = indexes.map((index) => index.summary).filter((text) => text !== "");
  const parts = planned.steps.length === 0 && builds.length > 0 ? builds : [summary(planned.steps, false), ...builds];
  await context.log.status(parts.join(", "), true);
}

function rendered(step: Step, facts: ParentFacts): Rendered {
  const instead = step.method === "detachConcurrently" ? renderAs(step, "finalize", facts) : undefined;
  const statements = renderStep(step, facts);
  return { statements, instead, exclusive: whyExclusive(step, statements, facts) };
}

/** Does what the preview showed. */
async function apply(context: Context, request: CreateRequest | UpdateRequest, olds: Properties): Promise<Properties> {
  const { news } = request;
  const { outputs, reasons } = await applySet(context, desiredFromChecked(news), news, recorded(request, olds));
  await context.views.publish(viewRows(context.name, outputs, context.views.old));
  if (reasons.length > 0) throw new PartialFailure(idOf(outputs), outputs, news, reasons);
  return outputs;
}
