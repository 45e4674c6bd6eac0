/** A table's statements under the lock ladder of the provider's configuration. */
import { findBlockers, staying } from "../../postgres/blockers";
import type { Session } from "../../postgres/connection";
import { describeBlockers } from "../../postgres/errors";
import { climb, systemClock } from "../../postgres/ladder";
import { strongest } from "../../postgres/locks";
import { lockTimeout } from "../../postgres/segments";
import type { UnderLocks } from "../../postgres/table/apply";
import type { Queryable } from "../../postgres/table/client";
import type { Context } from "../handler";

export function queryable(session: Session): Queryable {
  return {
    query: async <R>(sql: string, values?: unknown[]) => ({
      rows: (await session.query(sql, values)) as R[],
    }),
  };
}

export function underLadder(context: Context, session: Session): UnderLocks {
  return (locks, transaction) =>
    climb({
      ladder: context.database.ladder,
      clock: systemClock,
      signal: context.signal,
      look: async (ms) => staying(await findBlockers(session, locks), ms),
      run: async (stepMs) => {
        const set = (timeout: string) =>
          session.query("SELECT pg_catalog.set_config('lock_timeout', $1, false)", [timeout]);
        await set(`${lockTimeout(stepMs, strongest(locks))}ms`);
        try {
          return await transaction();
        } finally {
          await set("0");
        }
      },
      onWait: (blockers) => void context.log.status(`waiting for a lock: ${describeBlockers(blockers)}`),
    });
}
