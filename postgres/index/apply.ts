/** Carries out the plan of an index: one build at a time on a table, every partition that can be done is done. */
import type { IndexDeclaration, IndexFinding, IndexStep, IndexTree, TreeIndex } from "../../topology/index/model";
import { planIndex } from "../../topology/index/plan";
import { DEFAULT_ADVISORY_WAIT, INDEX_ADVISORY_CLASS, withParentLock } from "../advisory";
import type { Session, Sessions } from "../connection";
import { type Blocker, explainError, LockTimeoutError } from "../errors";
import { qualified } from "../identifiers";
import { type Clock, type LockLadder, systemClock } from "../ladder";
import type { BuildProgress } from "./progress";
import { readIndexTree } from "./read";
import { IndexWorker, type StepOutcome } from "./worker";

/** What happens while an index is built, for people who watch. */
export type IndexEvent =
  | { type: "started" | "finished"; step: IndexStep; position: number; total: number }
  | { type: "waiting"; step: IndexStep; blockers: Blocker[] }
  | { type: "progress"; step: IndexStep; progress: BuildProgress };

export interface IndexRun {
  sessions: Sessions;
  session: Session;
  ladder: LockLadder;
  clock?: Clock;
  /** Stops between steps; a running build is stopped by the server's own cancellation of it. */
  signal?: AbortSignal;
  onEvent?(event: IndexEvent): void;
}

export interface IndexReport {
  /** Ids of the steps that were done. */
  done: string[];
  failed: { step: string; reason: string }[];
  /** What the last plan still refuses. */
  findings: IndexFinding[];
  /** What the last plan would still do: nothing, when everything went well. */
  left: IndexStep[];
  /** What the declaration comes to on this table. */
  wanted?: IndexTree["wanted"];
  /** The index as it is now; undefined when it could not be begun. */
  index?: TreeIndex;
}

/** Longest wait for a lock, in milliseconds, once an earlier step has used up the whole budget. */
const NEXT_BUDGET_MS = 5_000;

/**
 * Builds, completes, repairs, renames or replaces the declared index on the table with this OID, whatever is missing. It
 * looks again until there is nothing left to do, because partitions may come and go during a build of hours.
 * @throws ParentBusyError when another build on the table does not end; later failures are in the report.
 */
export function applyIndex(
  run: IndexRun,
  declared: IndexDeclaration,
  table: number,
  recorded?: number,
): Promise<IndexReport> {
  const { session, signal, clock = systemClock } = run;
  const label = `indexes of ${qualified({ schema: declared.schema, name: declared.table })}`;
  return withParentLock(
    session,
    { oid: table, label },
    DEFAULT_ADVISORY_WAIT,
    clock,
    signal,
    () => new Application(run, declared, table, recorded).all(),
    INDEX_ADVISORY_CLASS,
  );
}

class Application {
  private readonly report: IndexReport = { done: [], failed: [], findings: [], left: [] };
  /** Steps that were tried; none is tried twice in a run. */
  private readonly tried = new Set<string>();
  private ladder: LockLadder;

  constructor(
    private readonly run: IndexRun,
    private readonly declared: IndexDeclaration,
    private readonly table: number,
    private recorded: number | undefined,
  ) {
    this.ladder = run.ladder;
  }

  async all(): Promise<IndexReport> {
    // A killed client is noticed during a build, which else would go on for hours and keep its lock.
    await this.run.session.query("SET client_connection_check_interval = '5s'");
    for (;;) {
      const tree = await readIndexTree(this.run.session, this.declared, this.table);
      const plan = planIndex(this.declared, tree, this.recorded);
      this.report.findings = plan.findings;
      this.report.index = plan.found;
      this.report.left = plan.steps;
      this.report.wanted = tree.wanted;
      const steps = plan.steps.filter(({ id }) => !this.tried.has(id));
      if (!(await this.steps(steps, plan.steps))) return this.report;
      // After a swap the index has another OID; it is found by its name.
      this.recorded = steps.some(({ kind }) => kind === "swap") ? undefined : this.recorded;
    }
  }

  /** False when nothing was found to be changed, so that another look would show the same. */
  private async steps(steps: IndexStep[], planned: IndexStep[]): Promise<boolean> {
    const missing = new Set(planned.map(({ id }) => id));
    let changed = false;
    for (const [place, step] of steps.entries()) {
      this.run.signal?.throwIfAborted();
      if (step.after.some((id) => missing.has(id))) continue;
      const total = steps.length;
      this.run.onEvent?.({ type: "started", step, position: place + 1, total });
      const outcome = await this.attempt(step);
      changed ||= outcome !== "failed";
      if (outcome !== "done") continue;
      missing.delete(step.id);
      this.report.done.push(step.id);
      this.run.onEvent?.({ type: "finished", step, position: place + 1, total });
    }
    return changed;
  }

  private async attempt(step: IndexStep): Promise<StepOutcome | "failed"> {
    this.tried.add(step.id);
    const { sessions, session, clock = systemClock, signal, onEvent } = this.run;
    const worker = new IndexWorker({
      sessions,
      session,
      clock,
      signal,
      ladder: this.ladder,
      onWait: (blockers) => onEvent?.({ type: "waiting", step, blockers }),
      onProgress: (progress) => onEvent?.({ type: "progress", step, progress }),
    });
    try {
      return await worker.carryOut(step, this.declared);
    } catch (error) {
      if (signal?.aborted || !(await this.isAlive())) throw error;
      if (error instanceof LockTimeoutError) {
        this.ladder = { ...this.ladder, budget: Math.min(NEXT_BUDGET_MS, this.ladder.budget) };
      }
      this.report.failed.push({ step: step.id, reason: explainError(error) });
      return "failed";
    }
  }

  private async isAlive(): Promise<boolean> {
    try {
      await this.run.session.query("SELECT 1");
      return true;
    } catch {
      return false;
    }
  }
}
