/**
 * What is done about the differences between a declared table and the real one. Only changes that need a moment's lock
 * and touch no row are made in place; for every other one there is a refusal that says why, and the safe way. Pure.
 */
import type { ActualTable, DeclaredColumn, DeclaredTable } from "../../topology/table/model";
import { qualified, quoteIdent } from "../identifiers";
import type { Lock, LockMode, Statement } from "../statement";
import {
  checkClause,
  columnClause,
  commentOnColumn,
  commentOnTable,
  createIndex,
  foreignKeyClause,
  lock,
  lookupPath,
  primaryKeyClause,
  referencedTables,
  setStatistics,
  statement,
  treeOf,
  uniqueClause,
} from "./create";
import type { Difference, DifferenceKind } from "./difference";

/** A difference that is left as it is. */
export interface RefusedChange {
  difference: Difference;
  /** Why it is not made here, and what to do instead, in full sentences. */
  reason: string;
}

export interface TableChange {
  /** To be run in one transaction, in this order; empty when nothing can or need be done. */
  statements: Statement[];
  refused: RefusedChange[];
}

/** What a rule works with. */
interface Context {
  declared: DeclaredTable;
  actual: ActualTable;
  difference: Difference;
  relation: string;
  /** The table and everything below it, qualified. */
  tree: string[];
  /** No partitions: no rows, and nothing to scan or to rewrite. */
  empty: boolean;
}

/** Statements, or the reason why there are none. */
type Rule = (context: Context) => Statement[] | string;

/** The statements that bring the table nearer to its declaration, and what they leave out. */
export function planTableChange(declared: DeclaredTable, actual: ActualTable, differences: Difference[]): TableChange {
  const tree = treeOf(actual);
  const empty = actual.descendants.length === 0;
  const change: TableChange = { statements: [], refused: [] };
  for (const difference of differences.filter(({ severity }) => severity === "change")) {
    const context = { declared, actual, difference, relation: qualified(actual), tree, empty };
    const outcome = RULES[difference.kind](context);
    if (typeof outcome === "string") {
      change.refused.push({ difference, reason: outcome });
    } else {
      change.statements.push(...outcome);
    }
  }
  const { refused } = change;
  // A table with another key is most likely another table: it is left alone altogether.
  const statements = refused.some(({ difference }) => difference.kind === "partitionKey") ? [] : change.statements;
  return { refused, statements: statements.length === 0 ? [] : [lookupPath(declared.schema), ...statements] };
}

const COPY_ROUTE =
  "The safe way: declare a new table beside this one, copy the rows, and swap the names once both are equal.";

