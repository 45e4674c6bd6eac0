/** The exchange: one short transaction in which the sources leave the parent and the targets take their place. */
import type { RelationName } from "../../topology/model";
import { boundClause } from "../boundSql";
import { indexStatements } from "../childAttributes";
import { qualified, quoteIdent } from "../identifiers";
import { locksOf, losesForeignKeys, strongest } from "../locks";
import type { CopyFacts, ParentFacts } from "../parent";
import type { Lock, Statement } from "../statement";
import { BOUND_CHECK, givesWay, type Layout } from "./names";
import { commentStatement, dropGuard } from "./prepare";
import {
  attachScans,
  bystandingDefault,
  isDefault,
  lock,
  part,
  publishedAnew,
  type ReorganizationRendering,
  statement,
} from "./rendering";

/** The foreign keys of the parent, valid on each target before the exchange: ATTACH would check every row else. */
export function foreignKeyStatements(
  { copying }: ReorganizationRendering,
  target: Layout["targets"][number],
): { name: string; add: Statement; validate?: Statement }[] {
  const table = qualified(target.relation);
  return copying.foreignKeys.map(({ name, definition, references, valid }) => {
    const constraint = quoteIdent(name);
    const [referenced, ...below] = references;
    const add = `ALTER TABLE ${table} ADD CONSTRAINT ${constraint} ${definition}${valid ? " NOT VALID" : ""}`;
    return {
      name,
      add: statement(
        add,
        [target.relation, ...references].map((relation) => lock(relation, "SHARE ROW EXCLUSIVE")),
        { alone: true },
      ),
      ...(valid && {
        validate: statement(
          `ALTER TABLE ${table} VALIDATE CONSTRAINT ${constraint}`,
          [
            lock(target.relation, "SHARE UPDATE EXCLUSIVE", "scan"),
            ...(referenced === undefined ? [] : [lock(referenced, "ROW SHARE", "scan")]),
            ...below.map((relation) => lock(relation, "ACCESS SHARE", "scan")),
          ],
          { alone: true },
        ),
      }),
    };
  });
}

/**
 * The parent first, as queries lock it. Nobody else holds a lock on the copy once the sources are locked, as only their
 * triggers write to it. DEFAULT leaves first and comes last, so that no other ATTACH has to look at it.
 */
export function swapStatements(rendering: ReorganizationRendering): Statement[] {
  const { parent, layout } = rendering;
  const { sources, targets } = layout;
  const bystander = bystandingDefault(rendering);
  const defaultsLast = [...targets].sort((a, b) => Number(isDefault(a)) - Number(isDefault(b)));
  const defaultsFirst = [...sources].sort((a, b) => Number(isDefault(b)) - Number(isDefault(a)));
  return part("exchange sources and copy", [
    lockStatement([parent, ...sources, ...(bystander === undefined ? [] : [bystander])]),
    ...targets.map(({ relation }) => leaveStaging(layout, relation)),
    ...defaultsFirst.map((source) => detach(rendering, source)),
    ...sources.filter((source) => givesWay(layout, source)).map((source) => rename(source, source.aside)),
    ...targets
      .filter(({ relation, name }) => relation.name !== name)
      .map((target) => rename(target.relation, target.name)),
    ...defaultsLast.flatMap((target) => attach(rendering, target)),
    ...(bystander === undefined ? [] : [dropGuard(rendering, bystander)]),
    ...publishedAnew(rendering),
    commentStatement(rendering, "swapped"),
  ]);
}

export function lockStatement(relations: RelationName[]): Statement {
  const list = relations.map((relation) => `ONLY ${qualified(relation)}`).join(", ");
  const locks = relations.map((relation) => lock(relation, "ACCESS EXCLUSIVE"));
  return statement(`LOCK TABLE ${list} IN ACCESS EXCLUSIVE MODE`, locks, { recheck: true });
}

function leaveStaging({ staging, targets }: Layout, relation: RelationName): Statement {
  const fallback = targets.find(isDefault)?.relation;
  const involved = [staging, relation, ...(fallback === undefined ? [] : [fallback])];
  return statement(
    `ALTER TABLE ${qualified(staging)} DETACH PARTITION ${qualified(relation)}`,
    strongest(involved.map((one) => lock(one, "ACCESS EXCLUSIVE"))),
  );
}

export function detach({ parent, copying }: ReorganizationRendering, child: RelationName): Statement {
  const sql = `ALTER TABLE ${qualified(parent)} DETACH PARTITION ${qualified(child)}`;
  const keptReferences = copying.foreignKeys.filter(survivesDetach(parent)).flatMap(({ references }) => references);
  return statement(sql, locksOf("detach", parent, { child, keptReferences }));
}

/** What PostgreSQL 14 does not drop with the table that leaves: foreign keys to tables without partitions. */
function survivesDetach(parent: ParentFacts): (key: CopyFacts["foreignKeys"][number]) => boolean {
  return ({ references }) => !losesForeignKeys(parent) || references.length === 1;
}

export function rename(relation: RelationName, name: string): Statement {
  const sql = `ALTER TABLE ${qualified(relation)} RENAME TO ${quoteIdent(name)}`;
  return statement(sql, [lock(relation, "ACCESS EXCLUSIVE")]);
}

/** Its CHECK names the parent when that is partitioned by HASH, and would keep it from being dropped. */
function attach(rendering: ReorganizationRendering, target: Layout["targets"][number]): Statement[] {
  const { parent } = rendering;
  const relation = { schema: target.relation.schema, name: target.name };
  const name = qualified(relation);
  return [
    statement(
      `ALTER TABLE ${qualified(parent)} ATTACH PARTITION ${name} ${boundClause(target.bound)}`,
      attachLocks(rendering, relation, attachScans(rendering) ? "scan" : "instant"),
    ),
    statement(`ALTER TABLE ${name} DROP CONSTRAINT ${BOUND_CHECK}`, [lock(relation, "ACCESS EXCLUSIVE")]),
    ...indexStatements(parent, relation),
  ];
}

/**
 * A DEFAULT that has left, or is proven, is not looked through. A table that comes with the parent's foreign keys is not
 * read for them, unless the server has dropped them when it left the table that it was a partition of.
 */
export function attachLocks(
  { parent, copying }: ReorganizationRendering,
  child: RelationName,
  childHold: Lock["hold"],
  merged = true,
): Lock[] {
  const valid = copying.foreignKeys.filter((key) => key.valid);
  const coming = valid.filter(survivesDetach(parent));
  const mergedReferences = merged ? coming.flatMap((key) => key.references) : [];
  const reads = merged && coming.length < valid.length ? "scan" : childHold;
  return locksOf("attach", parent, { child, childHold: reads, defaultProven: true, mergedReferences });
}
