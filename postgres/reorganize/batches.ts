/** The batches of a copy: small enough that nobody waits long for a row, and committed one by one. */
import type { SourceTable } from "../../topology/model";
import { batchStatements } from "./copy";
import { leavesOf } from "./names";
import type { ReorganizationRendering } from "./rendering";
import type { CopyState } from "./state";
import type { Transactions } from "./transactions";

/** Time that a batch should take, in milliseconds: for so long it keeps its rows from being changed. */
const BATCH_MS = 50;

/** Blocks of the first batch, and of the largest. */
const BATCH_BLOCKS = { first: 32, most: 2048 };

const BLOCK_BYTES = 8192;

const PROGRESS_EVERY_MS = 1000;

export class BatchRun {
  private blocks = BATCH_BLOCKS.first;
  private reportedAt: number;
  private reportedBlocks = 0;
  private done = 0;

  constructor(
    private readonly rendering: ReorganizationRendering,
    private readonly transactions: Transactions,
  ) {
    this.reportedAt = transactions.context.clock.now();
  }

  /** Goes on where the last batch ended. */
  async all({ progress }: CopyState): Promise<void> {
    const { signal } = this.transactions.context;
    const total = [...progress.values()].reduce((sum, { stop }) => sum + stop, 0);
    this.done = [...progress.values()].reduce((sum, { next }) => sum + next, 0);
    this.reportedBlocks = this.done;
    for (const source of this.rendering.layout.sources.flatMap(leavesOf)) {
      const { next, stop } = progress.get(source.oid) ?? { next: 0, stop: 0 };
      for (let from = next; from < stop; ) {
        signal?.throwIfAborted();
        const to = Math.min(from + this.blocks, stop);
        await this.one(source, from, to);
        this.done += to - from;
        this.report(total);
        from = to;
      }
    }
  }

  private async one(source: SourceTable, from: number, to: number) {
    const { clock } = this.transactions.context;
    const [copy, note] = batchStatements(this.rendering, source);
    if (copy === undefined || note === undefined) return;
    const started = clock.now();
    await this.transactions.patient(
      [
        { statement: copy, parameters: [`(${from},0)`, `(${to},0)`] },
        { statement: note, parameters: [source.oid, to] },
      ],
      [source],
    );
    const factor = Math.min(2, BATCH_MS / Math.max(1, clock.now() - started));
    this.blocks = Math.min(BATCH_BLOCKS.most, Math.max(1, Math.round(this.blocks * factor)));
  }

  private report(total: number): void {
    const { clock, step, onProgress } = this.transactions.context;
    const elapsed = clock.now() - this.reportedAt;
    if (elapsed < PROGRESS_EVERY_MS) return;
    const bytesPerSecond = ((this.done - this.reportedBlocks) * BLOCK_BYTES * 1000) / elapsed;
    onProgress(step, { bytes: this.done * BLOCK_BYTES, total: total * BLOCK_BYTES, bytesPerSecond });
    this.reportedAt = clock.now();
    this.reportedBlocks = this.done;
  }
}
