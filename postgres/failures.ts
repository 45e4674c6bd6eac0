/** What an error of a step means for the run. */
import { DatabaseError } from "pg";
import { ArchiveError, IdentityError, LockTimeoutError, ReorganizationError, SQLSTATE } from "./errors";

/** Whoever was faster may have left exactly what was wanted. */
export const ALREADY_THERE = [
  SQLSTATE.duplicateTable,
  SQLSTATE.duplicateObject,
  SQLSTATE.invalidObjectDefinition,
  SQLSTATE.wrongObjectType,
  SQLSTATE.undefinedTable,
  SQLSTATE.undefinedObject,
  SQLSTATE.objectNotInPrerequisiteState,
];

/** Class 08, 57P0x and the limits on transactions (25P03, 25P04), or an error that is neither PostgreSQL's nor ours: the socket's. */
export function isSessionLost(error: unknown): boolean {
  if (error instanceof DatabaseError) return /^(08|57P0|25P0[34])/.test(error.code ?? "");
  return (
    ![LockTimeoutError, IdentityError, ReorganizationError, ArchiveError, RangeError].some(
      (ours) => error instanceof ours,
    ) && !isAbort(error)
  );
}

export function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === "AbortError";
}
