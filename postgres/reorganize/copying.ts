/** Many rows: copied while the application goes on, then exchanged. Every part can be the first one of a run. */
import { DatabaseError } from "pg";
import { type Blocker, IdentityError, LockTimeoutError, ReorganizationError } from "../errors";
import { quoteIdent } from "../identifiers";
import { BatchRun } from "./batches";
import { captureStatements, dropCapture } from "./capture";
import { dropSourceStatements, dropStagingStatements, dropTargetKeys, renameParts } from "./cleanup";
import { compareStatement, repairStatements, restartStatements } from "./copy";
import { copiesOf, leavesOf, madeOf } from "./names";
import { dropGuard, guardStatements, prepareStatements } from "./prepare";
import { attachScans, bystandingDefault, type ReorganizationRendering } from "./rendering";
import { waitForOlderSnapshots } from "./snapshots";
import {
  type CopyState,
  exists,
  foreignKeyId,
  insistOnLoose,
  insistOnSources,
  readCaptured,
  readNotes,
  readState,
} from "./state";
import { foreignKeyStatements, swapStatements } from "./swap";
import type { Transactions } from "./transactions";

/** Longest time of one statement of the exchange where nothing has to be looked through, in milliseconds. */
const SWAP_LIMIT_MS = 2_000;

/** How often rows that only left a note may turn up again between the comparison and the exchange. */
const SETTLE_TRIES = 10;

/** A row has only left a note since the comparison. */
class NotSettled extends Error {}

export class CopyRun {
  constructor(
    private readonly rendering: ReorganizationRendering,
    private readonly transactions: Transactions,
  ) {}

  /** @param state what an earlier run has left. */
  async run(state: CopyState | undefined): Promise<void> {
    if (state?.phase !== "swapped") await this.copyAndSwap(state);
    await this.cleanUp();
  }

  /** Takes everything away that is not the application's; its rows are where they were all the time. */
  async abandon(): Promise<void> {
    const { rendering, transactions } = this;
    const { session } = transactions.context;
    const { layout } = rendering;
    for (const leaf of layout.sources.flatMap(leavesOf)) {
      if (await exists(session, leaf.oid)) await transactions.locked(dropCapture(rendering, leaf));
    }
    const bystander = bystandingDefault(rendering);
    if (bystander !== undefined) await transactions.locked([dropGuard(rendering, bystander)]);
    for (const target of layout.targets) {
      for (const statement of dropTargetKeys(rendering, target)) await transactions.locked([statement]);
    }
    await transactions.locked(dropStagingStatements(rendering, copiesOf(layout)), {
      recheck: () => this.insistOnPhase("copying"),
    });
  }

  private async copyAndSwap(found: CopyState | undefined): Promise<void> {
    const { session, parent } = this.transactions.context;
    const { layout, copying } = this.rendering;
    if (found === undefined) {
      await insistOnSources(session, parent.oid, layout);
      if (copying.key.length === 0) throw new ReorganizationError(noKeyText(parent));
    }
    try {
      await this.prepare(found);
      await this.exchangeWhenSettled();
    } catch (error) {
      if (!isFinal(error) || this.transactions.context.signal?.aborted) throw error;
      // Where the first transaction failed there is nothing to be taken away.
      if ((await readState(session, parent.oid, layout)) !== undefined) await this.abandon();
      throw error;
    }
  }

  private async prepare(found: CopyState | undefined): Promise<void> {
    const { rendering, transactions } = this;
    const { layout } = rendering;
    const usable = found !== undefined && [...found.progress.keys()].every((oid) => found.captured.has(oid));
    if (found !== undefined && !usable) await this.abandon();
    const state = usable ? found : undefined;
    if (state === undefined) await transactions.locked(prepareStatements(rendering), { own: this.own() });
    for (const statement of guardStatements(rendering)) await transactions.locked([statement]);
    for (const leaf of layout.sources.flatMap(leavesOf)) {
      if (!state?.progress.has(leaf.oid)) await transactions.locked(captureStatements(rendering, leaf));
    }
    await this.copyAll();
  }

  private async copyAll(): Promise<void> {
    await new BatchRun(this.rendering, this.transactions).all(await this.state());
  }

  /** Until rows and copies are equal, whoever looks: then they change places. */
  private async exchangeWhenSettled(): Promise<void> {
    for (let tries = 1; ; tries++) {
      await this.settle();
      await this.addForeignKeys();
      try {
        await this.compare();
        await this.swap();
        return;
      } catch (error) {
        if (!(error instanceof NotSettled)) throw error;
        if (tries >= SETTLE_TRIES) throw new LockTimeoutError([], 0, tries);
      }
    }
  }

  /**
   * No row has only left a note, and nobody has a snapshot from before the last batch. A transaction that begins now sees
   * every copy, so that its changes leave no notes any more.
   */
  private async settle(): Promise<void> {
    const { session, clock, ladder, signal, step, onWait } = this.transactions.context;
    do {
      await this.copyNoted();
      await waitForOlderSnapshots({
        session,
        clock,
        ladder,
        signal,
        onWait: (blockers: Blocker[]) => onWait(step, blockers),
      });
    } while ((await this.notes()) !== "none");
  }

