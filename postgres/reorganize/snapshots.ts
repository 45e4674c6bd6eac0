/** Waits until every snapshot that is older than the copy has gone: its owner would not see the copied rows. */
import { findSnapshots } from "../blockers";
import type { Session } from "../connection";
import { type Blocker, LockTimeoutError } from "../errors";
import type { Clock, LockLadder } from "../ladder";

export interface SnapshotWait {
  session: Session;
  clock: Clock;
  ladder: LockLadder;
  signal?: AbortSignal;
  onWait(blockers: Blocker[]): void;
}

/** @throws LockTimeoutError that names those who are left when the budget is used up. */
export async function waitForOlderSnapshots({ session, clock, ladder, signal, onWait }: SnapshotWait): Promise<void> {
  const started = clock.now();
  let older: Set<string | undefined> | undefined;
  for (let pause = ladder.look.first; ; pause = Math.min(pause * 1.5, ladder.look.most)) {
    signal?.throwIfAborted();
    const found = await findSnapshots(session);
    const left = found.filter(({ transaction }) => older === undefined || older.has(transaction));
    if (left.length === 0) return;
    older = new Set(left.map(({ transaction }) => transaction));
    if (clock.now() - started >= ladder.budget) throw new LockTimeoutError(left, clock.now() - started, 0);
    onWait(left);
    await clock.sleep(pause, signal);
  }
}
