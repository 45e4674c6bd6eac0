/** Several exports, or restores, at a time: each in a session of its own, as far as there are any. */
import type { Step } from "../../topology/steps";
import type { Session, Sessions } from "../connection";

export interface Lanes {
  sessions: Sessions;
  /** The run's own session, which takes part. */
  session: Session;
  /** Steps at a time, at most. */
  parallel: number;
  signal?: AbortSignal;
  /** Carries out one step, and never rejects. False: the session is of no more use. */
  work(step: Step, session: Session): Promise<boolean>;
}

export function isArchiving({ method }: Step): boolean {
  return method === "export" || method === "restore";
}

/**
 * Every session takes the next step when it is done with one. Only sessions that nobody else asks for are taken, and given
 * back after a step when somebody waits for one; with the run's own session alone it goes on to the end.
 */
export async function inLanes(steps: readonly Step[], lanes: Lanes): Promise<void> {
  const { sessions, session: own, parallel } = lanes;
  const queue = [...steps];
  const more = Array.from({ length: Math.min(parallel, steps.length) - 1 }, () =>
    sessions.withSpareSession((spare) => cancelled(spare, lanes, () => drive(spare, queue, lanes))),
  );
  await Promise.all([drive(own, queue, lanes), ...more]);
  // A session may have ended with steps still to be looked at.
  await drive(own, queue, lanes);
}

async function drive(session: Session, queue: Step[], { sessions, session: own, work }: Lanes): Promise<void> {
  for (let step = queue.shift(); step !== undefined; step = queue.shift()) {
    const usable = await work(step, session);
    if (session !== own && (!usable || sessions.isContended)) return;
  }
}

/** What the other session waits for is given up with the run; the run's own is cancelled by the run. */
async function cancelled(session: Session, { sessions, signal }: Lanes, action: () => Promise<void>): Promise<void> {
  const cancel = () => void sessions.cancel(session.pid).catch(() => undefined);
  signal?.addEventListener("abort", cancel, { once: true });
  try {
    await action();
  } finally {
    signal?.removeEventListener("abort", cancel);
  }
}