  private async copyNoted(): Promise<void> {
    const { rendering, transactions } = this;
    const { sources } = rendering.layout;
    const notes = await this.notes();
    if (notes === "none") return;
    if (notes === "some") {
      const statements = repairStatements(rendering).map((statement) => ({ statement }));
      return transactions.patient(statements, sources.flatMap(leavesOf));
    }
    await transactions.locked(restartStatements(rendering));
    await this.copyAll();
  }

  private notes(): ReturnType<typeof readNotes> {
    const { layout, copying } = this.rendering;
    return readNotes(this.transactions.context.session, layout, quoteIdent(copying.key[0]?.column ?? ""));
  }

  private async addForeignKeys(): Promise<void> {
    const { rendering, transactions } = this;
    const { foreignKeys } = await this.state();
    for (const target of rendering.layout.targets) {
      for (const { table, name, add, validate } of foreignKeyStatements(rendering, target)) {
        const valid = foreignKeys.get(foreignKeyId(table, name));
        if (valid === undefined) await transactions.locked([add]);
        if (valid !== true && validate !== undefined) await transactions.locked([validate]);
      }
    }
  }

  /** In one snapshot, which the notes are looked up in as well. */
  private async compare(): Promise<void> {
    const { session } = this.transactions.context;
    const { sql } = compareStatement(this.rendering);
    await session.transaction(async () => {
      await session.query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY");
      await session.query("SET LOCAL row_security = off");
      const rows = await session.query(sql);
      if ((await this.notes()) !== "none") throw new NotSettled();
      const side = (wanted: string) => {
        const { rows: count, first, second } = rows.find((row) => row.side === wanted) ?? {};
        return JSON.stringify([count, first, second]);
      };
      if (side("sources") !== side("copy")) throw new ReorganizationError(this.differentText());
    });
  }

  private async swap(): Promise<void> {
    const { rendering, transactions } = this;
    await transactions.locked(swapStatements(rendering), {
      own: this.own(),
      statementLimitMs: attachScans(rendering) ? undefined : SWAP_LIMIT_MS,
      recheck: () => this.insistOnEquality(),
    });
  }

  /** Under the lock nobody can change a source any more: were all changes captured, and none only noted? */
  private async insistOnEquality(): Promise<void> {
    const { session, parent } = this.transactions.context;
    const { layout } = this.rendering;
    await this.insistOnPhase("copying");
    await insistOnSources(session, parent.oid, layout);
    const captured = await readCaptured(session, parent.oid, layout);
    if (captured.size < layout.sources.flatMap(leavesOf).length) throw new ReorganizationError(this.differentText());
    if ((await this.notes()) !== "none") throw new NotSettled();
  }

  private async insistOnPhase(phase: CopyState["phase"]): Promise<void> {
    if ((await this.state()).phase === phase) return;
    throw new IdentityError(`${this.transactions.context.step.id}: somebody else has gone on with it; run again.`);
  }

  private async state(): Promise<CopyState> {
    const { session, parent, step } = this.transactions.context;
    const state = await readState(session, parent.oid, this.rendering.layout);
    if (state === undefined) throw new IdentityError(`${step.id}: somebody has removed the copy; run again.`);
    return state;
  }

  /** By OID: a table of the same name that is not the source stays. */
  private async cleanUp(): Promise<void> {
    const { rendering, transactions } = this;
    const { session } = transactions.context;
    for (const source of rendering.layout.sources) {
      if (!(await exists(session, source.oid))) continue;
      const recheck = () => insistOnLoose(session, rendering.layout, source);
      await recheck();
      const statements = dropSourceStatements(rendering, source);
      for (const statement of statements.filter(({ alone }) => alone)) await transactions.locked([statement]);
      await transactions.locked(
        statements.filter(({ alone }) => !alone),
        { recheck },
      );
    }
    for (const statement of rendering.layout.targets.flatMap(renameParts)) await transactions.locked([statement]);
    await transactions.locked(dropStagingStatements(rendering, []), { recheck: () => this.insistOnPhase("swapped") });
  }

  private own() {
    const { staging, missed, progress, targets } = this.rendering.layout;
    const made = targets.flatMap(madeOf);
    return [staging, missed, progress, ...made.flatMap(({ relation, final }) => [relation, final])];
  }

  private differentText(): string {
    return (
      `${this.transactions.context.step.id}: the copy differs from the partitions it was made of: a capture trigger was` +
      " disabled or the copy was written to by somebody else, or a generated column has another expression in a partition." +
      " Nothing was exchanged, the copy is given up; run again for a new one."
    );
  }
}

function noKeyText(parent: { schema: string; name: string }): string {
  return (
    `${parent.schema}.${parent.name} has no primary key (or unique key of columns that are NOT NULL), so that a row and its` +
    " copy could not be told to be the same. Add such a key; it has to contain the partition key."
  );
}

/** What a later run would meet again; its capture must not stay in the application's way. */
function isFinal(error: unknown): boolean {
  if (error instanceof ReorganizationError) return true;
  return error instanceof DatabaseError && !TRANSIENT.test(error.code ?? "");
}

/** Lost connections, deadlocks and serialization failures, time-outs of locks, cancellations and shutdowns. */
const TRANSIENT = /^(08|40|55P03|57)/;
