/** Reads, plans and executes under one advisory lock of the parent, so that no plan is made from what another run changes. */
import { DEFAULT_ADVISORY_WAIT, withParentLock } from "../../postgres/advisory";
import { findParent } from "../../postgres/catalog/parent";
import type { Session } from "../../postgres/connection";
import { describeBlockers } from "../../postgres/errors";
import { type ExecutionEvent, type ExecutionReport, executeLocked, LOST } from "../../postgres/executor";
import { qualified } from "../../postgres/identifiers";
import { systemClock } from "../../postgres/ladder";
import { MAX_LEVELS } from "../../topology/level";
import type { DesiredSet } from "../../topology/model";
import { bytesText } from "../../topology/sizeText";
import type { Plan, Step } from "../../topology/steps";
import type { Context } from "../handler";
import type { Properties } from "../values";
import { afterLoss } from "./afterLoss";
import { type ArchiveReading, tellingUnreadable } from "./archive";
import { type Observation, observe } from "./observe";
import { ownPart } from "./own";
import { findingText, summary } from "./present";
import { outputsFromActual } from "./state";

/** Makes the plan from what is there; throws when nothing at all may be done. */
export type MakePlan = (session: Session, observation: Observation) => Promise<Plan>;

export interface Reconciliation {
  plan: Plan;
  /** What is there afterwards. */
  after: Observation;
  /** One line for each thing that was not done. */
  reasons: string[];
}

/** @throws IdentityMismatch, ConnectionError, ParentBusyError, or what `makePlan` throws: then nothing was changed. */
export async function reconcile(
  context: Context,
  desired: DesiredSet,
  olds: Properties,
  makePlan: MakePlan,
  reading: ArchiveReading = {},
): Promise<Reconciliation> {
  const result = await context.database.sessions.withSession(async (session) => {
    const name = { schema: desired.schema, name: desired.table };
    const oid = await findParent(session, name);
    const work = () => underLock(context, session, { desired, olds, oid, reading }, makePlan);
    if (oid === undefined) return work();
    const parent = { oid, label: qualified(name) };
    return withParentLock(session, parent, DEFAULT_ADVISORY_WAIT, systemClock, context.signal, work);
  });
  if ("after" in result) return result;
  // The session that was lost is given back before another one is taken: there may be only one.
  const after = await afterLoss(context, desired, witnessed(desired, result.before, olds), result);
  return { plan: result.plan, after, reasons: [...result.reasons, ...failures(result.plan, result.report)] };
}

/** A run whose session was lost; `reasons` are those of what came before. */
interface Lost {
  plan: Plan;
  before: Observation;
  report: ExecutionReport;
  reasons: string[];
}

interface Work {
  desired: DesiredSet;
  olds: Properties;
  /** The parent whose lock is held. */
  oid: number | undefined;
  reading: ArchiveReading;
}

async function underLock(
  context: Context,
  session: Session,
  { desired, olds, oid, reading }: Work,
  makePlan: MakePlan,
): Promise<Reconciliation | Lost> {
  const before = await observe(session, desired, olds, reading);
  const look = (seen: Observation) => lookAgain(context, session, witnessed(desired, seen, olds), { desired, reading });
  if (before.actual.parent?.oid !== oid) {
    throw new Error(`${desired.schema}.${desired.table} was made or dropped by somebody else just now; run again.`);
  }
  const plan = await makePlan(session, before);
  const reasons = new Set<string>();
  const finished: Step[] = [];
  let [seen, now] = [before, plan];
  for (let round = 1; ; round++) {
    for (const reason of refusals(now)) reasons.add(reason);
    const report = await carryOut(context, session, now, seen, finished);
    if (report?.lost) return { plan: now, before: seen, report, reasons: [...reasons] };
    if (report === undefined) return { plan, after: seen, reasons: [...reasons] };
    for (const reason of failures(now, report)) reasons.add(reason);
    seen = await look(seen);
    if (round === MOST_ROUNDS || !hasMade(now, report)) return { plan, after: seen, reasons: [...reasons] };
    // What has been made or has come by now can be worked on; what follows was shown with the first plan.
    now = await makePlan(session, seen);
  }
}

/** What has been done has to be recorded, also when the archive has become unreadable meanwhile. */
function lookAgain(
  context: Context,
  session: Session,
  olds: Properties,
  { desired, reading }: Pick<Work, "desired" | "reading">,
): Promise<Observation> {
  return observe(session, desired, olds, { unreadable: tellingUnreadable(context), ...reading });
}

