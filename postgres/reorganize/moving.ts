/** Few rows, in one transaction. */
import { ReorganizationError } from "../errors";
import { moveStatements } from "./move";
import type { ReorganizationRendering } from "./rendering";
import { insistOnSources } from "./state";
import type { Transactions } from "./transactions";

/** Longest time of one statement while the parent is locked, in milliseconds; what takes longer is copied instead. */
const MOVE_LIMIT_MS = 2_000;

/** @throws DatabaseError 57014 when a statement took too long; then nothing was done. */
export async function moveAtOnce(rendering: ReorganizationRendering, transactions: Transactions): Promise<void> {
  const { session, parent, step } = transactions.context;
  const { proof, statements, before, after } = moveStatements(rendering);
  for (const statement of proof) await transactions.locked([statement]);
  const answers = new Map<unknown, string>();
  await transactions.locked(statements, {
    statementLimitMs: MOVE_LIMIT_MS,
    recheck: () => insistOnSources(session, parent.oid, rendering.layout),
    onRows: (statement, rows) => {
      if (statement !== before && statement !== after) return;
      answers.set(statement, JSON.stringify(rows.map(({ rows: count, first, second }) => [count, first, second])));
      if (statement === after && answers.get(before) !== answers.get(after)) throw different(step.id);
    },
  });
}

function different(step: string): ReorganizationError {
  return new ReorganizationError(
    `${step}: the new partitions would not hold the same rows as the old ones (an expression of a generated column may ` +
      "differ, or a row may fit no new partition). Nothing was changed.",
  );
}
