/**
 * Few rows: moved in one transaction, under the lock of the parent. Nothing of it can be seen half done, and a run that
 * ends in the middle leaves nothing behind.
 */
import type { RelationName } from "../../topology/model";
import { keptDefault } from "../../topology/reorganization";
import { boundClause } from "../boundSql";
import { indexStatements } from "../childAttributes";
import { qualified } from "../identifiers";
import type { Statement } from "../statement";
import { keysOf } from "./cleanup";
import { fingerprintStatement } from "./copy";
import { leavesOf, madeOf, nameAfterSwap, type Source, type Target, treeOf } from "./names";
import { dropGuard, guardStatements, targetTable } from "./prepare";
import {
  bystandingDefault,
  isDefault,
  lockAll,
  part,
  publishedAnew,
  type ReorganizationRendering,
  rowSource,
  rowsOf,
  statement,
  storedColumns,
} from "./rendering";
import { attachLocks, detach, lockStatement, renameAside } from "./swap";

export interface Move {
  /** Before the transaction, each in one of its own. */
  proof: Statement[];
  /** The transaction; `before` and `after` are to give the same answer. */
  statements: Statement[];
  before: Statement;
  after: Statement;
}

export function moveStatements(rendering: ReorganizationRendering): Move {
  const { parent, layout } = rendering;
  const kept = keptDefault(layout);
  const replaced = layout.sources.filter((source) => source !== kept);
  const made = layout.targets.filter((target) => kept === undefined || !isDefault(target));
  const bystander = bystandingDefault(rendering);
  const leaves = made.flatMap(madeOf).filter(({ leaf }) => leaf);
  const before = fingerprintStatement(rendering, "before", layout.sources.flatMap(leavesOf));
  const after = fingerprintStatement(rendering, "after", [
    ...leaves.map(({ final }) => final),
    ...(kept === undefined ? [] : leavesOf(kept)),
  ]);
  return {
    proof: guardStatements(rendering),
    before,
    after,
    statements: part("move the rows in one transaction", [
      lockStatement([parent, ...layout.sources.flatMap(treeOf), ...(bystander === undefined ? [] : [bystander])]),
      before,
      ...layout.sources.map((source) => detach(rendering, source)),
      ...replaced.flatMap((source) => renameAside(layout, source)),
      ...made.flatMap((target) => targetTable(parent, target, finalOf(target), target.level)),
      ...replaced.flatMap((source) =>
        layout.targets.map((target) =>
          copyRows(
            rendering,
            source,
            target,
            kept !== undefined && isDefault(target) ? treeOf(kept) : finalsOf(target),
          ),
        ),
      ),
      ...(kept === undefined ? [] : made.map((target) => takeRows(rendering, kept, target))),
      after,
      ...made.flatMap((target) => attach(rendering, target, finalsOf(target), false)),
      ...(kept === undefined ? [] : attach(rendering, kept, treeOf(kept), true)),
      ...(bystander === undefined ? [] : [dropGuard(rendering, bystander)]),
      ...publishedAnew(rendering),
      ...replaced.map((source) => drop(rendering, source)),
    ]),
  };
}

/** What is made bears its own name at once. */
function finalOf({ relation, name }: Target): RelationName {
  return { schema: relation.schema, name };
}

/** The table, then everything below it. */
function finalsOf(target: Target): RelationName[] {
  return madeOf(target).map(({ final }) => final);
}

function copyRows(rendering: ReorganizationRendering, source: Source, target: Target, to: RelationName[]): Statement {
  const list = storedColumns(rendering).join(", ");
  const rows = rowsOf(target.bound, otherBounds(rendering, target), rendering.parent);
  const from = treeOf(source).map((table) => nameAfterSwap(rendering.layout, table));
  const sql =
    `INSERT INTO ${qualified(finalOf(target))} (${list})` +
    ` SELECT ${list} FROM ${rowSource(source, nameAfterSwap(rendering.layout, source))} WHERE ${rows}`;
  return statement(sql, [...lockAll(from, "ACCESS EXCLUSIVE", "scan"), ...lockAll(to, "ACCESS EXCLUSIVE")]);
}

function takeRows(rendering: ReorganizationRendering, from: Source, target: Target): Statement {
  const list = storedColumns(rendering).join(", ");
  const rows = rowsOf(target.bound, otherBounds(rendering, target), rendering.parent);
  const sql =
    `WITH moved AS (DELETE FROM ${rowSource(from, from)} WHERE ${rows} RETURNING ${list})` +
    ` INSERT INTO ${qualified(finalOf(target))} (${list}) SELECT ${list} FROM moved`;
  return statement(sql, [
    ...lockAll(treeOf(from), "ACCESS EXCLUSIVE", "scan"),
    ...lockAll(finalsOf(target), "ACCESS EXCLUSIVE"),
  ]);
}

function otherBounds({ layout }: ReorganizationRendering, target: Target) {
  return layout.targets.filter((other) => other !== target).map(({ bound }) => bound);
}

/** It looks through what it attaches, which is little; `merged`: a table that has the parent's foreign keys already. */
function attach(
  rendering: ReorganizationRendering,
  { bound }: Pick<Source, "bound">,
  [table, ...inside]: RelationName[],
  merged: boolean,
): Statement[] {
  if (table === undefined) return [];
  const { parent } = rendering;
  const sql = `ALTER TABLE ${qualified(parent)} ATTACH PARTITION ${qualified(table)} ${boundClause(bound)}`;
  return [
    statement(sql, attachLocks(rendering, table, "scan", { inside, merged })),
    ...[table, ...inside].flatMap((one) => indexStatements(parent, one)),
  ];
}

/** In the same transaction: a table with the same rows that outlived it could be taken for a partition that is missing. */
function drop(rendering: ReorganizationRendering, source: Source): Statement {
  const { layout } = rendering;
  const referenced = keysOf(rendering, source).flatMap(({ references }) => references);
  const dropped = treeOf(source).map((table) => nameAfterSwap(layout, table));
  const name = qualified(nameAfterSwap(layout, source));
  return statement(`DROP TABLE ${name}`, lockAll([...dropped, ...referenced], "ACCESS EXCLUSIVE"));
}
