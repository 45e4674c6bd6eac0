/** Why a step locks the parent in ACCESS EXCLUSIVE mode, and what would spare that: said wherever it does. Pure. */
import { qualified } from "../../postgres/identifiers";
import { losesForeignKeys } from "../../postgres/locks";
import { type ParentFacts, tableOfStep } from "../../postgres/parent";
import type { Statement } from "../../postgres/statement";
import type { Step, StepMethod } from "../../topology/steps";

type Reason = (facts: ParentFacts) => string;

const SELF_REFERENCE = "the table references itself; PostgreSQL has no other way to finish a detach";

const REASONS: Partial<Record<StepMethod, Reason>> = {
  partitionOf: () => "the parent has no partitions yet, so that nobody can be using it",
  detachPlain: whyPlain,
  detachAttach: () =>
    "both in one transaction keep every row in sight; instead, the partition can be declared detached, and attached with its new bound by the next update",
  moveInOneTransaction: () =>
    'the rows are few, and nobody sees the table without them; reorganize: "copy" copies them first, "refuse" leaves them where they are',
  copyAndSwap: () =>
    'for the exchange of the tables only, when all rows are copied; reorganize: "refuse" leaves them where they are',
  detachConcurrently: () => SELF_REFERENCE,
  finalize: () => SELF_REFERENCE,
};

function whyPlain(facts: ParentFacts): string {
  const { defaultPartition, itself = [] } = facts;
  if (defaultPartition !== undefined) {
    return `PostgreSQL refuses DETACH CONCURRENTLY beside a DEFAULT partition; it is used once ${qualified(defaultPartition)} is gone (defaultPartition: false)`;
  }
  if (itself.length > 0) {
    return "the table references itself, and DETACH CONCURRENTLY then takes the same lock; without that foreign key it does not";
  }
  if (losesForeignKeys(facts)) {
    return `PostgreSQL ${facts.major} drops the partition's foreign keys to partitioned tables; in one transaction with the detach they are put back`;
  }
  return "others write into this range until the next step, and an interrupted DETACH CONCURRENTLY would refuse their rows; declared without a successor for its range it is detached concurrently";
}

/** Undefined when no statement takes that lock. */
export function whyExclusive(step: Step, statements: Statement[], root: ParentFacts): string | undefined {
  const facts = tableOfStep(step, root);
  const parent = qualified(facts);
  const exclusive = statements.some(({ locks }) =>
    locks.some(({ relation, mode }) => relation === parent && mode === "ACCESS EXCLUSIVE"),
  );
  return exclusive ? REASONS[step.method]?.(facts) : undefined;
}
