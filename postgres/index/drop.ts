/** Drops an index of a partitioned table with all its parts: the recorded one, and no other. */

import type { IndexDeclaration, IndexStep } from "../../topology/index/model";
import { replacementName } from "../../topology/index/names";
import { drop, REPLACEMENT_COMMENT } from "../../topology/index/plan";
import { DEFAULT_ADVISORY_WAIT, INDEX_ADVISORY_CLASS, withParentLock } from "../advisory";
import { qualified } from "../identifiers";
import { systemClock } from "../ladder";
import type { IndexRun } from "./apply";
import { readTree } from "./read";
import { IndexWorker } from "./worker";

/**
 * The steps that take the index with this OID away, and a replacement of it that an interrupted run has left; none when
 * it is gone.
 */
export async function planIndexDrop(
  { session }: Pick<IndexRun, "session">,
  declared: IndexDeclaration,
  table: number,
  recorded: number,
): Promise<IndexStep[]> {
  const tree = await readTree(session, table);
  const going = tree.indexes.filter(
    ({ oid, table: on, name, comment }) =>
      oid === recorded || (on === table && name === replacementName(declared.name) && comment === REPLACEMENT_COMMENT),
  );
  return going.map((index) => drop(tree, index, "not declared any more"));
}

/**
 * Carries {@link planIndexDrop} out under the lock ladder.
 * @throws LockTimeoutError, or PostgreSQL's error when something depends on the index (2BP01).
 */
export function dropIndex(run: IndexRun, declared: IndexDeclaration, table: number, recorded: number): Promise<void> {
  const { sessions, session, ladder, signal, onEvent, clock = systemClock } = run;
  const label = `indexes of ${qualified({ schema: declared.schema, name: declared.table })}`;
  const work = async () => {
    for (const step of await planIndexDrop(run, declared, table, recorded)) {
      const worker = new IndexWorker({
        sessions,
        session,
        clock,
        signal,
        ladder,
        onWait: (blockers) => onEvent?.({ type: "waiting", step, blockers }),
        onProgress: () => undefined,
      });
      await worker.carryOut(step, declared);
    }
  };
  return withParentLock(
    session,
    { oid: table, label },
    DEFAULT_ADVISORY_WAIT,
    clock,
    signal,
    work,
    INDEX_ADVISORY_CLASS,
  );
}
