/** Errors of PostgreSQL and of the way to it, in words that hold no secret. */
import { DatabaseError } from "pg";
import type { LockMode } from "./statement";

/** SQLSTATEs that decisions are made by (documentation, appendix A). */
export const SQLSTATE = {
  lockNotAvailable: "55P03",
  deadlockDetected: "40P01",
  queryCanceled: "57014",
  adminShutdown: "57P01",
  insufficientPrivilege: "42501",
  duplicateTable: "42P07",
  duplicateObject: "42710",
  invalidObjectDefinition: "42P17",
  wrongObjectType: "42809",
  undefinedTable: "42P01",
  undefinedObject: "42704",
  invalidSchemaName: "3F000",
  serializationFailure: "40001",
  objectNotInPrerequisiteState: "55000",
  checkViolation: "23514",
  uniqueViolation: "23505",
  notNullViolation: "23502",
  undefinedColumn: "42703",
  undefinedFunction: "42883",
  foreignKeyViolation: "23503",
  datatypeMismatch: "42804",
  cannotCoerce: "42846",
  readOnlyTransaction: "25006",
  programLimitExceeded: "54000",
  outOfMemory: "53200",
  internalError: "XX000",
} as const;

/** What is known of an error. */
export interface ErrorDescription {
  sqlstate?: string;
  /** One line. */
  message: string;
  detail?: string;
  hint?: string;
  /** The relation that PostgreSQL names, schema-qualified. */
  relation?: string;
}

/** No session could be opened. The message is one line: where, as whom, and why. */
export class ConnectionError extends Error {
  constructor(
    message: string,
    /** SQLSTATE, or the name of the system error (`ECONNREFUSED`). */
    readonly code: string | undefined,
  ) {
    super(message);
    this.name = "ConnectionError";
  }
}

/** A session, or a prepared transaction, that stands in the way. */
export interface Blocker {
  pid?: number;
  /** Name of the prepared transaction, when it is one. */
  gid?: string;
  user?: string;
  application?: string;
  /** Address of the client, `local` for a Unix socket; undefined when this role may not see it. */
  client?: string;
  state?: string;
  /** Age of its transaction; undefined when this role may not see it. */
  ageMs?: number;
  /** Tells its transaction from the next one of the same session. */
  transaction?: string;
  /** First 200 characters. */
  query?: string;
  relation?: string;
  mode?: LockMode;
  /** False: it waits for the lock itself. */
  granted: boolean;
}

/** The lock ladder came to its end; nothing of the transaction was done. */
export class LockTimeoutError extends Error {
  constructor(
    readonly blockers: Blocker[],
    readonly waitedMs: number,
    readonly tries: number,
  ) {
    const tried = tries === 0 ? "no try was made" : `${tries} ${tries === 1 ? "try" : "tries"}`;
    super(`No lock within ${Math.round(waitedMs / 1000)} s (${tried}). ${describeBlockers(blockers)}`);
    this.name = "LockTimeoutError";
  }
}

/** A relation is not the one that the plan was made for. */
export class IdentityError extends Error {
  override name = "IdentityError";
}

/** The archive did not do, or does not hold, what a step needs; the database is as it was. */
export class ArchiveError extends Error {}

/** Rows could not be moved; everything is as it was before. */
export class ReorganizationError extends Error {
  override name = "ReorganizationError";
}

/** Sentences that name each blocker, and what to do about it. */
export function describeBlockers(blockers: Blocker[]): string {
  if (blockers.length === 0) return "Whoever was in the way left before it could be seen; run again.";
  return blockers.map(describeBlocker).join(" ");
}

function describeBlocker(blocker: Blocker): string {
  const { ageMs } = blocker;
  const age = ageMs === undefined ? "of unknown age" : `${(ageMs / 1000).toFixed(1)} s old`;
  const lock = blocker.mode ? ` ${blocker.granted ? "holds" : "waits for"} ${blocker.mode} on ${blocker.relation}` : "";
  if (blocker.gid !== undefined) {
    return `Prepared transaction "${blocker.gid}" of ${blocker.user ?? "?"} (${age})${lock || " is open"}; COMMIT PREPARED or ROLLBACK PREPARED it.`;
  }
  const who = [
    `user ${blocker.user ?? "?"}`,
    blocker.application && `application ${blocker.application}`,
    blocker.client && `client ${blocker.client}`,
    blocker.state,
    `transaction ${age}${ageMs === undefined ? " (only a member of pg_read_all_stats sees it)" : ""}`,
  ];
  const query = blocker.query ? `; query: ${blocker.query}` : "";
  return `Session ${blocker.pid} (${who.filter(Boolean).join(", ")})${lock || " has an older snapshot"}${query}.`;
}

/** The SQLSTATE of an error of the server, or the code of a system error. */
export function errorCode(error: unknown): string | undefined {
  if (error instanceof ConnectionError) return error.code;
  if (typeof error === "object" && error !== null && "code" in error && typeof error.code === "string") {
    return error.code;
  }
  return error instanceof AggregateError ? error.errors.map(errorCode).find((code) => code !== undefined) : undefined;
}

export function hasSqlstate(error: unknown, ...states: string[]): boolean {
  return error instanceof DatabaseError && error.code !== undefined && states.includes(error.code);
}

/** The first two characters of an SQLSTATE; undefined: it is no error of the server. */
export function sqlstateClass(error: unknown): string | undefined {
  return error instanceof DatabaseError ? error.code?.slice(0, 2) : undefined;
}

/** Takes from an error what may be shown; never the connection string, a password or a stack. */
export function describeError(error: unknown): ErrorDescription {
  if (error instanceof DatabaseError) {
    return {
      sqlstate: error.code,
      message: oneLine(error.message),
      detail: error.detail,
      hint: error.hint,
      relation: error.table && (error.schema ? `${error.schema}.${error.table}` : error.table),
    };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { sqlstate: errorCode(error), message: oneLine(message || errorCode(error) || "unknown error") };
}

/** An error in one line: message, detail, hint and SQLSTATE. */
export function explainError(error: unknown): string {
  const { sqlstate, message, detail, hint } = describeError(error);
  const parts = [message, detail, hint].filter((part) => part !== undefined && part !== "");
  return oneLine(parts.join(" ")) + (error instanceof DatabaseError && sqlstate ? ` (SQLSTATE ${sqlstate})` : "");
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, " ").trim();
}
