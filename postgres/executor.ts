/** Carries out a plan on one parent: everything that can be done is done, and everything that was not is named. */
import { DatabaseError } from "pg";
import type { Plan, Step } from "../topology/steps";
import { type AdvisoryWait, DEFAULT_ADVISORY_WAIT, withParentLock } from "./advisory";
import type { Archiver } from "./archive/archiver";
import { inLanes, isArchiving } from "./archive/lanes";
import type { Session, Sessions } from "./connection";
import { type Blocker, explainError, hasSqlstate, IdentityError, LockTimeoutError, SQLSTATE } from "./errors";
import { ALREADY_THERE, isAbort, isSessionLost } from "./failures";
import { takesGuardOff } from "./guard";
import { qualified } from "./identifiers";
import { type Clock, DEFAULT_LADDER, type LockLadder, systemClock } from "./ladder";
import { inRoom, readLockRoom } from "./lockTable";
import { type CatalogParent, underNewNames } from "./parent";
import { readServer, type ServerFacts } from "./server";
import { judge } from "./verdicts";
import { Worker } from "./worker";

/** What happens while a plan is carried out, for people who watch. */
export type ExecutionEvent =
  | { type: "started" | "finished"; step: Step; position: number; total: number }
  | { type: "failed"; step: Step; reason: string }
  | { type: "skipped"; step: Step; reason: string }
  | { type: "waiting"; step: Step; blockers: Blocker[] }
  /** Of a copy, at most once a second: bytes of the sources' tables, without indexes. */
  | { type: "progress"; step: Step; bytes: number; total: number; bytesPerSecond: number }
  /** Of an export or a restore, at most once a second: bytes of COPY text. */
  | { type: "archiving"; step: Step; bytes: number; bytesPerSecond: number };

export interface ExecutionOptions {
  sessions: Sessions;
  /** The parent as it was read for the plan. */
  parent: CatalogParent;
  /** The server that the plan was made for; undefined parts are not compared. */
  server?: Partial<Pick<ServerFacts, "systemIdentifier" | "databaseOid">>;
  ladder?: LockLadder;
  advisoryWait?: AdvisoryWait;
  clock?: Clock;
  /** Stops between steps, and a waiting statement at once; what is committed stays, nothing else does. */
  signal?: AbortSignal;
  onEvent?(event: ExecutionEvent): void;
  /** For plans with steps that read or write an archive. */
  archiver?: Archiver;
}

export interface StepFailure {
  step: string;
  error: { sqlstate?: string; reason: string };
}

export interface StepSkip {
  step: string;
  reason: string;
  /** True when the result was there already: steps that follow it can run. */
  reached: boolean;
}

/** Every step of the plan is in exactly one of the lists. */
export interface ExecutionReport {
  done: string[];
  failed: StepFailure[];
  skipped: StepSkip[];
  /** The session is gone: nothing more can be sent in it, and nobody holds the parent's lock. */
  lost?: true;
}

/**
 * Longest wait of a step once an earlier one has used up the whole budget: whoever was in its way is likely to be in the
 * way of all, and a plan of a hundred steps must not wait a hundred times for one forgotten transaction.
 */
const NEXT_BUDGET_MS = 5_000;

/**
 * Carries out the steps in their order; a step that fails stops only those that follow it by `after`.
 * @throws ConnectionError, IdentityError or ParentBusyError before the first statement; later failures are in the report.
 */
export async function execute(plan: Plan, options: ExecutionOptions): Promise<ExecutionReport> {
  if (plan.steps.length === 0) return { done: [], failed: [], skipped: [] };
  return options.sessions.withSession(async (session) => {
    checkServer(await readServer(session), options);
    const clock = options.clock ?? systemClock;
    const parent = { oid: options.parent.oid, label: qualified(options.parent) };
    const wait = options.advisoryWait ?? DEFAULT_ADVISORY_WAIT;
    const action = () => executeLocked(session, plan, options);
    return withParentLock(session, parent, wait, clock, options.signal, action);
  });
}

/** The same in a session that has compared the server and holds the parent's lock, so that it could read under it. */
export function executeLocked(session: Session, plan: Plan, options: ExecutionOptions): Promise<ExecutionReport> {
  return new Run(session, plan, options.clock ?? systemClock, options).all();
}

function checkServer(found: ServerFacts, { server, sessions }: ExecutionOptions): void {
  const expected = server?.systemIdentifier;
  if (expected !== undefined && found.systemIdentifier !== undefined && expected !== found.systemIdentifier) {
    throw new IdentityError(
      `${sessions.target} is cluster ${found.systemIdentifier}; the plan was made for cluster ${expected}. Nothing was done.`,
    );
  }
  if (server?.databaseOid !== undefined && server.databaseOid !== found.databaseOid) {
    throw new IdentityError(
      `${sessions.target} is the database with OID ${found.databaseOid}; the plan was made for OID ${server.databaseOid}.` +
        " Nothing was done.",
    );
  }
  if (found.inRecovery) throw new IdentityError(`${sessions.target} is a standby, which takes no changes.`);
  if (found.readOnly)
    throw new IdentityError(`${sessions.target} has default_transaction_read_only on. Nothing was done.`);
}

