/** What is still done for a run whose session was lost: by a restart of the server, an administrator, the network. */
import { ParentBusyError, withParentLock } from "../../postgres/advisory";
import type { Session } from "../../postgres/connection";
import { ConnectionError, explainError } from "../../postgres/errors";
import { type ExecutionReport, executeLocked } from "../../postgres/executor";
import { takesGuardOff } from "../../postgres/guard";
import { qualified } from "../../postgres/identifiers";
import { systemClock } from "../../postgres/ladder";
import type { DesiredSet } from "../../topology/model";
import type { Plan, Step } from "../../topology/steps";
import type { Context } from "../handler";
import type { Properties } from "../values";
import { tellingUnreadable } from "./archive";
import { type Observation, observe } from "./observe";

/** A restarted server is waited for so long, in milliseconds; who wants more runs again. */
const RECONNECT_MS = 10_000;
const PAUSE_MS = 250;

/** Another run that holds the lock by then has seen what is left, and takes it away itself. */
const LOCK_WAIT = { budget: 2_000, poll: 250 };

/**
 * Begins nothing anew: whoever ended the session may have meant it. But the CHECKs that keep rows out of DEFAULT, or within a
 * coming bound, for the time of an ATTACH would go on refusing them: they are taken away; and what was done is recorded.
 * @throws Error in one line when the server cannot be reached again.
 */
export async function afterLoss(
  context: Context,
  desired: DesiredSet,
  olds: Properties,
  { plan, report, before }: { plan: Plan; report: ExecutionReport; before: Observation },
): Promise<Observation> {
  const guards = plan.steps.filter((step) => takesGuardOff(step) && !report.done.includes(step.id));
  const started = systemClock.now();
  for (;;) {
    try {
      return await context.database.sessions.withSession(async (session) => {
        if (guards.length > 0) await removeGuards(context, session, guards, before);
        return observe(session, desired, olds, { unreadable: tellingUnreadable(context) });
      });
    } catch (error) {
      const over = context.signal.aborted || systemClock.now() - started >= RECONNECT_MS;
      if (!(error instanceof ConnectionError) || over) throw new Error(unreachable(report, error), { cause: error });
      await systemClock.sleep(PAUSE_MS, context.signal);
    }
  }
}

/** What cannot be taken away is found by the next run. */
async function removeGuards(
  context: Context,
  session: Session,
  guards: Step[],
  { catalog, server }: Observation,
): Promise<void> {
  const parent = catalog?.parent;
  if (parent === undefined) return;
  const steps = guards.map((step) => ({ ...step, after: [] }));
  const { sessions, ladder } = context.database;
  const work = () =>
    executeLocked(session, { steps, findings: [], unchanged: [] }, { sessions, parent, server, ladder });
  const lock = { oid: parent.oid, label: qualified(parent) };
  try {
    await withParentLock(session, lock, LOCK_WAIT, systemClock, context.signal, work);
  } catch (error) {
    if (!(error instanceof ParentBusyError)) throw error;
  }
}

function unreachable({ failed, done }: ExecutionReport, error: unknown): string {
  const first = failed[0]?.error.reason ?? "The session with the server was lost.";
  return `${first} ${done.length} step(s) were done before. ${explainError(error)}. Run \`pulumi up\` again when the server is back.`;
}