const RULES: Record<DifferenceKind, Rule> = {
  partitionKey: refuse(`The partition key of a table cannot be changed. ${COPY_ROUTE}`),
  columnMissing: addColumn,
  columnType: refuse(
    "Changing a type rewrites every partition under ACCESS EXCLUSIVE. The safe way: add a nullable column of the new type, fill it in batches, and let the application change over.",
  ),
  columnNullable: changeNullable,
  columnDefault: changeDefault,
  columnIdentity: refuse(
    "Changing an identity leaves the sequence and the numbers in use to be sorted out by hand: use ALTER TABLE … ALTER COLUMN … ADD GENERATED, SET GENERATED or DROP IDENTITY, and set the sequence's next value.",
  ),
  columnGenerated: refuse(
    "Changing a generation expression rewrites every partition under ACCESS EXCLUSIVE. The safe way: add another column and let the application change over.",
  ),
  columnCollation: refuse(
    "Changing a collation rebuilds every index on the column under ACCESS EXCLUSIVE. The safe way: add a column with the new collation, fill it in batches, and let the application change over.",
  ),
  columnComment: at(({ relation }, column) => [commentOnColumn(column, relation)]),
  columnStatistics: at(({ relation, tree }, column) => [setStatistics(column, relation, tree)]),
  columnUndeclared: () => [],
  primaryKeyMissing: whenEmpty(
    ({ declared, relation }) => declared.primaryKey && addConstraint(primaryKeyClause(declared.primaryKey), relation),
    "Adding a primary key builds its index on every partition under ACCESS EXCLUSIVE. The safe way: ADD PRIMARY KEY on ONLY the parent, then on each partition a unique index CONCURRENTLY, ADD PRIMARY KEY USING INDEX, and ALTER INDEX … ATTACH PARTITION.",
  ),
  primaryKeyChanged: refuse(
    "Changing a primary key means building another index over all rows. The safe way: create a unique index CONCURRENTLY on each partition first, then exchange the constraints partition by partition.",
  ),
  uniqueMissing: whenEmpty(
    (context) => entry(context.declared.unique, context, (u) => addConstraint(uniqueClause(u), context.relation)),
    "Adding a unique constraint builds its index on every partition under ACCESS EXCLUSIVE. The safe way: a unique index ON ONLY the parent, then CONCURRENTLY on each partition, then ALTER INDEX … ATTACH PARTITION.",
  ),
  uniqueChanged: refuse(
    "A unique constraint cannot be altered. The safe way: declare the new one under another name, and drop the old one by hand once it is there.",
  ),
  checkMissing: whenEmpty(
    (context) => entry(context.declared.checks, context, (c) => addConstraint(checkClause(c), context.relation)),
    "Adding a check scans every partition under ACCESS EXCLUSIVE. The safe way: on each partition ADD CONSTRAINT … CHECK … NOT VALID, then VALIDATE CONSTRAINT, and last the same constraint on the parent, which then adopts them.",
  ),
  checkChanged: refuse(
    "A check cannot be altered. The safe way: declare the new one under another name, and drop the old one by hand once it is there.",
  ),
  foreignKeyMissing: whenEmpty(
    (context) =>
      entry(context.declared.foreignKeys, context, (key) => [
        addClause(foreignKeyClause(key), context.relation, "SHARE ROW EXCLUSIVE", referencedTables([key])),
      ]),
    "Adding a foreign key checks every row of every partition while writers wait. The safe way: on each partition ADD CONSTRAINT … NOT VALID, then VALIDATE CONSTRAINT, and last the same foreign key on the parent.",
  ),
  foreignKeyChanged: refuse(
    "A foreign key cannot be altered in this way. The safe way: declare the new one under another name, and drop the old one by hand once it is there.",
  ),
  constraintUndeclared: () => [],
  indexMissing: whenEmpty(
    (context) => entry(context.declared.indexes, context, (index) => [createIndex(index, context.relation)]),
    "Creating an index on a table with partitions blocks writers of all of them until it is built. The safe way: CREATE INDEX ON ONLY the parent, CREATE INDEX CONCURRENTLY on each partition, then ALTER INDEX … ATTACH PARTITION; once the index is there it is adopted.",
  ),
  indexChanged: refuse(
    "An index cannot be altered in this way. The safe way: declare the new one under another name, build it without blocking (ON ONLY the parent, CONCURRENTLY on each partition, ATTACH), and drop the old one by hand.",
  ),
  indexUndeclared: () => [],
  comment: ({ declared, relation }) => [commentOnTable(declared.comment ?? "", relation)],
  owner: refuse(
    "Another owner changes who may alter and read the table, and partitions keep theirs. Run ALTER TABLE … OWNER TO on the table and on each partition by hand.",
  ),
  notCompared: () => [],
};

function refuse(reason: string): Rule {
  return () => reason;
}

function whenEmpty(rule: (context: Context) => Statement[] | undefined, otherwise: string): Rule {
  return (context) => (context.empty ? (rule(context) ?? otherwise) : otherwise);
}

/** A rule about a declared column. */
function at(rule: (context: Context, column: DeclaredColumn) => Statement[] | string): Rule {
  return (context) =>
    entry(context.declared.columns ?? [], context, (column) => rule(context, column)) ?? "The column is not declared.";
}

