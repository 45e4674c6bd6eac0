/** A table's statements under the lock ladder of the provider's configuration. */
import { findBlockers } from "../../postgres/blockers";
import type { Session } from "../../postgres/connection";
import { describeBlockers } from "../../postgres/errors";
import { climb, systemClock } from "../../postgres/ladder";
import { blocks, strongest } from "../../postgres/locks";
import { lookout } from "../../postgres/lookout";
import { lockTimeout } from "../../postgres/segments";
import type { Lock } from "../../postgres/statement";
import type { UnderLocks } from "../../postgres/table/apply";
import type { Context } from "../handler";

/**
 * Who waits for a lock that neither readers nor writers mind keeps nobody waiting: it may queue, and then PostgreSQL ends
 * an autovacuum that is in the way.
 */
function isHarmless(locks: Lock[]): boolean {
  return locks.every(({ mode }) => !blocks(mode).reads && !blocks(mode).writes);
}

export function underLadder(context: Context, session: Session): UnderLocks {
  const { ladder } = context.database;
  return (wanted, transaction) => {
    const locks = strongest(wanted);
    const harmless = isHarmless(locks);
    const look = lookout(session, systemClock, () => findBlockers(session, locks));
    return climb({
      ladder: harmless ? { ...ladder, steps: [ladder.budget] } : ladder,
      clock: systemClock,
      signal: context.signal,
      look: async (ms) => (harmless && ms > 0 ? [] : look(ms)),
      run: async (stepMs) => {
        const set = (timeout: string) =>
          session.query("SELECT pg_catalog.set_config('lock_timeout', $1, false)", [timeout]);
        await set(`${harmless ? stepMs : lockTimeout(stepMs, locks)}ms`);
        try {
          return await transaction();
        } finally {
          await set("0");
        }
      },
      onWait: (blockers) => void context.log.status(`waiting for a lock: ${describeBlockers(blockers)}`),
    });
  };
}
