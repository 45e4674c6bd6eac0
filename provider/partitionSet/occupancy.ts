/** Which partitions hold rows: exact, and cheap, because the first row answers. */
import type { Session } from "../../postgres/connection";
import { qualified } from "../../postgres/identifiers";
import type { RelationName } from "../../topology/model";

/** Partitions asked in one statement; each adds a relation to lock and plan. */
const BATCH = 50;

/** Calls `decide` with the qualified names of those tables that hold at least one row. */
export async function withOccupancy(
  session: Session,
  tables: RelationName[],
  decide: (occupied: string[]) => void,
): Promise<void> {
  const occupied: string[] = [];
  for (let start = 0; start < tables.length; start += BATCH) {
    const batch = tables.slice(start, start + BATCH);
    const checks = batch.map(
      (table, index) => `SELECT ${index} AS number WHERE EXISTS (SELECT FROM ${qualified(table)})`,
    );
    const rows = await session.transaction(async () => {
      // Row security must not hide rows from this; for a role that it applies to, the statement fails instead.
      await session.query("SET LOCAL row_security = off");
      return session.query<{ number: number }>(checks.join(" UNION ALL "));
    });
    occupied.push(...rows.flatMap(({ number }) => (batch[number] ? [qualified(batch[number])] : [])));
  }
  decide(occupied);
}
