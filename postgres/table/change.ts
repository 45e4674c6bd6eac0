/**
 * What is done about the differences between a declared table and the real one. What needs a moment's lock and touches no
 * row is done at once; what has to read rows is done partition by partition beside readers and writers; for every other
 * difference there is a refusal that says why, and the safe way. Pure.
 */
import type { ActualTable, DeclaredTable } from "../../topology/table/model";
import type { Statement } from "../statement";
import type { Alteration, IndexWork } from "./alteration";
import { commentOnTable, lookupPath } from "./create";
import type { Difference, DifferenceKind } from "./difference";
import { addCheck, changeCheck, removeLeftOver } from "./rules/checks";
import {
  addColumn,
  changeDefault,
  changeNullable,
  changeOwner,
  changeType,
  commentColumn,
  setColumnStatistics,
} from "./rules/columns";
import { type Outcome, type Rule, reached, refuse } from "./rules/context";
import { addForeignKey, changeForeignKey } from "./rules/foreign-keys";
import { addIndex, addPrimaryKey, addUnique, changeIndex, completePrimaryKey, completeUnique } from "./rules/indexes";
import { removeConstraint } from "./rules/removed";
import type { TreeFacts } from "./tree";

/** A difference that is left as it is. */
export interface RefusedChange {
  difference: Difference;
  /** Why it is not made here, and what to do instead, in full sentences. */
  reason: string;
}

export interface TableChange {
  /** To be run in one transaction, in this order, before everything else; empty when nothing can or need be done so. */
  statements: Statement[];
  /** To be carried out one after the other. */
  alterations: Alteration[];
  /** To be built after that. */
  indexes: IndexWork[];
  refused: RefusedChange[];
}

/** Nothing to be done. */
export const NO_CHANGE: TableChange = { statements: [], alterations: [], indexes: [], refused: [] };

/** What brings the table nearer to its declaration, and what is left out. */
export function planTableChange(
  declared: DeclaredTable,
  actual: ActualTable,
  compared: Difference[],
  facts: TreeFacts,
): TableChange {
  const differences = compared.filter(({ severity }) => severity === "change");
  const change: TableChange = { statements: [], alterations: [], indexes: [], refused: [] };
  for (const difference of differences) {
    const context = { declared, actual, difference, differences, facts, ...reached(actual) };
    add(change, difference, RULES[difference.kind](context));
  }
  const { statements, alterations, indexes, refused } = change;
  // A table with another key is most likely another table: it is left alone altogether.
  if (refused.some(({ difference }) => difference.kind === "partitionKey")) return { ...NO_CHANGE, refused };
  return {
    refused,
    indexes,
    statements: statements.length === 0 ? [] : [lookupPath(declared.schema), ...statements],
    // Whoever gives the table away may not be allowed to do the rest afterwards.
    alterations: [...alterations.filter((one) => !isOwner(one)), ...alterations.filter(isOwner)],
  };
}

function isOwner({ difference }: Alteration): boolean {
  return difference.kind === "owner";
}

function add(change: TableChange, difference: Difference, outcome: Outcome): void {
  if (typeof outcome === "string") change.refused.push({ difference, reason: outcome });
  else if (Array.isArray(outcome)) change.statements.push(...outcome);
  else if ("index" in outcome) change.indexes.push(outcome);
  else change.alterations.push(outcome);
}

const COPY_ROUTE =
  "The safe way: declare a new table beside this one, copy the rows, and swap the names once both are equal.";

const RULES: Record<DifferenceKind, Rule> = {
  partitionKey: refuse(`The partition key of a table cannot be changed. ${COPY_ROUTE}`),
  columnMissing: addColumn,
  columnType: changeType,
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
  columnComment: commentColumn,
  columnStatistics: setColumnStatistics,
  columnUndeclared: () => [],
  primaryKeyMissing: addPrimaryKey,
  primaryKeyChanged: completePrimaryKey,
  uniqueMissing: addUnique,
  uniqueChanged: completeUnique,
  checkMissing: addCheck,
  checkChanged: changeCheck,
  foreignKeyMissing: addForeignKey,
  foreignKeyChanged: changeForeignKey,
  constraintUndeclared: () => [],
  constraintRemoved: removeConstraint,
  constraintLeftOver: removeLeftOver,
  indexMissing: addIndex,
  indexChanged: changeIndex,
  indexUndeclared: () => [],
  comment: ({ declared, relation }) => [commentOnTable(declared.comment ?? "", relation)],
  owner: changeOwner,
  notCompared: () => [],
};
