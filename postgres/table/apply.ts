/** Creates, changes and drops a partitioned parent: each in one transaction, so that a kill leaves all or nothing. */
import type { RelationName } from "../../topology/model";
import type { ActualTable, DeclaredTable, TableOnDelete } from "../../topology/table/model";
import type { Session } from "../connection";
import { hasSqlstate, IdentityError, SQLSTATE } from "../errors";
import { faultPoint } from "../faults";
import { qualified, quoteIdent } from "../identifiers";
import type { Lock, Statement } from "../statement";
import { inTransaction, type Queryable } from "./client";
import { lock, referencedTables, renderCreateTable, statement, treeOf, unsupported } from "./create";
import { readRelation, readTable } from "./read";
import { type Below, readBelow, readMajor } from "./tree";

/**
 * Carries a transaction through the wait for its locks: may wait before it, and may call it again after it failed to
 * get them. Default: the transaction runs once, and waits as long as the session's `lock_timeout` lets it.
 */
export type UnderLocks = <T>(locks: Lock[], transaction: () => Promise<T>) => Promise<T>;

const atOnce: UnderLocks = (_, transaction) => transaction();

/** The server, or what is in the table, does not allow what was asked; nothing was changed. */
export class TableRefusal extends Error {
  override name = "TableRefusal";

  constructor(
    /** Property path in the inputs. */
    readonly property: string,
    reason: string,
  ) {
    super(reason);
  }
}

export async function schemaExists(session: Session, schema: string): Promise<boolean> {
  return (await session.query("SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1", [schema])).length > 0;
}

/** What is wrong, and what to do, where a declared schema is not there. */
export function missingSchema(schema: string): string {
  return `The schema ${quoteIdent(schema)} does not exist (SQLSTATE ${SQLSTATE.invalidSchemaName}). Create it first: CREATE SCHEMA ${quoteIdent(schema)}, or a Schema of @pulumi/postgresql on which this table depends (dependsOn).`;
}

/**
 * Creates the declared table and gives it as it then is.
 * @throws TableRefusal when there are no declared columns, the schema is not there, or the server is too old for the declaration.
 */
export async function createTable(
  client: Queryable,
  declared: DeclaredTable,
  underLocks: UnderLocks = atOnce,
): Promise<ActualTable> {
  const relation = qualified(declared);
  if (declared.columns === undefined) {
    throw new TableRefusal(
      "columns",
      `The table ${relation} does not exist. Without declared columns it is expected to be made by somebody else, such as the application's migrations: run those first, or declare the columns.`,
    );
  }
  const { rows } = await client.query<{ version: number }>(
    "SELECT pg_catalog.current_setting('server_version_num')::int AS version",
  );
  for (const { property, reason } of unsupported(declared, rows[0]?.version ?? 0)) {
    throw new TableRefusal(property, reason);
  }
  const statements = renderCreateTable(declared, await readBelow(client, declared.foreignKeys));
  try {
    await applyStatements(client, statements, underLocks);
  } catch (error) {
    if (!hasSqlstate(error, SQLSTATE.invalidSchemaName)) throw error;
    throw new TableRefusal("schema", `${missingSchema(declared.schema)} Nothing was created.`);
  }
  const made = await readTable(client, declared);
  if (made === undefined) {
    throw new IdentityError(`The table ${relation} was created and is gone already: somebody else dropped it.`);
  }
  return made;
}

/**
 * Runs the statements of a creation or a change in one transaction; or one statement that cannot be in any. `recheck`
 * follows each statement that asks for it, and ends the transaction by what it throws.
 */
export async function applyStatements(
  client: Queryable,
  statements: Statement[],
  underLocks: UnderLocks = atOnce,
  recheck: () => Promise<void> = async () => undefined,
): Promise<void> {
  if (statements.length === 0) {
    return;
  }
  const run = async () => {
    for (const statement of statements) {
      faultPoint("betweenStatements");
      await client.query(statement.sql);
      if (statement.recheck) await recheck();
    }
  };
  const inOne = () =>
    inTransaction(client, "BEGIN", async () => {
      await run();
      faultPoint("beforeCommit");
    });
  faultPoint("beforeTransaction");
  await underLocks(
    statements.flatMap(({ locks }) => locks),
    statements.every(({ transactional }) => transactional) ? inOne : run,
  );
  faultPoint("afterTransaction");
}

