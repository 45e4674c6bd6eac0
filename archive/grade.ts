/** How good an archive is, in one word. Pure. */
import { ProofError, type ProofFailure } from "./proofError";
import { StoreError, type StoreFailure } from "./store";

/** From the best to the worst; each with the exit status that schedulers see, and what it means. */
export const GRADES = {
  OK: { status: 0, means: "every object is there as it was written" },
  DELAYED: { status: 3, means: "an object must be restored from its storage class before it can be read" },
  STALE: { status: 4, means: "the table is there and holds other rows; the next update exports it again" },
  UNKNOWN: { status: 1, means: "the store or the database did not let it be looked at" },
  MISSING: { status: 5, means: "an object, or the manifest, is not there" },
  CORRUPT: { status: 6, means: "an object is not what was written" },
} as const;

export type Grade = keyof typeof GRADES;

const ORDER = Object.keys(GRADES) as Grade[];

/** Something that was found, and what it makes of the archive. */
export interface Finding {
  grade: Exclude<Grade, "OK">;
  reason: string;
}

const OF_PROOFS: Record<ProofFailure, Finding["grade"]> = {
  missing: "MISSING",
  replaced: "CORRUPT",
  corrupt: "CORRUPT",
  foreign: "CORRUPT",
  stale: "STALE",
};

/** What says nothing of an object says nothing of the archive. */
const OF_STORES: Partial<Record<StoreFailure, Finding["grade"]>> = {
  missing: "MISSING",
  corrupt: "CORRUPT",
  frozen: "DELAYED",
};

/** What an error that came of reading an archive says of it. `explain` puts it into one line. */
export function findingOf(error: unknown, explain: (error: unknown) => string): Finding {
  const reason = explain(error);
  if (error instanceof ProofError) return { grade: OF_PROOFS[error.failure], reason };
  if (error instanceof StoreError) return { grade: OF_STORES[error.failure] ?? "UNKNOWN", reason };
  return { grade: "UNKNOWN", reason };
}

/** Nothing found: OK. */
export function worst(grades: readonly Grade[]): Grade {
  return ORDER.findLast((grade) => grades.includes(grade)) ?? "OK";
}
