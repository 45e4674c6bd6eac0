/** Why an archive does not prove that a table's rows are safe. */
import { ArchiveError } from "../postgres/errors";

/** What is wrong, and what to do about it. */
export const PROOF_FAILURES = {
  missing: "an object is not there; the next update writes it again while the table exists",
  replaced: "another version of an object has taken its place, or it was deleted",
  corrupt: "an object is not what was written",
  stale: "the table has changed since it was exported; the next update exports it again",
  foreign: "it is the archive of another table",
} as const;

export type ProofFailure = keyof typeof PROOF_FAILURES;

/** The rows are not proven to be in the archive: nothing may be deleted. */
export class ProofError extends ArchiveError {
  override name = "ProofError";

  constructor(
    readonly failure: ProofFailure,
    message: string,
    /** The object that it is about. */
    readonly key?: string,
  ) {
    super(`${message} (${PROOF_FAILURES[failure]})`);
  }
}
