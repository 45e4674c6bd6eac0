/** Carries out the statements of steps in one session: transactions under the lock ladder, and concurrent detaches. */
import type { RelationName } from "../topology/model";
import type { Step } from "../topology/steps";
import type { ArchiveProgress, ArchiveRun, Archiver } from "./archive/archiver";
import { findBlockers, findSnapshots, findUsers } from "./blockers";
import { readTableOfStep, withCopyFacts } from "./catalog/copying";
import type { Session } from "./connection";
import { ArchiveError, type Blocker, hasSqlstate, IdentityError, SQLSTATE } from "./errors";
import { faultPoint } from "./faults";
import { takesGuardOff } from "./guard";
import { qualified } from "./identifiers";
import { type Clock, climb, DEFAULT_LADDER, type LockLadder } from "./ladder";
import { lookout } from "./lookout";
import type { CatalogParent } from "./parent";
import { type CopyProgress, isReorganization, reorganize } from "./reorganize/run";
import { contestedLocks, lockTimeout, type RenderedStep, type Segment, segmentsOf } from "./segments";
import type { Statement } from "./statement";
import { renderAs, renderStep } from "./statements";
import { checkParent, judge, type Verdict } from "./verdicts";

/** What a worker is given. */
export interface WorkerContext {
  session: Session;
  parent: CatalogParent;
  clock: Clock;
  signal?: AbortSignal;
  onStart(step: Step): void;
  onWait(step: Step, blockers: Blocker[]): void;
  onProgress(step: Step, progress: CopyProgress): void;
  /** Absent: no step of the plan is about one. */
  archiver?: Archiver;
  onArchived(step: Step, progress: ArchiveProgress): void;
}

/** What became of each step: `reached` when its result was there already. */
export type Outcome = "done" | "reached";

export class Worker {
  /** True while a statement runs whose cancellation would leave something half done. */
  uninterruptible = false;
  /** A cancellation on its way to the server; it must not meet a statement that is not to be interrupted. */
  cancelling: Promise<void> | undefined;
  /** Steps of the last {@link Worker.run} that are committed, or were found reached. */
  readonly outcomes = new Map<string, Outcome>();

  /** Of the steps that are being carried out. */
  private ladder: LockLadder = DEFAULT_LADDER;

  constructor(private readonly context: WorkerContext) {}

  /**
   * Carries out steps together, in as few transactions as their statements allow; `outcomes` tells how far it came.
   * @throws LockTimeoutError, IdentityError or PostgreSQL's error; transactions before the failing one are committed.
   */
  async run(steps: Step[], ladder: LockLadder): Promise<void> {
    this.outcomes.clear();
    this.ladder = ladder;
    const moving = steps.filter(isReorganization);
    for (const step of moving) {
      this.context.onStart(step);
      const parent = await readTableOfStep(this.context.session, step, this.context.parent);
      this.outcomes.set(step.id, await reorganize({ ...this.context, parent, ladder, step }));
    }
    return this.send(
      steps.filter((step) => !moving.includes(step)),
      ladder,
    );
  }

  /** An export or a restore, in this session or in another one. */
  async archive(step: Step, session: Session): Promise<Outcome> {
    const { archiver, onStart } = this.context;
    if (archiver === undefined) throw new ArchiveError(`${step.id}: there is no archive.`);
    onStart(step);
    const run = await this.archiveRun(step, session);
    return step.method === "export" ? archiver.export(run) : archiver.restore(run);
  }

  private async archiveRun(step: Step, session: Session): Promise<ArchiveRun> {
    const { signal, onArchived, parent } = this.context;
    return {
      session,
      step,
      parent: await readTableOfStep(session, step, parent),
      signal,
      onProgress: (progress) => onArchived(step, progress),
    };
  }

  /** In the transaction that holds the lock. */
  private async prove(step: Step): Promise<void> {
    const { archiver, session } = this.context;
    if (archiver === undefined) throw new ArchiveError(`${step.id}: there is no archive.`);
    await archiver.prove(await this.archiveRun(step, session));
  }

