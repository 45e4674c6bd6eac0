/** Transactions of a reorganization: under the lock ladder for short locks on tables, patiently for locks on rows. */
import type { RelationName } from "../../topology/model";
import type { Step } from "../../topology/steps";
import { findBlockers, findUsers } from "../blockers";
import type { Session } from "../connection";
import type { Blocker } from "../errors";
import { faultPoint } from "../faults";
import { qualified } from "../identifiers";
import { type Clock, climb, type LockLadder } from "../ladder";
import { strongest } from "../locks";
import { lookout } from "../lookout";
import type { CatalogParent } from "../parent";
import { lockTimeout } from "../segments";
import type { Statement } from "../statement";
import { checkParent } from "../verdicts";

/** How far a copy is. */
export interface CopyProgress {
  bytes: number;
  total: number;
  bytesPerSecond: number;
}

export interface ReorganizationContext {
  session: Session;
  parent: CatalogParent;
  clock: Clock;
  signal?: AbortSignal;
  ladder: LockLadder;
  step: Step;
  onWait(step: Step, blockers: Blocker[]): void;
  onProgress(step: Step, progress: CopyProgress): void;
}

/**
 * Longest wait for a row, in milliseconds: below deadlock_timeout (1 s), so that it is the copy that gives way and not the
 * application, which meanwhile waits for the rows that the batch has locked already.
 */
const ROW_LOCK_TIMEOUT_MS = 200;

export interface Wishes {
  /** Under the locks, after the statement that takes them. */
  recheck?(): Promise<void>;
  /** Called with what a statement has answered. */
  onRows?(statement: Statement, rows: Record<string, unknown>[]): void;
  /** Relations that nobody else can be using. */
  own?: RelationName[];
  /** Longest time of one statement, in milliseconds; default: none. */
  statementLimitMs?: number;
}

export class Transactions {
  constructor(readonly context: ReorganizationContext) {}

  /** All statements in one transaction; nobody waits behind its locks for longer than a step of the ladder. */
  async locked(statements: Statement[], wishes: Wishes = {}): Promise<void> {
    const { session, clock, ladder, signal, step, onWait } = this.context;
    if (statements.length === 0) return;
    const own = new Set((wishes.own ?? []).map(qualified));
    const locks = strongest(statements.flatMap((statement) => statement.locks)).filter(
      ({ relation }) => !own.has(relation),
    );
    faultPoint("beforeTransaction");
    await climb({
      ladder,
      clock,
      signal,
      look: lookout(session, clock, () => findBlockers(session, locks)),
      run: (stepMs) => this.once(statements, lockTimeout(stepMs, locks), wishes),
      onWait: (blockers) => onWait(step, blockers),
    });
    faultPoint("afterTransaction");
  }

  /** Statements with their parameters, whose waits are for rows of `writers`' tables: tried again until they go through. */
  async patient(
    statements: { statement: Statement; parameters?: unknown[] }[],
    writers: RelationName[],
  ): Promise<void> {
    const { session, clock, ladder, signal, step, onWait } = this.context;
    faultPoint("beforeTransaction");
    await climb({
      ladder,
      clock,
      signal,
      // Who writes to the table is in the way only if it is to the same rows: that shows by trying, and is told at the end.
      look: async (ms) => (ms > 0 ? [] : findUsers(session, writers.map(qualified))),
      run: () =>
        session.transaction(async () => {
          await session.query(`SET LOCAL lock_timeout = ${ROW_LOCK_TIMEOUT_MS}`);
          await session.query("SET LOCAL row_security = off");
          for (const { statement, parameters } of statements) {
            faultPoint("betweenStatements");
            await session.query(statement.sql, parameters);
          }
          faultPoint("beforeCommit");
        }),
      onWait: (blockers) => onWait(step, blockers),
    });
    faultPoint("afterTransaction");
  }

  private once(statements: Statement[], timeoutMs: number, wishes: Wishes): Promise<void> {
    const { session, parent } = this.context;
    return session.transaction(async () => {
      await session.query(`SET LOCAL lock_timeout = '${timeoutMs}ms'`);
      if (wishes.statementLimitMs) await session.query(`SET LOCAL statement_timeout = ${wishes.statementLimitMs}`);
      // Row security must not hide rows from a copy; for a role that it applies to, the statement fails instead.
      await session.query("SET LOCAL row_security = off");
      await checkParent(session, parent);
      for (const statement of statements) {
        faultPoint("betweenStatements");
        const rows = await session.query(statement.sql);
        wishes.onRows?.(statement, rows);
        if (statement.recheck) await wishes.recheck?.();
      }
      faultPoint("beforeCommit");
    });
  }
}
