/**
 * Carries out alterations one after the other. One that fails stops neither the others nor, for ever, itself: what it has
 * reached is in the catalog, and the next run goes on from there.
 */
import { DatabaseError } from "pg";
import type { ActualTable } from "../../topology/table/model";
import { errorCode, explainError, hasSqlstate, LockTimeoutError, SQLSTATE } from "../errors";
import { qualified } from "../identifiers";
import type { Statement } from "../statement";
import type { Alteration, Piece } from "./alteration";
import { applyStatements, type UnderLocks } from "./apply";
import type { Queryable } from "./client";
import type { Difference } from "./difference";
import { readDescendants } from "./tree";

/** An alteration that was not carried out to its end. */
export interface AlterationFailure {
  difference: Difference;
  /** What happened, and what to do, in full sentences. */
  reason: string;
}

/** Where an alteration is; `of` is the number of its partitions. */
export interface AlterationProgress {
  alteration: Alteration;
  piece: Piece;
  position: number;
  of: number;
}

export interface AlterOptions {
  underLocks: UnderLocks;
  onProgress?(progress: AlterationProgress): void;
}

/** A partition came or went since the alteration was planned. */
class TreeChanged extends Error {
  override name = "TreeChanged";
}

/** A row is not as the constraint demands. */
const VIOLATIONS = [
  SQLSTATE.checkViolation,
  SQLSTATE.notNullViolation,
  SQLSTATE.foreignKeyViolation,
  SQLSTATE.uniqueViolation,
];

/**
 * The alterations that failed, each with its reason.
 * @throws whatever ends the session or cancels its statement.
 */
export async function alter(
  client: Queryable,
  actual: ActualTable,
  alterations: Alteration[],
  options: AlterOptions,
): Promise<AlterationFailure[]> {
  const failures: AlterationFailure[] = [];
  for (const alteration of alterations) {
    const reason = await new Work(client, actual, alteration, options).carryOut();
    if (reason !== undefined) failures.push({ difference: alteration.difference, reason });
  }
  return failures;
}

class Work {
  private current: Piece | undefined;
  private begun = false;

  constructor(
    private readonly client: Queryable,
    private readonly actual: ActualTable,
    private readonly alteration: Alteration,
    private readonly options: AlterOptions,
  ) {}

  /** Undefined when everything is done. */
  async carryOut(): Promise<string | undefined> {
    try {
      await this.all();
      return undefined;
    } catch (error) {
      if (!stopsItselfOnly(error)) throw error;
      return hasSqlstate(error, ...VIOLATIONS) ? this.violated(error) : `${this.where()}${unfinished(error)}`;
    }
  }

  private async all(): Promise<void> {
    const { begin, pieces, finish } = this.alteration;
    await this.transaction(begin);
    this.begun = true;
    for (const [index, piece] of pieces.entries()) {
      this.current = piece;
      const { alteration } = this;
      this.options.onProgress?.({ alteration, piece, position: index + 1, of: pieces.length });
      for (const statement of piece.statements) await this.transaction([statement]);
    }
    this.current = undefined;
    for (const together of transactions(finish)) await this.transaction(together);
  }

  private async transaction(statements: Statement[]): Promise<void> {
    await applyStatements(this.client, statements, this.options.underLocks, () => this.recheck());
  }

  /** A partition that came in between has not been looked at: PostgreSQL would read it, or build on it, under our lock. */
  private async recheck(): Promise<void> {
    const planned = this.actual.descendants.map(({ oid }) => oid).sort((one, other) => one - other);
    const found = await readDescendants(this.client, this.actual.oid);
    if (JSON.stringify(planned) === JSON.stringify(found)) return;
    throw new TreeChanged(
      `Partitions of ${qualified(this.actual)} came or went meanwhile. Run \`pulumi up\` again: what is done is kept.`,
    );
  }

  /** What was begun would refuse the application's changes to such rows for as long as they are there. */
  private async violated(error: unknown): Promise<string> {
    const { offenders, takeBack } = this.alteration;
    const query = offenders === undefined ? "" : ` Rows in the way: ${offenders};`;
    const undo = [...(this.current?.takeBack ?? []), ...(this.begun ? takeBack : [])];
    const advice = " Correct or remove these rows, then run `pulumi up` again.";
    const outcome = undo.length === 0 ? "" : await this.undo(undo);
    return `${this.where()}${sentence(error)}${query}${outcome}${advice}`;
  }

  private async undo(statements: Statement[]): Promise<string> {
    try {
      for (const together of transactions(statements)) await this.transaction(together);
      return " What was begun has been taken back.";
    } catch (error) {
      if (!stopsItselfOnly(error)) throw error;
      return ` What was begun could not be taken back and is checked for new rows: ${sentence(error)}`;
    }
  }

  private where(): string {
    const partition = this.current === undefined ? "" : ` on ${qualified(this.current.partition)}`;
    return `Could not finish ${this.alteration.title}${partition}: `;
  }
}

/** Statements that PostgreSQL refuses in a transaction stand alone, the others together. */
function transactions(statements: Statement[]): Statement[][] {
  return statements.every(({ transactional }) => transactional)
    ? [statements]
    : statements.map((statement) => [statement]);
}

/** PostgreSQL's messages have no full stop, ours have. */
export function sentence(error: unknown): string {
  return `${explainError(error).replace(/\.$/, "")}.`;
}

function unfinished(error: unknown): string {
  if (error instanceof TreeChanged) return error.message;
  return `${sentence(error)} What is done is kept; the next \`pulumi up\` goes on.`;
}

/** Errors of one statement; the loss of the session and a cancellation end the run. */
export function stopsItselfOnly(error: unknown): boolean {
  if (error instanceof TreeChanged || error instanceof LockTimeoutError) return true;
  const code = errorCode(error) ?? "";
  return error instanceof DatabaseError && !/^(08|57)/.test(code);
}
