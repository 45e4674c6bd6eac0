/** Looks into tables for what a plan has to know of their rows; short, and never in anybody's way. */
import type { Answer, Question, RelationName } from "../topology/model";
import { boundPredicate, hashPredicate } from "./boundSql";
import type { Session } from "./connection";
import { hasSqlstate, SQLSTATE } from "./errors";
import { qualified } from "./identifiers";
import type { ParentFacts } from "./parent";

/** How long one look may take, in milliseconds; without an index on the key it is a scan. */
const LOOK_LIMIT_MS = 2_000;

/** Rows are counted up to this number; for a preview the exact number above it is of no use. */
const COUNTED_ROWS = 100_000;

/** Answers each question; `unknown` where a look takes too long, waits for a lock, or is not allowed. */
export async function lookInto(
  session: Session,
  questions: readonly Question[],
  parent: ParentFacts,
): Promise<Answer[]> {
  const byTable = new Map<number, Question[]>();
  for (const question of questions) {
    byTable.set(question.table.oid, [...(byTable.get(question.table.oid) ?? []), question]);
  }
  const answers: Answer[] = [];
  for (const some of byTable.values()) answers.push(...(await lookIntoOne(session, some, parent)));
  return answers;
}

/** One look for all bounds together answers most of the time. */
async function lookIntoOne(session: Session, questions: readonly Question[], parent: ParentFacts): Promise<Answer[]> {
  const sizes = questions.filter(({ within }) => within === undefined);
  const bounds = questions.flatMap((question) => {
    const predicate = question.within && predicateOf(question.within, levelOf(question, parent));
    return predicate === undefined ? [] : [{ question, predicate }];
  });
  const answers: Answer[] = [];
  for (const { table } of sizes) answers.push({ oid: table.oid, ...(await sizeOf(session, table)) });
  const [first] = bounds;
  if (first === undefined) return answers;
  const any = await lookFor(
    session,
    first.question.table,
    bounds.map(({ predicate }) => `(${predicate})`).join(" OR "),
  );
  let found = any;
  for (const { question, predicate } of bounds) {
    const { table, within } = question;
    if (any === "some" && bounds.length > 1 && found !== "unknown") found = await lookFor(session, table, predicate);
    const rows = found === "some" ? await count(session, table, predicate) : undefined;
    answers.push({ oid: table.oid, within, found, ...(rows === undefined ? {} : { rows }) });
  }
  return answers;
}

/** The table whose bound is asked about. */
function levelOf({ under }: Question, root: ParentFacts): ParentFacts {
  return (under === undefined ? undefined : root.below[under.oid]) ?? root;
}

function predicateOf(bound: NonNullable<Question["within"]>, parent: ParentFacts): string | undefined {
  return boundPredicate(bound, parent.keys) ?? hashPredicate(bound, qualified(parent), parent.keys);
}

/** Whether there are rows; `unknown` where the look takes too long, waits for a lock, or is not allowed. */
export type Found = Answer["found"];

/** Whether a table holds a row of which this is true: the first one answers. */
export async function lookFor(session: Session, table: RelationName, predicate: string): Promise<Found> {
  const rows = await briefly(session, async () => {
    // Without it the first row that a wrong estimate promises is looked for by a scan of the whole table.
    await session.query("SET LOCAL enable_seqscan = off");
    return session.query(`SELECT 1 AS found FROM ${qualified(table)} WHERE ${predicate} LIMIT 1`);
  });
  return rows === undefined ? "unknown" : rows.length > 0 ? "some" : "none";
}

async function count(session: Session, table: Question["table"], predicate: string): Promise<number | undefined> {
  const rows = await briefly(session, () =>
    session.query<{ count: number }>(
      `SELECT count(*)::int AS count FROM
         (SELECT FROM ${qualified(table)} WHERE ${predicate} LIMIT ${COUNTED_ROWS + 1}) AS rows`,
    ),
  );
  const counted = rows?.[0]?.count;
  return counted === undefined || counted > COUNTED_ROWS ? undefined : counted;
}

/**
 * The CHECK that DETACH CONCURRENTLY makes of a bound is known by its form, and by its columns: those that the table and
 * the ones above it are divided by.
 */
const BOUND_CHECKS = `
  SELECT k.conname::text FROM pg_catalog.pg_constraint k
  WHERE k.conrelid = $1 AND k.contype = 'c' AND k.coninhcount = 0
    AND pg_catalog.pg_get_constraintdef(k.oid) ~ '^CHECK \\(\\(+("([^"]|"")+"|[^ "]+) IS (NOT )?NULL\\)'
    AND k.conkey <@ ARRAY(
      SELECT c.attnum FROM pg_catalog.pg_partition_ancestors($1::oid::regclass) above(relid)
      JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = above.relid AND above.relid <> $1
      JOIN pg_catalog.pg_attribute u ON u.attrelid = p.partrelid AND u.attnum = ANY (p.partattrs)
      JOIN pg_catalog.pg_attribute c ON c.attrelid = $1 AND c.attname = u.attname)
  ORDER BY 1`;

async function sizeOf(
  session: Session,
  table: Question["table"],
): Promise<Pick<Answer, "found" | "bytes" | "boundChecks">> {
  const rows = await briefly(session, () =>
    session.query<{ occupied: boolean; bytes: string; checks: string[] }>(
      `SELECT EXISTS (SELECT FROM ${qualified(table)}) AS occupied, ARRAY(${BOUND_CHECKS}) AS checks,
         (pg_catalog.pg_total_relation_size($1::oid::regclass) + coalesce((
           SELECT sum(pg_catalog.pg_total_relation_size(t.relid)) FROM pg_catalog.pg_partition_tree($1::oid::regclass) t
           WHERE t.relid <> $1::oid::regclass), 0))::text AS bytes`,
      [table.oid],
    ),
  );
  const [row] = rows ?? [];
  if (row === undefined) return { found: "unknown" };
  const checks = row.checks.length > 0 ? { boundChecks: row.checks } : {};
  return { found: row.occupied ? "some" : "none", bytes: Number(row.bytes), ...checks };
}

async function briefly<T>(session: Session, query: () => Promise<T>): Promise<T | undefined> {
  try {
    return await session.transaction(async () => {
      await session.query("SET TRANSACTION READ ONLY");
      await session.query(`SET LOCAL statement_timeout = ${LOOK_LIMIT_MS}`);
      await session.query("SET LOCAL lock_timeout = 100");
      // Row security must not hide rows from this; for a role that it applies to, the statement fails instead.
      await session.query("SET LOCAL row_security = off");
      return query();
    });
  } catch (error) {
    if (hasSqlstate(error, ...UNANSWERED)) return undefined;
    throw error;
  }
}

const UNANSWERED = [
  SQLSTATE.queryCanceled,
  SQLSTATE.lockNotAvailable,
  SQLSTATE.insufficientPrivilege,
  SQLSTATE.undefinedTable,
];
