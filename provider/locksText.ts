/** Locks in words. Pure. */
import { blocks, strongest } from "../postgres/locks";
import type { Lock, LockMode, Statement } from "../postgres/statement";

/** What a lock mode keeps others from doing while it is held. */
function blocked(mode: LockMode): string {
  const { reads, writes } = blocks(mode);
  if (reads) return "blocks reads and writes";
  return writes ? "blocks writes" : "blocks neither reads nor writes";
}

/** The strongest lock on each relation, as the transaction holds it at its end. */
export function lockLines(statements: Statement[]): string[] {
  const HOLDS: Record<Lock["hold"], string> = {
    instant: "short",
    scan: "for a scan",
    build: "for an index build",
    rewrite: "while the table is rewritten",
  };
  return strongest(statements.flatMap(({ locks }) => locks)).map(
    ({ relation, mode, hold }) => `${mode} on ${relation}, ${HOLDS[hold]}: ${blocked(mode)}`,
  );
}