  /** Rolled back to where it was and tried again when its locks cannot be had, so that the transaction goes on. */
  private patiently(step: Step, statement: Statement): Promise<void> {
    const { session, clock, signal, onWait } = this.context;
    // Whoever waits already waits for the lock that this transaction holds: PostgreSQL lets us go before him.
    const find = async () => (await findBlockers(session, statement.locks)).filter(({ granted }) => granted);
    return climb({
      ladder: this.ladder,
      clock,
      signal,
      look: lookout(session, clock, find),
      run: async (stepMs) => {
        await session.query("SAVEPOINT pgpartition");
        try {
          await session.query(`SET LOCAL lock_timeout = '${lockTimeout(stepMs, statement.locks)}ms'`);
          await session.query(statement.sql);
        } catch (error) {
          await session.query("ROLLBACK TO SAVEPOINT pgpartition");
          throw error;
        }
        await session.query("RELEASE SAVEPOINT pgpartition");
      },
      onWait: (blockers) => onWait(step, blockers),
    });
  }

  private async send(steps: Step[], ladder: LockLadder): Promise<void> {
    const parent = await withCopyFacts(this.context.session, steps, this.context.parent);
    const rendered = steps.map((step): RenderedStep => ({ step, statements: renderStep(step, parent) }));
    for (const segment of segmentsOf(rendered)) {
      if (segment.transactional) await this.transaction(segment, ladder);
      else for (const { step, statement } of segment.items) await this.detachConcurrently(step, statement, ladder);
      for (const step of completedBy(segment, rendered))
        this.outcomes.set(step.id, this.outcomes.get(step.id) ?? "done");
    }
    for (const { step, statements } of rendered) if (statements.length === 0) this.outcomes.set(step.id, "reached");
  }

  private async transaction(segment: Segment, ladder: LockLadder): Promise<void> {
    const { session, clock, onWait } = this.context;
    const first = segment.items[0]?.step;
    if (first === undefined) return;
    const locks = contestedLocks(segment);
    const finalizes = segment.items.some(({ step }) => step.method === "finalize");
    this.uninterruptible = segment.items.some(({ step }) => finalizes || takesGuardOff(step));
    const find = async () => {
      const blockers = await findBlockers(session, locks);
      return finalizes && blockers.length === 0 ? findSnapshots(session) : blockers;
    };
    faultPoint("beforeTransaction");
    try {
      if (this.uninterruptible) await this.cancelling;
      await climb({
        ladder,
        clock,
        signal: this.uninterruptible ? undefined : this.context.signal,
        look: lookout(session, clock, find),
        run: (stepMs) => this.tryOnce(segment, lockTimeout(stepMs, locks)),
        onWait: (blockers) => onWait(first, blockers),
      });
    } finally {
      this.uninterruptible = false;
    }
    faultPoint("afterTransaction");
  }

  private tryOnce(segment: Segment, timeoutMs: number): Promise<void> {
    const { session, parent } = this.context;
    return session.transaction(async () => {
      await session.query(`SET LOCAL lock_timeout = '${timeoutMs}ms'`);
      for (const table of tablesOf(segment, parent)) await checkParent(session, table);
      let current: Step | undefined;
      let skip = false;
      for (const { step, statement } of segment.items) {
        if (step !== current) {
          current = step;
          skip = statement.afterwards ? false : await this.begin(step);
        }
        if (skip || statement.proves) continue;
        faultPoint("betweenStatements");
        if (statement.patient) await this.patiently(step, statement);
        else await session.query(statement.sql);
        if (statement.recheck) await this.recheck(step);
        if (statement.prove) await this.prove(step);
        if (statement.confirm) await this.confirm(step);
      }
      faultPoint("beforeCommit");
    });
  }

  /** True when there is nothing to do. What is to be created is not looked for: PostgreSQL refuses to do it twice. */
  private async begin(step: Step): Promise<boolean> {
    this.context.onStart(step);
    if (step.kind === "create") return false;
    const verdict = await this.judge(step);
    if (verdict.kind !== "reached") {
      insist(step, verdict);
      return false;
    }
    this.outcomes.set(step.id, "reached");
    return true;
  }

  private async recheck(step: Step): Promise<void> {
    insist(step, await this.judge(step));
    if (step.requireEmpty) await insistEmpty(this.context.session, step);
  }

  private async confirm(step: Step): Promise<void> {
    if ((await this.judge(step)).kind === "reached") return;
    const name = qualified({ schema: step.schema, name: step.partition });
    throw new IdentityError(`${name} was exchanged for another table just now. Nothing was done; run again.`);
  }

  private judge(step: Step): Promise<Verdict> {
    return judge(this.context.session, step, this.context.parent.oid);
  }