/**
 * The statements that drop a table with all its partitions. Tables that it references are locked for a moment too, as far
 * as they have triggers for its foreign keys: before 15 a table with partitions has none.
 */
export function renderDropTable(actual: ActualTable, below: Below, major: number): [Statement, Statement] {
  const relation = qualified(actual);
  const tree = treeOf(actual).map((name) => lock(name, "ACCESS EXCLUSIVE"));
  return [
    statement(`LOCK TABLE ${relation} IN ACCESS EXCLUSIVE MODE`, tree),
    statement(
      `DROP TABLE ${relation}`,
      referencedTables(actual.foreignKeys, below)
        .filter(({ partitioned }) => major >= 15 || !partitioned)
        .map(({ name }) => lock(name, "ACCESS EXCLUSIVE")),
    ),
  ];
}

/** What {@link dropTable} did: `absent` when there was nothing to drop. */
export type DropOutcome = "dropped" | "absent";

/**
 * Drops the table that was recorded, and no other: a table of that name with another OID is left alone. Never cascades,
 * so views and referencing tables stop it (SQLSTATE 2BP01).
 * @throws TableRefusal when rows would be lost and `onDelete` is `refuse`, or a partition is half detached.
 * @throws IdentityError when the name now belongs to another table.
 */
export async function dropTable(
  client: Queryable,
  recorded: RelationName & { oid: number },
  onDelete: TableOnDelete,
  underLocks: UnderLocks = atOnce,
): Promise<DropOutcome> {
  const seen = await readTable(client, recorded);
  if (seen === undefined) {
    return "absent";
  }
  refuseAnother(recorded, seen);
  const statements = renderDropTable(seen, await readBelow(client, seen.foreignKeys), await readMajor(client));
  const locks = statements.flatMap((one) => one.locks);
  await underLocks(locks, () =>
    inTransaction(client, "BEGIN ISOLATION LEVEL READ COMMITTED", () =>
      dropLocked(client, recorded, onDelete, statements),
    ),
  );
  return "dropped";
}

/**
 * The checks hold until the drop, because from the first statement on nobody else can touch the table; READ COMMITTED
 * lets them see what was written while that statement waited.
 */
async function dropLocked(
  client: Queryable,
  recorded: RelationName & { oid: number },
  onDelete: TableOnDelete,
  [lockTable, drop]: [Statement, Statement],
): Promise<void> {
  await client.query(lockTable.sql);
  const now = await readRelation(client, recorded);
  refuseAnother(recorded, now);
  refusePending(now);
  if (onDelete === "refuse") {
    await refuseRows(client, recorded);
  }
  await client.query(drop.sql);
}

function refuseAnother(
  recorded: RelationName & { oid: number },
  now: ActualTable | undefined,
): asserts now is ActualTable {
  if (now?.oid !== recorded.oid) {
    throw new IdentityError(
      `${qualified(recorded)} is not the table that was recorded (OID ${recorded.oid}, now ${now?.oid ?? "none"}): it was dropped and made again by somebody else, and is left alone.`,
    );
  }
}

function refusePending({ descendants }: ActualTable): void {
  const pending = descendants.find((descendant) => descendant.pending);
  if (pending !== undefined) {
    throw new TableRefusal(
      "onDelete",
      `The partition ${qualified(pending)} is half detached (an interrupted DETACH CONCURRENTLY), and its rows would be lost unseen. Run ALTER TABLE … DETACH PARTITION … FINALIZE first.`,
    );
  }
}

/** Row security must not hide rows from this. */
async function refuseRows(client: Queryable, table: RelationName): Promise<void> {
  await client.query("SET LOCAL row_security TO off");
  const { rows } = await client.query<{ partition: string }>(
    `SELECT tableoid::pg_catalog.regclass::text AS partition FROM ${qualified(table)} LIMIT 1`,
  );
  const first = rows[0];
  if (first !== undefined) {
    throw new TableRefusal(
      "onDelete",
      `The table ${qualified(table)} has rows (in ${first.partition}, for one), and onDelete is "refuse". Empty or detach its partitions first, or set onDelete: "drop" and run \`pulumi up\` before destroying.`,
    );
  }
}
