/**
 * What the server makes of declared generation expressions: they are given to columns of a temporary table, read back as
 * PostgreSQL prints them, and rolled back. The table itself is locked ACCESS SHARE, as by a query.
 */
import { DatabaseError } from "pg";
import type { RelationName } from "../../topology/model";
import type { Session } from "../connection";
import { hasSqlstate, SQLSTATE } from "../errors";
import { OWN_EXPRESSION_MAJOR } from "../generated";
import { qualified, quoteIdent } from "../identifiers";

/** An expression that some partition is to have for a column. */
export interface DeclaredExpression {
  column: string;
  expression: string;
}

export interface ReadExpressions {
  /** Of the table itself, by column. */
  own: Record<string, string>;
  /** As PostgreSQL prints those that are possible, and why others are not; in the order of the declared ones. */
  declared: (DeclaredExpression & ({ printed: string } | { reason: string }))[];
}

interface ColumnRow extends Record<string, unknown> {
  name: string;
  type: string;
  kind: string;
  expression: string | null;
}

const SCRATCH = 'pg_temp."pgpartition expressions"';

const COLUMNS = `
  SELECT a.attname::text AS name, pg_catalog.format_type(a.atttypid, a.atttypmod) AS type, a.attgenerated::text AS kind,
    pg_catalog.pg_get_expr(d.adbin, a.attrelid) AS expression
  FROM pg_catalog.pg_attribute a
  LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  WHERE a.attrelid = '${SCRATCH}'::pg_catalog.regclass AND a.attnum > 0 AND NOT a.attisdropped`;

/** Undefined when this server, or this role, makes no temporary table just now: then nothing is known. */
export async function readExpressions(
  session: Session,
  { table, major }: { table: RelationName; major: number },
  declared: readonly DeclaredExpression[],
): Promise<ReadExpressions | undefined> {
  try {
    return await session.transaction(async () => {
      await session.query("SET LOCAL lock_timeout = '2s'");
      await session.query(
        `CREATE TEMPORARY TABLE ${SCRATCH} (LIKE ${qualified(table)} INCLUDING GENERATED) ON COMMIT DROP`,
      );
      const columns = new Map((await session.query<ColumnRow>(COLUMNS)).map((row) => [row.name, row]));
      const read: ReadExpressions["declared"] = [];
      for (const [at, one] of declared.entries()) {
        const reason =
          major < OWN_EXPRESSION_MAJOR ? tooOld(major) : refusal(table, columns.get(one.column), one.column);
        const printed = reason ?? (await print(session, one, columns.get(one.column)?.type ?? "", `pgpartition ${at}`));
        read.push({ ...one, ...(typeof printed === "string" ? { reason: printed } : printed) });
      }
      const own = [...columns.values()].flatMap(({ name, expression }) => (expression ? [[name, expression]] : []));
      return { own: Object.fromEntries(own), declared: read };
    });
  } catch (error) {
    if (hasSqlstate(error, ...UNANSWERED)) return undefined;
    throw error;
  }
}

const UNANSWERED = [
  SQLSTATE.readOnlyTransaction,
  SQLSTATE.insufficientPrivilege,
  SQLSTATE.lockNotAvailable,
  SQLSTATE.queryCanceled,
];

function tooOld(major: number): string {
  return (
    `PostgreSQL ${major} takes no partition with an expression of its own (42804); 16 and later do. Leave it out, or ` +
    "add a column that the application fills"
  );
}

function refusal(table: RelationName, column: ColumnRow | undefined, name: string): string | undefined {
  if (column === undefined) return `${table.schema}.${table.name} has no column ${name}`;
  if (column.kind === "") return `${name} is no generated column; only a partition of a table that generates it can`;
  if (column.kind === "v")
    return `${name} is VIRTUAL: queries through the table compute it by the table's own expression whatever a partition says`;
  return undefined;
}

async function print(
  session: Session,
  { expression }: DeclaredExpression,
  type: string,
  name: string,
): Promise<{ printed: string } | string> {
  await session.query("SAVEPOINT expression");
  try {
    const column = `${quoteIdent(name)} ${type} GENERATED ALWAYS AS (${expression}) STORED`;
    await session.query(`ALTER TABLE ${SCRATCH} ADD COLUMN ${column}`);
  } catch (error) {
    if (!(error instanceof DatabaseError) || hasSqlstate(error, ...UNANSWERED)) throw error;
    await session.query("ROLLBACK TO SAVEPOINT expression");
    return `(${expression}) is no expression for it: ${error.message} (${error.code})`;
  }
  const [row] = await session.query<ColumnRow>(`${COLUMNS} AND a.attname = $1`, [name]);
  return { printed: row?.expression ?? expression };
}