  /**
   * An interrupted concurrent detach leaves the partition pending: its range is then neither there nor free. So none is
   * begun while somebody uses the parent who is likely to stay, and one that is interrupted is finished at once.
   */
  private async detachConcurrently(step: Step, statement: Statement, ladder: LockLadder): Promise<void> {
    const { session, clock, signal, onStart, onWait } = this.context;
    onStart(step);
    const find = async () => {
      const users = await findUsers(session, statement.waitsFor ?? []);
      return [...users, ...(await findBlockers(session, statement.locks))];
    };
    await climb({
      ladder,
      clock,
      signal,
      look: lookout(session, clock, find),
      run: () => this.tryConcurrently(step, statement, ladder),
      onWait: (blockers) => onWait(step, blockers),
    });
  }

  private async tryConcurrently(step: Step, statement: Statement, ladder: LockLadder): Promise<void> {
    const { session, parent } = this.context;
    const verdict = await this.judge(step);
    if (verdict.kind === "reached") {
      this.outcomes.set(step.id, "reached");
      return;
    }
    if (verdict.kind === "pending") return this.finalize(step, ladder);
    insist(step, verdict);
    for (const table of [parent, ...(step.under === undefined ? [] : [step.under])]) await checkParent(session, table);
    faultPoint("beforeTransaction");
    try {
      // The longest step at once: nobody waits behind it while it waits for users of the parent.
      await this.sendConcurrently(statement, lockTimeout(Math.max(...ladder.steps), statement.locks));
    } catch (error) {
      if (!hasSqlstate(error, ...INTERRUPTED)) throw error;
      const left = await this.judge(step);
      if (left.kind !== "reached" && left.kind !== "pending") throw error;
      if (left.kind === "pending") await this.finalize(step, ladder);
    }
    faultPoint("afterTransaction");
  }

  private async sendConcurrently(statement: Statement, timeoutMs: number): Promise<void> {
    const { session } = this.context;
    await session.query(`SET lock_timeout = '${timeoutMs}ms'`);
    this.uninterruptible = true;
    try {
      await this.cancelling;
      await session.query(statement.sql);
    } finally {
      this.uninterruptible = false;
      await session.query("SET lock_timeout = 0").catch(() => undefined);
    }
  }

  /** A pending detach is finished even when the run has been cancelled. */
  private async finalize(step: Step, ladder: LockLadder): Promise<void> {
    const changed: Step = { ...step, method: "finalize" };
    const [segment] = segmentsOf([{ step: changed, statements: renderAs(step, "finalize", this.context.parent) }]);
    if (segment !== undefined) await this.transaction(segment, ladder);
  }
}

/** Ways in which a statement ends that may have left a pending detach. */
const INTERRUPTED = [SQLSTATE.lockNotAvailable, SQLSTATE.deadlockDetected, SQLSTATE.queryCanceled];

/** The set's own table, and the partitions whose partitions the segment is about. */
function tablesOf({ items }: Segment, root: CatalogParent): (RelationName & { oid: number })[] {
  const tables = new Map<number, RelationName & { oid: number }>([[root.oid, root]]);
  for (const { step } of items) if (step.under !== undefined) tables.set(step.under.oid, step.under);
  return [...tables.values()];
}

/** Steps whose last statement is in the segment. */
function completedBy(segment: Segment, rendered: RenderedStep[]): Step[] {
  const included = new Set(segment.items.map(({ statement }) => statement));
  return rendered.flatMap(({ step, statements }) => {
    const last = statements.at(-1);
    return last !== undefined && included.has(last) ? [step] : [];
  });
}

/** Under the lock that the transaction holds, no row can arrive after this look. */
async function insistEmpty(session: Session, step: Step): Promise<void> {
  const table = qualified({ schema: step.schema, name: step.partition });
  // Row security must not hide rows from this; for a role that it applies to, the statement fails instead.
  await session.query("SET LOCAL row_security = off");
  const [row] = await session.query<{ occupied: boolean }>(`SELECT EXISTS (SELECT FROM ${table}) AS occupied`);
  if (row?.occupied) throw new IdentityError(`${table} holds rows. It was left as it is.`);
}

function insist(step: Step, verdict: Verdict): void {
  if (verdict.kind === "refused") throw new IdentityError(verdict.reason);
  if (verdict.kind === "pending") {
    throw new IdentityError(`A detach of ${step.schema}.${step.partition} is pending; run again to finish it.`);
  }
}
