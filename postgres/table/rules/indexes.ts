/** What is done about indexes, unique constraints and the primary key of a table with partitions: no writer waits. Pure. */
import type { IndexConstraint } from "../../../topology/index/model";
import type { DeclaredIndex, DeclaredIndexedKey, DeclaredUnique } from "../../../topology/table/model";
import type { Statement } from "../../statement";
import type { IndexWork } from "../alteration";
import { createIndex, lock, primaryKeyClause, statement, uniqueClause } from "../create";
import { type Context, entry, type Outcome, property, type Rule, sameEntry } from "./context";
import { freeName } from "./names";

export const addPrimaryKey: Rule = (context) => {
  const { declared, relation, empty, actual } = context;
  const { primaryKey } = declared;
  if (primaryKey === undefined) return [];
  if (empty) return addConstraint(primaryKeyClause(primaryKey), relation);
  return constraintWork(
    context,
    primaryKey,
    "primary key",
    primaryKey.name ?? freeName(`${actual.name}_pkey`, context),
  );
};

export const completePrimaryKey: Rule = (context) => {
  const { difference, declared } = context;
  if (declared.primaryKey === undefined || !isSameKey(context)) {
    return "Changing a primary key means building another index over all rows. The safe way: declare the new columns as a unique constraint, which is built without blocking anybody, and exchange the two by hand once it is there.";
  }
  if (!isFirst(context)) return [];
  return constraintWork(context, declared.primaryKey, "primary key", difference.counterpart ?? "");
};

export const addUnique: Rule = (context) =>
  entry(context.declared.unique, context, (unique): Outcome => {
    const { relation, empty, actual } = context;
    if (empty) return addConstraint(uniqueClause(unique), relation);
    const name = unique.name ?? freeName(`${actual.name}_${unique.columns.join("_")}_key`, context);
    return constraintWork(context, unique, "unique", name);
  }) ?? [];

export const completeUnique: Rule = (context) =>
  entry(context.declared.unique, context, (unique): Outcome => {
    if (isSameKey(context)) {
      if (!isFirst(context)) return [];
      return constraintWork(context, unique, "unique", context.difference.counterpart ?? "");
    }
    return "A unique constraint cannot be altered. The safe way: declare the new one under another name, and drop the old one by hand once it is there.";
  }) ?? [];

export const addIndex: Rule = (context) =>
  entry(context.declared.indexes, context, (index): Outcome => {
    return context.empty ? [createIndex(index, context.relation)] : indexWork(context, index);
  }) ?? [];

/** A changed index is built beside the old one, and takes its place at the end; all its differences are one work. */
export const changeIndex: Rule = (context) =>
  entry(context.declared.indexes, context, (index): Outcome => {
    return isFirst(context) ? indexWork(context, index) : [];
  }) ?? [];

function indexWork({ difference, actual }: Context, index: DeclaredIndex): IndexWork {
  const { schema, name: table } = actual;
  return { difference, index: { ...index, schema, table, nullsNotDistinct: false, storage: {} }, requires: [] };
}

/** The columns of a primary key become NOT NULL first: PostgreSQL would read every row to see to that. */
function constraintWork(
  { declared, differences, difference, actual }: Context,
  key: DeclaredIndexedKey & Partial<DeclaredUnique>,
  constraint: IndexConstraint,
  name: string,
): IndexWork {
  const { schema, name: table } = actual;
  const nullable = differences.filter(({ kind, position }) => {
    const column = position === undefined ? undefined : declared.columns?.[position];
    return kind === "columnNullable" && column !== undefined && key.columns.includes(column.name);
  });
  return {
    difference,
    index: {
      schema,
      table,
      name,
      columns: key.columns.map((column) => ({ column })),
      unique: true,
      method: "btree",
      include: [],
      nullsNotDistinct: key.nullsNotDistinct ?? false,
      storage: {},
      tablespace: key.tablespace,
      constraint,
    },
    requires: nullable.map(({ path }) => path),
  };
}

/** It is as declared, but some partitions have no part of it yet, or it is in another tablespace. */
function isSameKey({ differences, difference }: Context): boolean {
  return differences.filter(sameEntry(difference)).every((one) => COMPLETED.has(property(one)));
}

const COMPLETED = new Set(["valid", "tablespace"]);

/** All differences of one constraint or index are one work. */
function isFirst({ differences, difference }: Context): boolean {
  return differences.find(sameEntry(difference)) === difference;
}

function addConstraint(clause: string, relation: string): Statement[] {
  return [statement(`ALTER TABLE ${relation} ADD ${clause}`, [lock(relation, "ACCESS EXCLUSIVE")])];
}
