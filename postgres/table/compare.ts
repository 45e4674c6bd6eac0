/**
 * Compares a declared table with the one in the database, in PostgreSQL's own spelling: `varchar(36)` is
 * `character varying(36)`, and `a > 0` is `(a > 0)`. What is there and not declared is reported and left alone.
 */
import { type ActualTable, type DeclaredTable, partitionKeyOf } from "../../topology/table/model";
import { hasSqlstate } from "../errors";
import type { Queryable } from "./client";
import { compareColumns } from "./compare-columns";
import { compareConstraints } from "./compare-constraints";
import type { Difference } from "./difference";
import { readPrimaryKeyColumns } from "./read";
import { withRetyping } from "./retype";
import { readExpected } from "./scratch";

/** A standby and a read-only session cannot create even a temporary table. */
const READ_ONLY_SQL_TRANSACTION = "25006";

/**
 * Every difference, one by one; none of severity `change` when the table is as declared. The client must not be in a
 * transaction. A declaration that PostgreSQL refuses (a type that does not exist) is thrown as PostgreSQL's own error.
 */
export async function compareTable(
  client: Queryable,
  declared: DeclaredTable,
  actual: ActualTable,
): Promise<Difference[]> {
  const own = [...comparePartitionKey(declared, actual), ...compareTableAttributes(declared, actual)];
  if (declared.columns === undefined) {
    return own;
  }
  const present = new Set(actual.columns.map(({ name }) => name));
  const missing = declared.columns.filter(({ name }) => !present.has(name));
  try {
    const expected = await readExpected(client, declared, missing);
    return [
      ...own,
      ...(own.some(({ kind }) => kind === "partitionKey") ? [] : compareKeyDefinition(expected.table, actual)),
      ...(await withRetyping(client, declared, actual, compareColumns(declared.columns, expected, actual))),
      ...compareConstraints(await withReferencedColumns(client, declared), expected.table, actual),
    ];
  } catch (error) {
    if (!hasSqlstate(error, READ_ONLY_SQL_TRANSACTION)) {
      throw error;
    }
    return [...own, notCompared()];
  }
}

/** Fills in what a foreign key without columns references: the primary key there. */
export async function withReferencedColumns(client: Queryable, declared: DeclaredTable): Promise<DeclaredTable> {
  const foreignKeys = [];
  for (const key of declared.foreignKeys) {
    const { schema, table, columns } = key.references;
    const referenced = columns ?? (await readPrimaryKeyColumns(client, { schema, name: table }));
    foreignKeys.push({ ...key, references: { ...key.references, columns: referenced } });
  }
  return { ...declared, foreignKeys };
}

function comparePartitionKey({ partitionBy }: DeclaredTable, { partitionKey }: ActualTable): Difference[] {
  const { strategy, columns } = partitionKeyOf(partitionBy);
  const same = strategy === partitionKey.strategy && JSON.stringify(columns) === JSON.stringify(partitionKey.columns);
  return same ? [] : [keyDifference(`${strategy.toUpperCase()} (${columns.join(", ")})`, partitionKey.definition)];
}

/** Columns are the same; operator classes or collations may still differ. */
function compareKeyDefinition(expected: ActualTable, actual: ActualTable): Difference[] {
  const declared = expected.partitionKey.definition;
  return declared === actual.partitionKey.definition ? [] : [keyDifference(declared, actual.partitionKey.definition)];
}

function keyDifference(declared: string, actual: string): Difference {
  return {
    kind: "partitionKey",
    severity: "change",
    path: "partitionBy",
    declared,
    actual,
    reason: `The table is partitioned by ${actual}, declared is ${declared}.`,
  };
}

function compareTableAttributes(declared: DeclaredTable, actual: ActualTable): Difference[] {
  const attributes = [
    { kind: "comment", path: "comment", declared: declared.comment, actual: actual.comment ?? "" },
    { kind: "owner", path: "owner", declared: declared.owner, actual: actual.owner },
  ] as const;
  return attributes
    .filter((attribute) => attribute.declared !== undefined && attribute.declared !== attribute.actual)
    .map((attribute) => ({
      ...attribute,
      severity: "change" as const,
      reason: `The ${attribute.kind} is ${JSON.stringify(attribute.actual)}, declared is ${JSON.stringify(attribute.declared)}.`,
    }));
}

function notCompared(): Difference {
  return {
    kind: "notCompared",
    severity: "info",
    path: "columns",
    reason:
      "Columns, constraints and indexes were not compared: the server (a standby?) or the session is read-only, and the comparison needs a temporary table.",
  };
}
