/** Carries out one step of an index's plan: short transactions under the lock ladder, and builds that block nobody. */
import type { IndexDeclaration, IndexStep } from "../../topology/index/model";
import { findBlockers, findSnapshots, findUsers, olderThan } from "../blockers";
import type { Session, Sessions } from "../connection";
import { type Blocker, explainError, hasSqlstate, IdentityError, SQLSTATE } from "../errors";
import { faultPoint } from "../faults";
import { qualified, quoteIdent } from "../identifiers";
import { type Clock, climb, type LockLadder } from "../ladder";
import { strongest } from "../locks";
import { lookout } from "../lookout";
import { lockTimeout } from "../segments";
import type { Lock, Statement } from "../statement";
import { type BuildProgress, withProgress } from "./progress";
import { renderIndexStep } from "./render";

export interface WorkerContext {
  sessions: Sessions;
  session: Session;
  clock: Clock;
  signal?: AbortSignal;
  ladder: LockLadder;
  onWait(blockers: Blocker[]): void;
  onProgress(progress: BuildProgress): void;
}

/** `gone`: the partition has left the table since the plan was made; there is nothing to do. */
export type StepOutcome = "done" | "gone";

interface FoundRow extends Record<string, unknown> {
  table_there: boolean;
  index_oid: number | null;
  index_valid: boolean | null;
  index_table: number | null;
  dropped_there: boolean;
}

/** $1 OID, $2 schema and $3 name of the table; $4 schema and $5 name of the index; $6 to $8 the same of the one that goes. */
const FIND = `
SELECT
  EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = $1 AND n.nspname = $2 AND c.relname = $3
      AND ($9::oid IS NULL OR EXISTS (SELECT FROM pg_catalog.pg_inherits h
        WHERE h.inhrelid = c.oid AND h.inhparent = $9 AND NOT h.inhdetachpending))) AS table_there,
  x.oid AS index_oid, i.indisvalid AS index_valid, i.indrelid AS index_table,
  EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = $6 AND n.nspname = $7 AND c.relname = $8) AS dropped_there
FROM (SELECT 1) AS one
LEFT JOIN (pg_catalog.pg_class x JOIN pg_catalog.pg_namespace xn ON xn.oid = x.relnamespace AND xn.nspname = $4)
  ON x.relname = $5
LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = x.oid`;

const NO_SUCH_OID = "SELECT 1 FROM pg_catalog.pg_class WHERE oid = $1";

/** With the ladder's pauses, most of a second. */
const LOOKS_FOR_NOBODY = 5;

export class IndexWorker {
  constructor(private readonly context: WorkerContext) {}

  /** @throws LockTimeoutError, IdentityError or PostgreSQL's error; what was committed before stays, and is found again. */
  async carryOut(step: IndexStep, declared: IndexDeclaration): Promise<StepOutcome> {
    const statements = renderIndexStep(step, declared);
    const together = statements.filter(({ transactional }) => transactional);
    const alone = statements.filter(({ transactional }) => !transactional);
    if (!(await this.isThere(step))) return "gone";
    try {
      for (const statement of alone) await this.alone(step, statement, declared);
    } finally {
      if (alone.length > 1) await this.context.session.query("SET search_path TO ''").catch(() => undefined);
    }
    return together.length === 0 || (await this.transaction(step, together)) ? "done" : "gone";
  }

  /** False when the partition is gone. */
  private async transaction(step: IndexStep, statements: Statement[]): Promise<boolean> {
    const { session } = this.context;
    const locks = strongest(statements.flatMap((statement) => statement.locks));
    faultPoint("beforeTransaction");
    const there = await this.climbing(
      lookout(session, this.context.clock, () => findBlockers(session, locks)),
      (stepMs) =>
        session.transaction(async () => {
          await session.query(`SET LOCAL lock_timeout = '${lockTimeout(stepMs, locks)}ms'`);
          if (!(await this.isThere(step))) return false;
          for (const { sql } of statements) {
            faultPoint("betweenStatements");
            await session.query(sql);
          }
          await this.insistDropped(step);
          faultPoint("beforeCommit");
          return true;
        }),
    );
    faultPoint("afterTransaction");
    return there;
  }

  /**
   * Whoever works on is waited for inside the statement, which keeps nobody waiting meanwhile. Whoever sits idle in a
   * transaction may do so for days: the build begins only when no such session is in its way. How long one that has just
   * begun will sit there nobody can tell, so the first looks wait for it too; where an application is always between two
   * statements of some transaction, the later ones pass over those.
   */
  private async alone(step: IndexStep, statement: Statement, declared: IndexDeclaration): Promise<void> {
    const { session, sessions, onProgress } = this.context;
    if (statement.locks.length === 0) {
      await session.query(statement.sql);
      return;
    }
    faultPoint("beforeTransaction");
    let looks = 0;
    await this.climbing(
      (ms) => idleHolders(session, statement, looks++ < LOOKS_FOR_NOBODY ? 0 : ms),
      async () => {
        try {
          await withProgress(sessions, session, onProgress, () => session.query(statement.sql));
        } catch (error) {
          const left = await this.removeLeftover(step);
          throw explained(error, step, declared, left);
        }
      },
    );
    faultPoint("afterTransaction");
  }

