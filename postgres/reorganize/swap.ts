/** The exchange: one short transaction in which the sources leave the parent and the targets take their place. */
import type { RelationName } from "../../topology/model";
import { boundClause } from "../boundSql";
import { indexStatements } from "../childAttributes";
import { qualified, quoteIdent } from "../identifiers";
import { locksOf, losesForeignKeys, strongest } from "../locks";
import type { CopyFacts, ParentFacts } from "../parent";
import type { Lock, Statement } from "../statement";
import { BOUND_CHECK, givesWay, type Layout, type Made, madeOf, type Source, type Target, treeOf } from "./names";
import { commentStatement, dropGuard } from "./prepare";
import {
  attachScans,
  bystandingDefault,
  isDefault,
  lock,
  lockAll,
  part,
  publishedAnew,
  type ReorganizationRendering,
  statement,
} from "./rendering";

/** A foreign key of one leaf. */
interface LeafForeignKey {
  table: RelationName;
  name: string;
  add: Statement;
  validate?: Statement;
}

/**
 * The foreign keys of the parent, valid on each leaf of a target before the exchange: ATTACH would check every row else.
 * NOT VALID keys of partitioned tables are known from 18 on only; those of leaves are taken over by ATTACH.
 */
export function foreignKeyStatements(rendering: ReorganizationRendering, target: Target): LeafForeignKey[] {
  const keys = keysBeforeSwap(rendering, target);
  return madeOf(target).flatMap((made) => (made.leaf ? foreignKeysOf(keys, made) : []));
}

/**
 * PostgreSQL 14 takes a key to a partitioned table from a target that leaves the copy, and leaves the half of it there that
 * leads to the partitions. It is not made before then; ATTACH makes it. Leaves of a target keep theirs.
 */
export function keysBeforeSwap({ parent, copying }: ReorganizationRendering, target: Target): CopyFacts["foreignKeys"] {
  return target.level === undefined ? copying.foreignKeys.filter(survivesDetach(parent)) : copying.foreignKeys;
}

function foreignKeysOf(keys: CopyFacts["foreignKeys"], { relation }: Made): LeafForeignKey[] {
  const table = qualified(relation);
  return keys.map(({ name, definition, references, valid }) => {
    const constraint = quoteIdent(name);
    const [referenced, ...below] = references;
    const add = `ALTER TABLE ${table} ADD CONSTRAINT ${constraint} ${definition}${valid ? " NOT VALID" : ""}`;
    return {
      table: relation,
      name,
      add: statement(add, lockAll([relation, ...references], "SHARE ROW EXCLUSIVE"), { alone: true }),
      ...(valid && {
        validate: statement(
          `ALTER TABLE ${table} VALIDATE CONSTRAINT ${constraint}`,
          [
            lock(relation, "SHARE UPDATE EXCLUSIVE", "scan"),
            ...(referenced === undefined ? [] : [lock(referenced, "ROW SHARE", "scan")]),
            ...lockAll(below, "ACCESS SHARE", "scan"),
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
    lockStatement([parent, ...sources.flatMap(treeOf), ...(bystander === undefined ? [] : [bystander])]),
    ...targets.map((target) => leaveStaging(layout, target)),
    ...defaultsFirst.map((source) => detach(rendering, source)),
    ...sources.flatMap((source) => renameAside(layout, source)),
    ...targets
      .flatMap(madeOf)
      .filter(({ relation, final }) => relation.name !== final.name)
      .map(({ relation, final }) => rename(relation, final.name)),
    ...defaultsLast.flatMap((target) => attach(rendering, target)),
    ...(bystander === undefined ? [] : [dropGuard(rendering, bystander)]),
    ...publishedAnew(rendering),
    commentStatement(rendering, "swapped"),
  ]);
}

export function lockStatement(relations: RelationName[]): Statement {
  const list = relations.map((relation) => `ONLY ${qualified(relation)}`).join(", ");
  const locks = lockAll(relations, "ACCESS EXCLUSIVE");
  return statement(`LOCK TABLE ${list} IN ACCESS EXCLUSIVE MODE`, locks, { recheck: true });
}

function leaveStaging({ staging, targets }: Layout, target: Target): Statement {
  const fallback = targets.find(isDefault)?.relation;
  const inside = madeOf(target).map(({ relation }) => relation);
  return statement(
    `ALTER TABLE ${qualified(staging)} DETACH PARTITION ${qualified(target.relation)}`,
    strongest(lockAll([staging, ...inside, ...(fallback === undefined ? [] : [fallback])], "ACCESS EXCLUSIVE")),
  );
}

export function detach({ parent, copying }: ReorganizationRendering, child: Source): Statement {
  const sql = `ALTER TABLE ${qualified(parent)} DETACH PARTITION ${qualified(child)}`;
  const keptReferences = copying.foreignKeys.filter(survivesDetach(parent)).flatMap(({ references }) => references);
  return statement(sql, locksOf("detach", parent, { child, descendants: child.below, keptReferences }));
}

/** What PostgreSQL 14 does not drop with the table that leaves: foreign keys to tables without partitions. */
function survivesDetach(parent: ParentFacts): (key: CopyFacts["foreignKeys"][number]) => boolean {
  return ({ references }) => !losesForeignKeys(parent) || references.length === 1;
}

/** What has the name of a table that is made gives way to it. */
export function renameAside(layout: Layout, source: Source): Statement[] {
  const inTheWay = treeOf(source).filter((table) => givesWay(layout, table));
  return inTheWay.map((table) => rename(table, table.aside));
}

function rename(relation: RelationName, name: string): Statement {
  const sql = `ALTER TABLE ${qualified(relation)} RENAME TO ${quoteIdent(name)}`;
  return statement(sql, [lock(relation, "ACCESS EXCLUSIVE")]);
}

/** Its CHECK names the parent when that is partitioned by HASH, and would keep it from being dropped. */
function attach(rendering: ReorganizationRendering, target: Target): Statement[] {
  const { parent } = rendering;
  const relation = { schema: target.relation.schema, name: target.name };
  const name = qualified(relation);
  const inside = target.inside.map(({ final }) => final);
  return [
    statement(
      `ALTER TABLE ${qualified(parent)} ATTACH PARTITION ${name} ${boundClause(target.bound)}`,
      attachLocks(rendering, relation, attachScans(rendering) ? "scan" : "instant", { inside }),
    ),
    statement(`ALTER TABLE ${name} DROP CONSTRAINT ${BOUND_CHECK}`, lockAll([relation, ...inside], "ACCESS EXCLUSIVE")),
    ...[relation, ...inside].flatMap((one) => indexStatements(parent, one)),
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
  { inside = [], merged = true }: { inside?: RelationName[]; merged?: boolean } = {},
): Lock[] {
  const valid = copying.foreignKeys.filter((key) => key.valid);
  const coming = valid.filter(survivesDetach(parent));
  // Leaves of what is attached have left nothing: their keys are taken over, and of a referenced table the partitions lose triggers.
  const ofLeaves = inside.length > 0 && coming.length < valid.length;
  const taken = ofLeaves ? valid.flatMap((key) => (coming.includes(key) ? [] : key.references.slice(1))) : [];
  const mergedReferences = merged ? [...coming.flatMap((key) => key.references), ...taken] : [];
  const reads = merged && !ofLeaves && coming.length < valid.length ? "scan" : childHold;
  return locksOf("attach", parent, {
    child,
    descendants: inside,
    childHold: reads,
    defaultProven: true,
    mergedReferences,
  });
}