class Run {
  private readonly report: ExecutionReport = { done: [], failed: [], skipped: [] };
  private readonly satisfied = new Set<string>();
  private readonly planned: ReadonlySet<string>;
  private ladder: LockLadder;
  private readonly worker: Worker;
  private readonly started = new Set<string>();
  private lost = false;

  constructor(
    private readonly session: Session,
    private readonly plan: Plan,
    clock: Clock,
    private readonly options: ExecutionOptions,
  ) {
    this.planned = new Set(plan.steps.map(({ id }) => id));
    this.ladder = options.ladder ?? DEFAULT_LADDER;
    const { signal, onEvent, archiver } = options;
    this.worker = new Worker({
      session,
      parent: underNewNames(options.parent, plan.steps),
      clock,
      signal,
      onStart: (step) => this.announce(step),
      onWait: (step, blockers) => onEvent?.({ type: "waiting", step, blockers }),
      onProgress: (step, progress) => onEvent?.({ type: "progress", step, ...progress }),
      archiver,
      onArchived: (step, progress) => onEvent?.({ type: "archiving", step, ...progress }),
    });
  }

  async all(): Promise<ExecutionReport> {
    const { signal, sessions } = this.options;
    const cancel = () => {
      const still = () => !this.worker.uninterruptible;
      this.worker.cancelling = sessions.cancel(this.session.pid, still).catch(() => undefined);
    };
    this.session.cancelledByUser = true;
    signal?.addEventListener("abort", cancel, { once: true });
    try {
      for (const steps of groups(this.plan.steps))
        await (steps.every(isArchiving) ? this.archive(steps) : this.transactionOf(steps));
    } finally {
      signal?.removeEventListener("abort", cancel);
      await this.worker.cancelling;
      this.session.cancelledByUser = false;
    }
    if (this.lost) this.report.lost = true;
    return this.report;
  }

  /** None of them is in the way of another one. */
  private archive(steps: Step[]): Promise<void> {
    const { sessions, signal, archiver } = this.options;
    const work = async (step: Step, session: Session): Promise<boolean> => {
      const obstacle = this.obstacle(step);
      if (obstacle !== undefined) {
        this.skip(step, obstacle);
        return true;
      }
      try {
        this.finish(step, (await this.worker.archive(step, session)) === "reached");
        return true;
      } catch (error) {
        return this.judgeArchiving(step, error, session);
      }
    };
    return inLanes(steps, { sessions, session: this.session, parallel: archiver?.parallel ?? 1, signal, work });
  }

  /** The loss of another session than the run's own ends one step only. */
  private async judgeArchiving(step: Step, error: unknown, session: Session): Promise<boolean> {
    const lost = session.broken === true || (error instanceof DatabaseError && isSessionLost(error));
    if (!lost || session === this.session) await this.judgeFailure(step, error, lost);
    else if (this.isCancelled()) this.skip(step, CANCELLED);
    else this.fail(step, error, "The session with the server was lost; the next run goes on from there.");
    return !lost;
  }

  /** Steps of one transaction number, in several transactions when the server's lock table has no room for one. */
  private async transactionOf(steps: Step[]): Promise<void> {
    if (steps.some(({ indivisible }) => indivisible)) return this.allOrNone(steps);
    if (steps.length < 2) return this.group(steps);
    const room = await readLockRoom(this.session);
    for (const part of inRoom(steps, this.options.parent, room)) await this.group(part);
  }

  /** Steps that go together. When they fail together each is tried alone, so that one cannot stop the others. */
  private async group(steps: Step[]): Promise<void> {
    const together = steps.filter((step) => this.isReady(step, steps));
    if (together.length < 2 || this.isCancelled()) return this.oneByOne(steps);
    try {
      await this.worker.run(together, this.ladder);
    } catch (error) {
      if (this.isCancelled() || !isSessionLost(error)) this.waitLess(error);
      else return this.loseSession(steps, error);
    }
    const finished = this.finishCompleted(together);
    await this.oneByOne(steps.filter((step) => !finished.has(step)));
  }

  /** The first step that is not done has failed; the others, and all that come later, were not begun. */
  private async loseSession(steps: Step[], error: unknown): Promise<void> {
    this.lost = true;
    const finished = this.finishCompleted(steps);
    const [first, ...others] = steps.filter((step) => !finished.has(step));
    if (first !== undefined) await this.judgeFailure(first, error);
    await this.oneByOne(others);
  }

  /**
   * A guard that is left on a table refuses rows, so that its removal is given the whole time; but who has cancelled waits
   * for it, and then the next run removes it.
   */
  private ladderFor(step: Step): LockLadder {
    if (!takesGuardOff(step)) return this.ladder;
    const ladder = this.options.ladder ?? DEFAULT_LADDER;
    return this.isCancelled() ? { ...ladder, budget: Math.min(NEXT_BUDGET_MS, ladder.budget) } : ladder;
  }

  private waitLess(error: unknown): void {
    if (!(error instanceof LockTimeoutError)) return;
    this.ladder = { ...this.ladder, budget: Math.min(NEXT_BUDGET_MS, this.ladder.budget) };
  }