function entry<D, R>(declared: D[], { difference }: Context, rule: (item: D) => R): R | undefined {
  const item = difference.position === undefined ? undefined : declared[difference.position];
  return item === undefined ? undefined : rule(item);
}

function addColumn(context: Context): Statement[] | string {
  return at(({ relation, tree, empty, difference }, column) => {
    const changesCatalogOnly = column.nullable && difference.instant === true;
    if (!empty && !changesCatalogOnly) {
      return column.nullable
        ? "Adding this column writes a value into every row under ACCESS EXCLUSIVE. The safe way: add it nullable and without default (or with a constant one), SET DEFAULT, and fill old rows in batches."
        : "Adding a NOT NULL column reads every row under ACCESS EXCLUSIVE. The safe way: add it nullable (with its default when that is constant), fill old rows in batches, then on each partition CHECK (… IS NOT NULL) NOT VALID, VALIDATE, and SET NOT NULL.";
    }
    return [
      onTree(`ALTER TABLE ${relation} ADD COLUMN ${columnClause(column)}`, tree),
      ...extras(column, relation, tree),
    ];
  })(context);
}

function extras(column: DeclaredColumn, relation: string, tree: string[]): Statement[] {
  return [
    ...(column.comment ? [commentOnColumn(column, relation)] : []),
    ...(column.statistics === undefined ? [] : [setStatistics(column, relation, tree)]),
  ];
}

function changeNullable(context: Context): Statement[] | string {
  return at(({ relation, tree, empty }, column) => {
    const subject = `ALTER TABLE ${relation} ALTER COLUMN ${quoteIdent(column.name)}`;
    return empty
      ? [onTree(`${subject} ${column.nullable ? "DROP" : "SET"} NOT NULL`, tree)]
      : column.nullable
        ? "Dropping NOT NULL lets in rows that the application may not expect. Run ALTER TABLE … ALTER COLUMN … DROP NOT NULL by hand when that is wanted; its lock lasts a moment."
        : "SET NOT NULL reads every row under ACCESS EXCLUSIVE. The safe way: on each partition ADD CONSTRAINT … CHECK (… IS NOT NULL) NOT VALID, VALIDATE CONSTRAINT, then SET NOT NULL on the parent, which the checks make instant.";
  })(context);
}

function changeDefault(context: Context): Statement[] | string {
  return at(({ relation, tree, actual }, column) => {
    const there = actual.columns.find(({ name }) => name === column.name);
    const subject = `ALTER TABLE ${relation} ALTER COLUMN ${quoteIdent(column.name)}`;
    if (declaresSequence(context) || there?.identity !== undefined || there?.generated !== undefined) {
      return "The values of this column come from elsewhere (a sequence of its own, an identity or an expression), and one kind is not exchanged for another in place. Change the default by hand.";
    }
    const action = column.default === undefined ? "DROP DEFAULT" : `SET DEFAULT (${column.default})`;
    return [onTree(`${subject} ${action}`, tree)];
  })(context);
}

/** A serial type makes its sequence with the column, and only then. */
function declaresSequence({ declared, difference }: Context): boolean {
  const column = difference.position === undefined ? undefined : declared.columns?.[difference.position];
  return column !== undefined && difference.declared !== undefined && column.default === undefined;
}

function onTree(sql: string, tree: string[]): Statement {
  return statement(
    sql,
    tree.map((relation) => lock(relation, "ACCESS EXCLUSIVE")),
  );
}

function addConstraint(clause: string, relation: string): Statement[] {
  return [addClause(clause, relation, "ACCESS EXCLUSIVE", [])];
}

function addClause(clause: string, relation: string, mode: LockMode, referenced: string[]): Statement {
  const locks: Lock[] = [relation, ...referenced].map((name) => lock(name, mode));
  return statement(`ALTER TABLE ${relation} ADD ${clause}`, locks);
}
