/** Which transactions came to an end, and to which. */
import type { Session } from "../connection";

const CURRENT = "SELECT pg_catalog.pg_current_xact_id()::text AS transaction, pg_catalog.now()::text AS now";

/** The transaction of this session, by the number that no other one ever has (`xid8`), and now() for people. */
export async function currentTransaction(session: Session): Promise<{ transaction: string; now: string }> {
  const [row] = await session.query<{ transaction: string; now: string }>(CURRENT);
  if (row === undefined) throw new Error("The server did not say which transaction this is.");
  return row;
}

/**
 * Of numbers that this server has not given out yet pg_xact_status() knows nothing but an error (22023): they are of another
 * timeline. Of those whose status it has forgotten it says nothing; they ended long ago, and what they did is seen.
 */
const COMMITTED = `SELECT pg_catalog.pg_current_snapshot()::text AS snapshot, ARRAY(
  SELECT given.transaction::text FROM pg_catalog.unnest($1::xid8[]) AS given(transaction)
  WHERE ($2::pg_snapshot IS NULL OR NOT pg_catalog.pg_visible_in_snapshot(given.transaction, $2))
    AND CASE WHEN given.transaction < pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())
      THEN coalesce(pg_catalog.pg_xact_status(given.transaction), 'committed') = 'committed' ELSE false END
) AS committed`;

export interface Committed {
  /** pg_current_snapshot(): transactions that are visible in it are over. */
  snapshot: string;
  committed: Set<string>;
}

/** Those of the transactions that were committed, and are not visible in the snapshot `since`. */
export async function committedSince(
  session: Session,
  transactions: readonly string[],
  since?: string,
): Promise<Committed> {
  const [row] = await session.query<{ snapshot: string; committed: string[] }>(COMMITTED, [
    transactions,
    since ?? null,
  ]);
  if (row === undefined) throw new Error("The server did not say which transactions it has committed.");
  return { snapshot: row.snapshot, committed: new Set(row.committed) };
}