  /** Reports the steps that the worker committed. */
  private finishCompleted(steps: Step[]): Set<Step> {
    const finished = steps.filter(({ id }) => this.worker.outcomes.has(id));
    for (const step of finished) this.finish(step, this.worker.outcomes.get(step.id) === "reached");
    return new Set(finished);
  }

  /** One step that cannot be done stops all of them. */
  private async allOrNone(steps: Step[]): Promise<void> {
    for (const step of steps) {
      const obstacle = this.obstacle(step, steps);
      if (obstacle === undefined) continue;
      for (const one of steps) this.skip(one, obstacle);
      return;
    }
    try {
      await this.worker.run(steps, this.ladder);
    } catch (error) {
      this.waitLess(error);
      for (const step of steps) await this.judgeFailure(step, error);
      return;
    }
    this.finishCompleted(steps);
  }

  private async oneByOne(steps: Step[]): Promise<void> {
    for (const step of steps) await this.alone(step);
  }

  private async alone(step: Step): Promise<void> {
    const obstacle = this.obstacle(step);
    if (obstacle !== undefined) return this.skip(step, obstacle);
    try {
      await this.worker.run([step], this.ladderFor(step));
      this.finishCompleted([step]);
    } catch (error) {
      this.waitLess(error);
      await this.judgeFailure(step, error);
    }
  }

  private async judgeFailure(step: Step, error: unknown, lost = isSessionLost(error)): Promise<void> {
    const cancelled = this.isCancelled() && this.isCancellation(error);
    this.lost ||= !cancelled && lost;
    if (cancelled) return this.skip(step, CANCELLED);
    if (!this.lost && hasSqlstate(error, ...ALREADY_THERE) && (await this.isReached(step))) {
      return this.finish(step, true);
    }
    this.fail(step, error, this.lost ? LOST : undefined);
  }

  private fail(step: Step, error: unknown, consequence: string | undefined): void {
    const reason = explainError(error) + (consequence === undefined ? "" : `. ${consequence}`);
    const sqlstate = error instanceof DatabaseError ? error.code : undefined;
    this.report.failed.push({ step: step.id, error: { sqlstate, reason } });
    this.options.onEvent?.({ type: "failed", step, reason });
  }

  private async isReached(step: Step): Promise<boolean> {
    try {
      return (await judge(this.session, step, this.options.parent.oid)).kind === "reached";
    } catch {
      return false;
    }
  }

  /** A guard that is left on a table would go on refusing rows: it is taken off whatever else has happened. */
  private obstacle(step: Step, together: Step[] = []): string | undefined {
    if (this.lost) return LOST;
    if (takesGuardOff(step)) return undefined;
    if (this.isCancelled()) return CANCELLED;
    const own = new Set(together.map(({ id }) => id));
    const missing = step.after.filter((id) => !this.satisfied.has(id) && this.isPlanned(id) && !own.has(id));
    return missing.length === 0 ? undefined : `Not done, because it follows ${missing.join(", ")}.`;
  }

  private isReady(step: Step, group: Step[]): boolean {
    const inGroup = (id: string) => group.some((other) => other.id === id);
    return (
      takesGuardOff(step) || step.after.every((id) => this.satisfied.has(id) || !this.isPlanned(id) || inGroup(id))
    );
  }

  private isPlanned(id: string): boolean {
    return this.planned.has(id);
  }

  private isCancelled(): boolean {
    return this.options.signal?.aborted === true;
  }

  private isCancellation(error: unknown): boolean {
    return isAbort(error) || error === this.options.signal?.reason || hasSqlstate(error, SQLSTATE.queryCanceled);
  }

  private announce(step: Step): void {
    if (this.started.has(step.id)) return;
    this.started.add(step.id);
    this.options.onEvent?.({ type: "started", step, position: this.started.size, total: this.plan.steps.length });
  }

  private finish(step: Step, reached: boolean): void {
    this.satisfied.add(step.id);
    if (reached) {
      const reason = "It was like that already.";
      this.report.skipped.push({ step: step.id, reason, reached });
      this.options.onEvent?.({ type: "skipped", step, reason });
      return;
    }
    this.report.done.push(step.id);
    this.announce(step);
    const position = this.report.done.length;
    this.options.onEvent?.({ type: "finished", step, position, total: this.plan.steps.length });
  }

  private skip(step: Step, reason: string): void {
    this.report.skipped.push({ step: step.id, reason, reached: false });
    this.options.onEvent?.({ type: "skipped", step, reason });
  }
}

const CANCELLED = "Not done, because the run was cancelled.";
export const LOST = "The session with the server was lost; the next run finds out what was done.";

function groups(steps: Step[]): Step[][] {
  const found: Step[][] = [];
  for (const step of steps) {
    const last = found.at(-1);
    const before = last?.[0];
    const alike = before !== undefined && isArchiving(before) && isArchiving(step);
    const apart = last?.every(({ id }) => !step.after.includes(id));
    if (last && (before?.transaction === step.transaction || (alike && apart))) last.push(step);
    else found.push([step]);
  }
  return found;
}
