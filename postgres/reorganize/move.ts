/**
 * Few rows: moved in one transaction, under the lock of the parent. Nothing of it can be seen half done, and a run that
 * ends in the middle leaves nothing behind.
 */
import type { RelationName } from "../../topology/model";
import { boundClause } from "../boundSql";
import { indexStatements } from "../childAttributes";
import { qualified } from "../identifiers";
import type { Statement } from "../statement";
import { keysOf, nameAfterSwap } from "./cleanup";
import { fingerprintStatement } from "./copy";
import { givesWay, type Layout } from "./names";
import { dropGuard, guardStatements, targetTable } from "./prepare";
import {
  bystandingDefault,
  isDefault,
  lock,
  part,
  publishedAnew,
  type ReorganizationRendering,
  rowsOf,
  statement,
  storedColumns,
} from "./rendering";
import { attachLocks, detach, lockStatement, rename } from "./swap";

type Source = Layout["sources"][number];

/** A DEFAULT that stays DEFAULT keeps its table and the rows that nobody else takes. */
function keptDefault({ layout }: ReorganizationRendering): Source | undefined {
  const source = layout.sources.find(isDefault);
  const stays = layout.targets.some((target) => isDefault(target) && target.name === source?.name);
  return stays ? source : undefined;
}

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
  const kept = keptDefault(rendering);
  const replaced = layout.sources.filter((source) => source !== kept);
  const made = layout.targets.filter((target) => kept === undefined || !isDefault(target));
  const bystander = bystandingDefault(rendering);
  const tables = new Map(
    layout.targets.map((target) => [target, { schema: layout.staging.schema, name: target.name }]),
  );
  const tableOf = (target: Layout["targets"][number]): RelationName => tables.get(target) ?? target.relation;
  const former = new Map(replaced.map((source) => [source, nameAfterSwap(layout, source)]));
  const before = fingerprintStatement(rendering, "before", layout.sources);
  const after = fingerprintStatement(rendering, "after", layout.targets.map(tableOf));
  return {
    proof: guardStatements(rendering),
    before,
    after,
    statements: part("move the rows in one transaction", [
      lockStatement([parent, ...layout.sources, ...(bystander === undefined ? [] : [bystander])]),
      before,
      ...layout.sources.map((source) => detach(rendering, source)),
      ...replaced.filter((source) => givesWay(layout, source)).map((source) => rename(source, source.aside)),
      ...made.flatMap((target) => targetTable(parent, target, tableOf(target))),
      ...replaced.flatMap((source) =>
        layout.targets.map((target) => copyRows(rendering, former.get(source) ?? source, target, tableOf(target))),
      ),
      ...(kept === undefined ? [] : made.map((target) => takeRows(rendering, kept, target, tableOf(target)))),
      after,
      ...made.flatMap((target) => attach(rendering, target, tableOf(target), false)),
      ...(kept === undefined ? [] : attach(rendering, kept, kept, true)),
      ...(bystander === undefined ? [] : [dropGuard(rendering, bystander)]),
      ...publishedAnew(rendering),
      ...replaced.map((source) => drop(rendering, source, former.get(source) ?? source)),
    ]),
  };
}

function copyRows(
  rendering: ReorganizationRendering,
  from: RelationName,
  target: Layout["targets"][number],
  to: RelationName,
): Statement {
  const list = storedColumns(rendering).join(", ");
  const rows = rowsOf(target.bound, otherBounds(rendering, target), rendering.parent);
  const sql = `INSERT INTO ${qualified(to)} (${list}) SELECT ${list} FROM ONLY ${qualified(from)} WHERE ${rows}`;
  return statement(sql, [lock(from, "ACCESS EXCLUSIVE", "scan"), lock(to, "ACCESS EXCLUSIVE")]);
}

function takeRows(
  rendering: ReorganizationRendering,
  from: RelationName,
  target: Layout["targets"][number],
  to: RelationName,
): Statement {
  const list = storedColumns(rendering).join(", ");
  const rows = rowsOf(target.bound, otherBounds(rendering, target), rendering.parent);
  const sql =
    `WITH moved AS (DELETE FROM ONLY ${qualified(from)} WHERE ${rows} RETURNING ${list})` +
    ` INSERT INTO ${qualified(to)} (${list}) SELECT ${list} FROM moved`;
  return statement(sql, [lock(from, "ACCESS EXCLUSIVE", "scan"), lock(to, "ACCESS EXCLUSIVE")]);
}

function otherBounds({ layout }: ReorganizationRendering, target: Layout["targets"][number]) {
  return layout.targets.filter((other) => other !== target).map(({ bound }) => bound);
}

/** It looks through what it attaches, which is little; `merged`: a table that has the parent's foreign keys already. */
function attach(
  rendering: ReorganizationRendering,
  { bound }: Pick<Source, "bound">,
  relation: RelationName,
  merged: boolean,
): Statement[] {
  const { parent } = rendering;
  const sql = `ALTER TABLE ${qualified(parent)} ATTACH PARTITION ${qualified(relation)} ${boundClause(bound)}`;
  return [statement(sql, attachLocks(rendering, relation, "scan", merged)), ...indexStatements(parent, relation)];
}

/** In the same transaction: a table with the same rows that outlived it could be taken for a partition that is missing. */
function drop(rendering: ReorganizationRendering, source: Source, table: RelationName): Statement {
  const referenced = keysOf(rendering, source).flatMap(({ references }) => references);
  const locks = [table, ...referenced].map((relation) => lock(relation, "ACCESS EXCLUSIVE"));
  return statement(`DROP TABLE ${qualified(table)}`, locks);
}