/** What is restored is attached by the next round, and what is below it can be restored then: twice for each level. */
const MOST_ROUNDS = 1 + 2 * MAX_LEVELS;

/** Adds to `finished`, which earlier rounds have filled, what is done now. Undefined when there is nothing to do. */
async function carryOut(
  context: Context,
  session: Session,
  plan: Plan,
  { catalog, server, archiver }: Observation,
  finished: Step[],
): Promise<ExecutionReport | undefined> {
  const parent = catalog?.parent;
  const steps = plan.steps.filter(({ madeBy }) => madeBy === undefined);
  if (parent === undefined || steps.length === 0) return undefined;
  const report = await executeLocked(
    session,
    { ...plan, steps },
    {
      sessions: context.database.sessions,
      parent,
      server,
      archiver,
      ladder: context.database.ladder,
      signal: context.signal,
      onEvent: watcher(context),
    },
  ).finally(() => archiver?.close());
  const done = new Set(report.done);
  finished.push(...plan.steps.filter(({ id }) => done.has(id)));
  await context.log.status(doneText(finished, report), true);
  return report;
}

/** True when steps were only shown, and can be planned with their OIDs now. */
function hasMade({ steps }: Plan, { done, skipped }: ExecutionReport): boolean {
  const reached = new Set([...done, ...skipped.flatMap((skip) => (skip.reached ? [skip.step] : []))]);
  return steps.some(({ madeBy }) => madeBy !== undefined && reached.has(madeBy));
}

/**
 * What was attached when the lock was taken is as good as recorded: a partition that this very run detaches, first after
 * an adoption, must not look like a stranger to the next one.
 */
function witnessed(desired: DesiredSet, before: Observation, olds: Properties): Properties {
  const { schema, partitions } = desired;
  const seen = outputsFromActual(
    { schema, partitions },
    ownPart(desired, before.actual, before.known),
    before.identity,
    before.known,
  );
  const { snapshot = olds.snapshot } = before.actual;
  return { ...seen, ...(snapshot !== undefined && { snapshot }), acceptIdentity: olds.acceptIdentity };
}

/** What the plan itself refused to do. */
function refusals(plan: Plan): string[] {
  return plan.findings.filter(({ severity }) => severity === "error").map(findingText);
}

function failures(plan: Plan, report: ExecutionReport): string[] {
  const name = (id: string) => plan.steps.find((step) => step.id === id)?.partition ?? id;
  const never = report.skipped.filter(({ reason }) => reason === LOST);
  return [
    ...report.failed.map(({ step, error }) => `partitions.${name(step)}: ${step} failed: ${error.reason}`),
    ...report.skipped.flatMap(({ step, reason, reached }) =>
      reached || reason === LOST ? [] : [`partitions.${name(step)}: ${step} was not done. ${reason}`],
    ),
    ...(never.length === 0
      ? []
      : [`${never.length} more step(s) were not begun: ${never.map(({ step }) => step).join(", ")}.`]),
  ];
}

/** Of all rounds: what the last one has attached, say, is what the first one has restored. */
function doneText(finished: Step[], { failed }: ExecutionReport): string {
  const text = summary(finished, true);
  return failed.length === 0 ? text : `${text}; ${failed.length} failed`;
}

/** `412.3 MB of 1.2 GB copied, 38.1 MB a second` */
function progressText({ bytes, total, bytesPerSecond }: ExecutionEvent & { type: "progress" }): string {
  return `${bytesText(bytes)} of ${bytesText(total)} copied, ${bytesText(Math.round(bytesPerSecond))} a second`;
}

/** Progress in the Info column. */
function watcher(context: Context): (event: ExecutionEvent) => void {
  return (event) => {
    if (event.type === "waiting") {
      void context.log.status(`${event.step.id}: waiting. ${describeBlockers(event.blockers)}`);
    } else if (event.type === "progress") {
      void context.log.status(`${event.step.id}: ${progressText(event)}`);
    } else if (event.type === "archiving") {
      const rate = `${bytesText(Math.round(event.bytesPerSecond))} a second`;
      void context.log.status(`${event.step.id}: ${bytesText(event.bytes)}, ${rate}`);
    } else if (event.type === "finished") {
      void context.log.status(`${event.position} of ${event.total}: ${event.step.id}`);
    }
  };
}