  private climbing<T>(look: (ms: number) => Promise<Blocker[]>, run: (stepMs: number) => Promise<T>): Promise<T> {
    const { ladder, clock, signal, onWait } = this.context;
    return climb({ ladder, clock, signal, look, run, onWait });
  }

  /**
   * False when the partition is gone or is another's.
   * @throws IdentityError when an index is not the one that was planned for.
   */
  private async isThere(step: IndexStep): Promise<boolean> {
    const { table, index, oid, drops, kind } = step;
    const [row] = await this.context.session.query<FoundRow>(FIND, [
      table.oid,
      table.schema,
      table.name,
      index.schema,
      index.name,
      drops?.oid ?? null,
      drops?.schema ?? null,
      drops?.name ?? null,
      table.parent ?? null,
    ]);
    if (row === undefined || !row.table_there) return false;
    const other = oid !== undefined && row.index_oid !== oid;
    if (other || (kind === "dropInvalid" && row.index_valid)) {
      throw new IdentityError(
        `${qualified(index)} is not the index that was planned for any more. Nothing was done to it.`,
      );
    }
    if (drops !== undefined && !row.dropped_there) {
      throw new IdentityError(
        `${qualified(drops)} was dropped, renamed or made again by somebody else. Nothing was done.`,
      );
    }
    return true;
  }

  /** DROP INDEX knows names only: whatever it took, it was the right one, or nothing is committed. */
  private async insistDropped({ drops }: IndexStep): Promise<void> {
    if (drops === undefined) return;
    const rows = await this.context.session.query(NO_SUCH_OID, [drops.oid]);
    if (rows.length > 0)
      throw new IdentityError(`${qualified(drops)} was exchanged for another index just now. Nothing was done.`);
  }

  /** What a failed build leaves would only slow down writers. Undefined when it is gone; else why it is still there. */
  private async removeLeftover({ kind, table, index }: IndexStep): Promise<string | undefined> {
    const { session, signal, ladder } = this.context;
    if (kind !== "build") return undefined;
    const again = `The next run removes the unfinished index ${qualified(index)}.`;
    if (signal?.aborted) return again;
    try {
      const [row] = await session.query<{ valid: boolean }>(
        `SELECT i.indisvalid AS valid FROM pg_catalog.pg_index i WHERE i.indrelid = $1
           AND i.indexrelid = pg_catalog.to_regclass($2)`,
        [table.oid, qualified(index)],
      );
      if (row === undefined || row.valid) return undefined;
      await session.query(`SET lock_timeout = '${ladder.steps.at(-1) ?? 0}ms'`);
      await session.query(`DROP INDEX CONCURRENTLY ${qualified(index)}`);
      return undefined;
    } catch {
      return again;
    } finally {
      await session.query("SET lock_timeout = 0").catch(() => undefined);
    }
  }
}

/** Sessions idle in a transaction, and prepared ones, that a concurrent build of this table would wait for. */
async function idleHolders(session: Session, statement: Statement, ms: number): Promise<Blocker[]> {
  const { waitsFor = [], waitsForWriters = [] } = statement;
  const writers = waitsForWriters.map((relation): Lock => ({ relation, mode: "SHARE", hold: "build" }));
  const holders = [...(await findUsers(session, waitsFor)), ...(await findBlockers(session, writers))];
  const found = [...holders, ...(await findSnapshots(session))];
  return olderThan(found, ms).filter(({ gid, state }) => gid !== undefined || state?.startsWith("idle in"));
}

/** Adds what PostgreSQL does not say: which partition, how to find the rows, what is left. */
function explained(error: unknown, step: IndexStep, declared: IndexDeclaration, left: string | undefined): unknown {
  const after = left === undefined ? "" : ` ${left}`;
  if (!hasSqlstate(error, SQLSTATE.uniqueViolation)) {
    return left === undefined ? error : new Error(explainError(error) + after, { cause: error });
  }
  const keys = declared.columns.map(({ column, expression }) =>
    column === undefined ? `(${expression})` : quoteIdent(column),
  );
  const where = declared.where === undefined ? "" : ` WHERE (${declared.where})`;
  const query = `SELECT ${keys.join(", ")}, count(*) FROM ${qualified(step.table)}${where} GROUP BY ${keys.map((_, place) => place + 1).join(", ")} HAVING count(*) > 1`;
  return new Error(
    `${explainError(error)} The rows of ${qualified(step.table)} that are not unique are found with: ${query}.${after}`,
    { cause: error },
  );
}
