/**
 * The statements that make a partitioned parent from its declaration. Every name is quoted; fragments of SQL (types,
 * expressions) were checked to be whole by themselves. Pure.
 */
import type { RelationName } from "../../topology/model";
import {
  type DeclaredCheck,
  type DeclaredColumn,
  type DeclaredForeignKey,
  type DeclaredIndex,
  type DeclaredIndexedKey,
  type DeclaredIndexKey,
  type DeclaredTable,
  type DeclaredUnique,
  partitionKeyOf,
} from "../../topology/table/model";
import { qualified, quoteIdent, quoteLiteral } from "../identifiers";
import type { Lock, LockMode, Statement } from "../statement";
import type { Below } from "./tree";

/** How a lock on one relation is written in a {@link Statement}. */
export function lock(relation: string, mode: LockMode): Lock {
  return { relation, mode, hold: "instant" };
}

/** A statement that may share a transaction with others. */
export function statement(sql: string, locks: Lock[] = []): Statement {
  return { sql, locks, transactional: true };
}

/** Where the unqualified names in fragments of SQL are looked up, until the transaction ends. */
export function lookupPath(schema: string): Statement {
  const schemas = [...new Set([schema, "public"])].map(quoteIdent);
  return statement(`SET LOCAL search_path TO ${[...schemas, "pg_temp"].join(", ")}`);
}

/**
 * Everything that makes a declared table, to be run in one transaction. Foreign keys lock the tables they reference;
 * nothing else that exists is locked.
 */
export function renderCreateTable(table: DeclaredTable, below: Below): Statement[] {
  const relation = qualified(table);
  return [
    lookupPath(table.schema),
    statement(createTable(table, relation, table.foreignKeys.map(foreignKeyClause)), [
      lock(relation, "ACCESS EXCLUSIVE"),
      ...referencedTables(table.foreignKeys, below).map(({ name }) => lock(name, "SHARE ROW EXCLUSIVE")),
    ]),
    ...table.indexes.map((index) => createIndex(index, relation)),
    ...(table.columns ?? []).flatMap((column) => [
      ...(column.statistics === undefined ? [] : [setStatistics(column, relation, [relation])]),
      ...(column.comment ? [commentOnColumn(column, relation)] : []),
    ]),
    ...(table.comment ? [commentOnTable(table.comment, relation)] : []),
    ...(table.owner === undefined ? [] : [changeOwner(table.owner, relation)]),
  ];
}

/** `CREATE TABLE` alone, for a relation of any name; `more` are further table constraints. */
export function createTable(table: DeclaredTable, relation: string, more: string[]): string {
  const parts = [
    ...(table.columns ?? []).map(columnClause),
    ...(table.primaryKey === undefined ? [] : [primaryKeyClause(table.primaryKey)]),
    ...table.unique.map(uniqueClause),
    ...table.checks.map(checkClause),
    ...more,
  ];
  const { strategy, columns } = partitionKeyOf(table.partitionBy);
  return `CREATE TABLE ${relation} (\n  ${parts.join(",\n  ")}\n) PARTITION BY ${strategy.toUpperCase()} ${list(columns)}`;
}

/** A column as `CREATE TABLE` and `ADD COLUMN` take it. */
export function columnClause(column: DeclaredColumn): string {
  const { identity, generated } = column;
  return [
    quoteIdent(column.name),
    column.type,
    ...(column.collation === undefined ? [] : [`COLLATE ${quoteIdent(column.collation)}`]),
    ...(column.nullable ? [] : ["NOT NULL"]),
    ...(column.default === undefined ? [] : [`DEFAULT (${column.default})`]),
    ...(identity === undefined ? [] : [`GENERATED ${identity === "always" ? "ALWAYS" : "BY DEFAULT"} AS IDENTITY`]),
    ...(generated === undefined
      ? []
      : [`GENERATED ALWAYS AS (${generated.expression}) ${generated.kind.toUpperCase()}`]),
  ].join(" ");
}

export function primaryKeyClause({ name, columns, tablespace }: DeclaredIndexedKey): string {
  return `${constraint(name)}PRIMARY KEY ${list(columns)}${indexPlace(tablespace)}`;
}

export function uniqueClause({ name, columns, nullsNotDistinct, tablespace }: DeclaredUnique): string {
  const distinct = nullsNotDistinct ? "NULLS NOT DISTINCT " : "";
  return `${constraint(name)}UNIQUE ${distinct}${list(columns)}${indexPlace(tablespace)}`;
}

/** Where the index of a constraint is; nothing where PostgreSQL is to choose. */
export function indexPlace(tablespace: string | undefined): string {
  return tablespace === undefined ? "" : ` USING INDEX TABLESPACE ${quoteIdent(tablespace)}`;
}

export function checkClause({ name, expression }: DeclaredCheck): string {
  return `${constraint(name)}CHECK (${expression})`;
}

export function foreignKeyClause(key: DeclaredForeignKey): string {
  const { references, onDelete, onUpdate } = key;
  const columns = references.columns === undefined ? "" : ` ${list(references.columns)}`;
  const target = qualified({ schema: references.schema, name: references.table });
  return (
    `${constraint(key.name)}FOREIGN KEY ${list(key.columns)} REFERENCES ${target}${columns}` +
    (onDelete === "no action" ? "" : ` ON DELETE ${onDelete.toUpperCase()}`) +
    (onUpdate === "no action" ? "" : ` ON UPDATE ${onUpdate.toUpperCase()}`) +
    (key.deferrable ? ` DEFERRABLE INITIALLY ${key.initiallyDeferred ? "DEFERRED" : "IMMEDIATE"}` : "")
  );
}

