/** Create and Update of a PartitionSet for real. */
import type { DesiredSet } from "../../topology/model";
import type { Context } from "../handler";
import { recordedIdentity } from "../identity";
import type { Properties } from "../values";
import { tellingUnreadable } from "./archive";
import { decide } from "./decide";
import { completeIndexes } from "./indexes";
import { type Observation, observe } from "./observe";
import { ownPart } from "./own";
import { findingText } from "./present";
import { reconcile } from "./reconcile";
import { outputsFromActual, withSnapshot } from "./state";

export interface Applied {
  outputs: Properties;
  /** What was not done, one line each; empty when everything is as declared. */
  reasons: string[];
}

/** @throws when nothing was changed at all: no parent, another identity, a partition key that is not the declared one. */
export async function applySet(
  context: Context,
  desired: DesiredSet,
  news: Properties,
  olds: Properties,
): Promise<Applied> {
  const {
    plan: planned,
    after,
    reasons,
  } = await reconcile(context, desired, olds, async (session, observation) => {
    if (observation.actual.parent === undefined) throw new Error(noParentText(desired, olds));
    const made = await decide(session, observation);
    const fatal = made.findings.filter(({ severity, path }) => severity === "error" && !path.startsWith("partitions"));
    if (fatal.length > 0) throw new Error(fatal.map(findingText).join("\n"));
    return made;
  });
  for (const finding of planned.findings.filter(({ severity }) => severity === "warning")) {
    await context.log.diagnostic("warning", findingText(finding));
  }
  const outputs = outputsOf(desired, news, after, olds);
  const { indexes = [] } = planned;
  if (indexes.length === 0) return { outputs, reasons };
  return context.database.sessions.withSession(async (session) => {
    const left = await completeIndexes(context, session, after.actual.parent, indexes);
    const completed = await observe(session, desired, outputs, { unreadable: tellingUnreadable(context) });
    return { outputs: outputsOf(desired, news, completed, outputs), reasons: [...reasons, ...left] };
  });
}

function outputsOf(
  desired: DesiredSet,
  news: Properties,
  { actual, identity, known }: Observation,
  olds: Properties,
): Properties {
  return withSnapshot(outputsFromActual(news, ownPart(desired, actual, known), identity, known), actual, olds);
}

function noParentText({ schema, table }: DesiredSet, olds: Properties): string {
  if (recordedIdentity(olds) !== undefined) {
    return `${schema}.${table}, the parent of this set, is gone: it was dropped or renamed outside. Run \`pulumi refresh\` to record that.`;
  }
  return (
    `${schema}.${table} is no partitioned table. Declare it (PartitionedTable does, or Table), or run the migration that makes it first. ` +
    `An ordinary table of that name has to be converted before it can have partitions.`
  );
}