/** The tables that foreign keys reference, and their partitions, each once; names are qualified. */
export function referencedTables(
  keys: Pick<DeclaredForeignKey, "references">[],
  below: Below,
): { name: string; partitioned: boolean }[] {
  const names = new Set(keys.map(({ references: { schema, table } }) => qualified({ schema, name: table })));
  const found = [...names].flatMap((name) => {
    const partitions = below.get(name) ?? [];
    return [
      { name, partitioned: partitions.length > 0 },
      ...partitions.map((one) => ({ name: qualified(one), partitioned: one.relkind === "p" })),
    ];
  });
  return [...new Map(found.map((one) => [one.name, one])).values()];
}

/** An index on a table without partitions, or together with the table; on existing partitions it would build under SHARE. */
export function createIndex(index: DeclaredIndex, relation: string): Statement {
  const { include, where, tablespace } = index;
  const sql =
    `CREATE ${index.unique ? "UNIQUE " : ""}INDEX ${quoteIdent(index.name)} ON ${relation} ` +
    `USING ${quoteIdent(index.method)} (${index.columns.map(indexKey).join(", ")})` +
    (include.length > 0 ? ` INCLUDE ${list(include)}` : "") +
    (tablespace === undefined ? "" : ` TABLESPACE ${quoteIdent(tablespace)}`) +
    (where === undefined ? "" : ` WHERE (${where})`);
  return statement(sql, [lock(relation, "SHARE")]);
}

/** One key as `CREATE INDEX` takes it. */
export function indexKey({ column, expression, collation, opclass, order, nulls }: DeclaredIndexKey): string {
  return [
    column === undefined ? `(${expression})` : quoteIdent(column),
    ...(collation === undefined ? [] : [`COLLATE ${quoteIdent(collation)}`]),
    ...(opclass === undefined ? [] : [quoteIdent(opclass)]),
    ...(order === undefined ? [] : [order.toUpperCase()]),
    ...(nulls === undefined ? [] : [`NULLS ${nulls.toUpperCase()}`]),
  ].join(" ");
}

/** Sets a statistics target; `tree` are all relations that it reaches, qualified. */
export function setStatistics(column: DeclaredColumn, relation: string, tree: string[]): Statement {
  return statement(
    `ALTER TABLE ${relation} ALTER COLUMN ${quoteIdent(column.name)} SET STATISTICS ${column.statistics ?? -1}`,
    tree.map((name) => lock(name, "SHARE UPDATE EXCLUSIVE")),
  );
}

/** Comments on a column; the empty text removes the comment. */
export function commentOnColumn(column: DeclaredColumn, relation: string): Statement {
  const subject = `COLUMN ${relation}.${quoteIdent(column.name)}`;
  return statement(`COMMENT ON ${subject} IS ${commentLiteral(column.comment)}`, [
    lock(relation, "SHARE UPDATE EXCLUSIVE"),
  ]);
}

/** Comments on the table; the empty text removes the comment. */
export function commentOnTable(comment: string, relation: string): Statement {
  return statement(`COMMENT ON TABLE ${relation} IS ${commentLiteral(comment)}`, [
    lock(relation, "SHARE UPDATE EXCLUSIVE"),
  ]);
}

function changeOwner(owner: string, relation: string): Statement {
  return statement(`ALTER TABLE ${relation} OWNER TO ${quoteIdent(owner)}`, [lock(relation, "ACCESS EXCLUSIVE")]);
}

function commentLiteral(comment: string | undefined): string {
  return comment ? quoteLiteral(comment) : "NULL";
}

function constraint(name: string | undefined): string {
  return name === undefined ? "" : `CONSTRAINT ${quoteIdent(name)} `;
}

/** Column names in parentheses. */
export function list(columns: string[]): string {
  return `(${columns.map(quoteIdent).join(", ")})`;
}

/** What a declaration needs that a server of this version does not have. */
export function unsupported(table: DeclaredTable, versionNum: number): { property: string; reason: string }[] {
  const needs: { property: string; since: number; what: string }[] = [
    ...(table.columns ?? []).flatMap((column, index) =>
      column.generated?.kind === "virtual"
        ? [{ property: `columns[${index}].generated.kind`, since: 18, what: "a virtual generated column" }]
        : [],
    ),
    ...table.unique.flatMap((unique, index) =>
      unique.nullsNotDistinct
        ? [{ property: `unique[${index}].nullsNotDistinct`, since: 15, what: "UNIQUE NULLS NOT DISTINCT" }]
        : [],
    ),
  ];
  return needs
    .filter(({ since }) => versionNum < since * 10000)
    .map(({ property, since, what }) => ({
      property,
      reason: `${what} needs PostgreSQL ${since}; the server is ${Math.floor(versionNum / 10000)}`,
    }));
}

/** The relation itself and everything below it, qualified. */
export function treeOf(table: RelationName & { descendants: RelationName[] }): string[] {
  return [table, ...table.descendants].map(qualified);
}
