/** The statements behind each step of a plan: one function for each method, all found in one table. */
import { relationsBelow } from "../topology/level";
import type { PartitionBound, RelationName } from "../topology/model";
import type { Step, StepMethod } from "../topology/steps";
import { adjustStatements } from "./adjust";
import { exportStatements, provingStatements, restoreStatements, withoutUnvalidated } from "./archive/statements";
import { boundClause, boundPredicate } from "./boundSql";
import { attributeStatements, indexStatements, likeStatements } from "./childAttributes";
import { expressionClause } from "./generated";
import { GUARD_NAME } from "./guard";
import { qualified, quoteIdent, quoteLiteral } from "./identifiers";
import { addedAhead, keysAhead } from "./keysAhead";
import { type LockingStatement, type LockTarget, locksOf, strongest } from "./locks";
import { keepForeignKeys, validateForeignKeys } from "./lostForeignKeys";
import { type ChildFacts, type LeafForeignKey, type ParentFacts, tableOfStep } from "./parent";
import { BOUND_CHECK } from "./reorganize/names";
import { renderReorganization } from "./reorganize/render";
import type { Lock, Statement } from "./statement";
import { storageClauses } from "./storageParameters";
import { commentsMade, insideStatements, partitionByClause, relationsMade } from "./subtree";

/** A step and what its statements are made from. */
interface Rendering {
  step: Step;
  parent: ParentFacts;
  child: RelationName;
  childName: string;
  parentName: string;
  facts: ChildFacts;
}

/**
 * The statements of a step in the order in which they run, as a preview shows them and the executor sends them.
 * @throws RangeError when a name cannot be stored by PostgreSQL, or the step lacks what its method needs.
 */
export function renderStep(step: Step, root: ParentFacts): Statement[] {
  const parent = tableOfStep(step, root);
  const child = { schema: step.schema, name: step.partition };
  const facts = (step.oid !== undefined ? parent.childFacts[step.oid] : undefined) ?? {
    relkind: "r",
    foreignKeys: [],
    descendants: [],
    leaves: [],
  };
  return METHODS[step.method]({
    step,
    parent,
    child,
    childName: qualified(child),
    parentName: qualified(parent),
    facts,
  });
}

/** What is run instead when a concurrent detach is not possible, or was interrupted. */
export function renderAs(step: Step, method: StepMethod, parent: ParentFacts): Statement[] {
  return renderStep({ ...step, method }, parent);
}

const METHODS: Record<StepMethod, (rendering: Rendering) => Statement[]> = {
  partitionOf,
  likeAttach,
  attach,
  detachAttach,
  detachConcurrently,
  detachPlain,
  finalize,
  validate: ({ parent, facts }) => validateForeignKeys(parent, facts),
  guard,
  unguard,
  prove,
  unprove,
  rename,
  adjust,
  dropTable,
  moveInOneTransaction: ({ step, parent }) => renderReorganization(step, "moveInOneTransaction", parent),
  copyAndSwap: ({ step, parent }) => renderReorganization(step, "copyAndSwap", parent),
  abandon: ({ step, parent }) => renderReorganization(step, "abandon", parent),
  export: exportStatements,
  restore,
  dropArchived,
};

function partitionOf(rendering: Rendering): Statement[] {
  const { parent, child, childName, parentName, step } = rendering;
  const divided = partitionByClause(step.level) + storageClauses(step.storage ?? {});
  const own = expressionClause(step.generated);
  const sql = `CREATE TABLE ${childName} PARTITION OF ${parentName}${own} ${boundClause(boundOf(step))}${divided}`;
  return [
    locking(rendering, "partitionOf", sql, proof(rendering)),
    ...attributeStatements(parent, child, "partitionOf"),
    ...insideStatements(parent, child, step.level, "partitionOf"),
    ...whenAttached(rendering),
  ];
}

/** What is below the child is made while nobody can see it: the parent is locked once, at the end. */
function likeAttach(rendering: Rendering): Statement[] {
  const { parent, child, step } = rendering;
  return [
    ...likeStatements(parent, child, { ...step, divided: partitionByClause(step.level) }),
    ...insideStatements(parent, child, step.level, "like"),
    attachStatement(rendering, "instant"),
    ...whenAttached(rendering),
  ];
}

/** What is said of every table that the step makes, when all of them are attached. */
function whenAttached(rendering: Rendering): Statement[] {
  const { parent, step } = rendering;
  return [
    ...relationsMade(step).flatMap((relation) => indexStatements(parent, relation)),
    ...commentsMade(step).map(({ relation, text }) =>
      locking(
        { ...rendering, child: relation },
        "maintainChild",
        `COMMENT ON TABLE ${qualified(relation)} IS ${quoteLiteral(text)}`,
      ),
    ),
  ];
}

function attach(rendering: Rendering): Statement[] {
  const { step, childName } = rendering;
  const locked = lockStatements(rendering, [childName]);
  if (!step.restored) return [...locked, attachStatement(rendering, "scan")];
  const unmarked = locking(rendering, "maintainChild", `COMMENT ON TABLE ${childName} IS NULL`);
  const { parent, child, facts } = rendering;
  const isDivided = step.level !== undefined || facts.leaves.length > 0;
  const keys = isDivided ? [] : keysAhead(parent, child);
  const keyed = { ...rendering, facts: { ...facts, foreignKeys: [...facts.foreignKeys, ...keys] } };
  return [
    ...keys.flatMap((key) => addedAhead(parent, key, facts.foreignKeys)),
    ...locked,
    attachStatement(keyed, "instant"),
    ...unprove(rendering),
    unmarked,
    ...whenAttached(rendering),
  ];
}

/** Of a table that is proven to fit, ATTACH looks through nothing. */
function detachAttach(rendering: Rendering): Statement[] {
  const proven = rendering.step.proven && proofOfBound(rendering) !== undefined;
  return [
    ...detachLocked(rendering),
    ...dropFormerChecks(rendering),
    attachStatement(rendering, proven ? "instant" : "scan"),
  ];
}

/**
 * NOT VALID on the whole subtree in one moment, then leaf by leaf, readers and writers beside it; that of the table itself
 * finds all of them proven and reads nothing.
 */
function prove(rendering: Rendering): Statement[] {
  const { childName, facts } = rendering;
  const check = proofOfBound(rendering);
  if (check === undefined) return [];
  const name = quoteIdent(BOUND_CHECK);
  const add = `ALTER TABLE ${childName} DROP CONSTRAINT IF EXISTS ${name}, ADD CONSTRAINT ${name} CHECK (${check}) NOT VALID`;
  const validate = (table: string) => `ALTER TABLE ${table} VALIDATE CONSTRAINT ${name}`;
  const childHold = facts.leaves.length > 0 ? "instant" : "scan";
  const leaves = facts.leaves.map((leaf): Statement => {
    const of = { ...rendering, child: leaf };
    return { ...locking(of, "validateGuard", validate(qualified(leaf)), { descendants: [] }), alone: true };
  });
  return [
    { ...locking(rendering, "addGuard", add), alone: true },
    ...leaves,
    { ...locking(rendering, "validateGuard", validate(childName), { childHold }), alone: true },
  ];
}

function unprove(rendering: Rendering): Statement[] {
  const sql = `ALTER TABLE ${rendering.childName} DROP CONSTRAINT IF EXISTS ${quoteIdent(BOUND_CHECK)}`;
  return [locking(rendering, "addGuard", sql)];
}

/** The new bound and those of the tables above it; undefined where PostgreSQL would believe no CHECK. */
function proofOfBound({ step, parent }: Rendering): string | undefined {
  const own = boundPredicate(boundOf(step), parent.keys);
  if (own === undefined || parent.ancestors.length === 0) return own;
  const { condition, provable } = parent.copying ?? {};
  return condition === undefined || !provable ? undefined : `${own} AND ${condition}`;
}

/** What DETACH CONCURRENTLY once left on the table would refuse rows that the new bound lets in. */
function dropFormerChecks(rendering: Rendering): Statement[] {
  const { step, childName, facts } = rendering;
  const former = (step.formerChecks ?? []).filter((name) => !step.proven || name !== BOUND_CHECK);
  return former.map((name) => {
    const sql = `ALTER TABLE ${childName} DROP CONSTRAINT IF EXISTS ${quoteIdent(name)}`;
    return locking(rendering, "addGuard", sql, { descendants: facts.descendants });
  });
}

function attachStatement(rendering: Rendering, childHold: Lock["hold"]): Statement {
  const { childName, parentName, step, facts } = rendering;
  const sql = `ALTER TABLE ${parentName} ATTACH PARTITION ${childName} ${boundClause(boundOf(step))}`;
  const mergedReferences = facts.foreignKeys
    .filter((key) => mayMerge(rendering.parent, key))
    .flatMap((key) => lockedByMerge(rendering.parent, key));
  const inside = relationsBelow(step.level, step.schema);
  const descendants = [...facts.descendants, ...inside];
  return locking(rendering, "attach", sql, { ...proof(rendering), childHold, mergedReferences, descendants });
}

/** A step that follows a guard on DEFAULT finds nothing to scan there. */
function proof({ step, parent }: Rendering): Partial<LockTarget> {
  const guarded = step.after.some((id) => id.startsWith("guardDefault"));
  return { defaultProven: guarded || parent.defaultPartition === undefined };
}

function detachConcurrently(rendering: Rendering): Statement[] {
  const { childName, parentName } = rendering;
  const sql = `ALTER TABLE ${parentName} DETACH PARTITION ${childName} CONCURRENTLY`;
  return [
    { ...locking(rendering, "detachConcurrently", sql), transactional: false, alone: true, waitsFor: [parentName] },
  ];
}

/**
 * The order is that of the application's own foreign key checks and queries (referencing table, parent, child); in any
 * other one a busy pair of tables gives deadlocks.
 */
function detachLocked(rendering: Rendering): Statement[] {
  const { childName, parentName, parent } = rendering;
  const order = [...parent.lockFirst.map(qualified), parentName, childName];
  const detach = locking(rendering, "detach", `ALTER TABLE ${parentName} DETACH PARTITION ${childName}`);
  return [...lockStatements(rendering, order), detach];
}

function detachPlain(rendering: Rendering): Statement[] {
  const statements = detachLocked(rendering);
  return [...statements.map((one) => (one.recheck ? one : { ...one, confirm: true })), ...kept(rendering)];
}

function kept({ step, parent, child, facts }: Rendering): Statement[] {
  return step.keepsForeignKeys ? keepForeignKeys(parent, child, facts) : [];
}

function finalize(rendering: Rendering): Statement[] {
  const { childName, parentName } = rendering;
  return [
    locking(rendering, "finalize", `ALTER TABLE ${parentName} DETACH PARTITION ${childName} FINALIZE`),
    ...kept(rendering),
  ];
}

/** `LOCK TABLE` of exactly these relations (`ONLY`), in this order; PostgreSQL does not lock foreign tables so. */
function lockStatements({ facts, childName }: Rendering, relations: string[]): Statement[] {
  const below = facts.descendants.map(qualified);
  const lockable = [...relations, ...below].filter((name) => facts.relkind !== "f" || name !== childName);
  const locks = strongest(lockable.map(exclusive));
  if (locks.length === 0) return [];
  const list = locks.map(({ relation }) => `ONLY ${relation}`).join(", ");
  return [{ sql: `LOCK TABLE ${list} IN ACCESS EXCLUSIVE MODE`, locks, transactional: true, recheck: true }];
}

function exclusive(relation: string): Lock {
  return { relation, mode: "ACCESS EXCLUSIVE", hold: "instant" };
}

/** NOT VALID first and validated in a transaction of its own: the scan then keeps neither readers nor writers waiting. */
function guard(rendering: Rendering): Statement[] {
  const { childName, parent, step } = rendering;
  const predicates = (step.excludes ?? []).map((bound) => boundPredicate(bound, parent.keys));
  const conditions = predicates.filter((predicate) => predicate !== undefined).map((predicate) => `NOT (${predicate})`);
  if (conditions.length === 0) return [];
  const check = conditions.join(" AND ");
  const add =
    `ALTER TABLE ${childName} DROP CONSTRAINT IF EXISTS ${GUARD_NAME},` +
    ` ADD CONSTRAINT ${GUARD_NAME} CHECK (${check}) NOT VALID`;
  const validate = `ALTER TABLE ${childName} VALIDATE CONSTRAINT ${GUARD_NAME}`;
  return [
    { ...locking(rendering, "addGuard", add, defaultChild(rendering)), alone: true },
    { ...locking(rendering, "validateGuard", validate, defaultChild(rendering)), alone: true },
  ];
}

function unguard(rendering: Rendering): Statement[] {
  const sql = `ALTER TABLE ${rendering.childName} DROP CONSTRAINT IF EXISTS ${GUARD_NAME}`;
  return [locking(rendering, "addGuard", sql, defaultChild(rendering))];
}

function defaultChild({ parent }: Rendering): Partial<LockTarget> {
  return { descendants: parent.defaultDescendants };
}

function rename(rendering: Rendering): Statement[] {
  const { step, child } = rendering;
  const current = step.current;
  if (current === undefined) throw new RangeError(`Step ${step.id} does not say what the table is called now.`);
  const statement = (relation: RelationName, action: string): Statement => ({
    sql: `ALTER TABLE ${qualified(relation)} ${action}`,
    locks: [exclusive(qualified(current))],
    transactional: true,
  });
  const renamed = { schema: current.schema, name: child.name };
  return [
    ...(current.name === child.name ? [] : [statement(current, `RENAME TO ${quoteIdent(child.name)}`)]),
    ...(current.schema === child.schema ? [] : [statement(renamed, `SET SCHEMA ${quoteIdent(child.schema)}`)]),
  ];
}

function adjust({ step, parent, child }: Rendering): Statement[] {
  return adjustStatements(parent, child, step.differences ?? []);
}

/** Foreign keys go first, one by one: DROP TABLE would lock every referenced table at once. */
function dropTable(rendering: Rendering): Statement[] {
  const { childName, facts, parent } = rendering;
  const keys = facts.foreignKeys.map((key): Statement => {
    const { on, name } = key;
    const sql = `ALTER TABLE ${qualified(on)} DROP CONSTRAINT IF EXISTS ${quoteIdent(name)}`;
    const descendants = qualified(on) === childName ? facts.descendants : [];
    const about = { ...rendering, child: on };
    return {
      ...locking(about, "dropForeignKey", sql, { references: lockedByDrop(parent, key), descendants }),
      alone: true,
      recheck: true,
    };
  });
  const kind = facts.relkind === "f" ? "FOREIGN TABLE" : "TABLE";
  return [
    ...keys,
    ...lockStatements(rendering, [childName]),
    { ...locking(rendering, "dropTable", `DROP ${kind} ${childName}`), confirm: true },
  ];
}

/** Nothing before the proof is committed; what follows it is tried for by itself, so that it need not be made again. */
function dropArchived(rendering: Rendering): Statement[] {
  const dropping = dropTable(rendering).map((statement) => ({ ...statement, alone: false, patient: true }));
  return [...provingStatements(rendering), ...dropping];
}

function restore(rendering: Rendering): Statement[] {
  const { parent, child, step } = rendering;
  const { childName } = rendering;
  const divided = partitionByClause(step.level);
  const check = proofOfBound(rendering);
  const add = `ALTER TABLE ${childName} ADD CONSTRAINT ${quoteIdent(BOUND_CHECK)} CHECK (${check})`;
  const descendants = relationsBelow(step.level, step.schema);
  const altering = (sql: string) => locking(rendering, "addGuard", sql, { descendants });
  const without = withoutUnvalidated(rendering);
  const made = [
    ...likeStatements(parent, child, { ...step, divided }),
    ...(without === undefined ? [] : [locking(rendering, "addGuard", without)]),
    ...insideStatements(parent, child, step.level, "like"),
    ...(check === undefined ? [] : [altering(add)]),
  ];
  return restoreStatements(rendering, made, altering);
}

/** PostgreSQL 14 has no triggers on a partition that is partitioned itself, so that nobody need be kept from it. */
function lockedByDrop({ major }: ParentFacts, { references, divided }: LeafForeignKey): RelationName[] {
  const spared = new Set(major < 15 ? divided.map(qualified) : []);
  return references.filter((relation) => !spared.has(qualified(relation)));
}

/** The parent has a key to the same table, which the partition's own may become a part of. */
function mayMerge({ references, itself = [] }: ParentFacts, { references: [target] }: LeafForeignKey): boolean {
  const name = target && qualified(target);
  return [...references, ...itself].some((one) => qualified(one) === name);
}

/** The same of those tables that have no triggers of a partition's key: on 14 none that is partitioned has. */
function lockedByMerge(parent: ParentFacts, key: LeafForeignKey): RelationName[] {
  return lockedByDrop(parent, key).slice(parent.major < 15 && key.partitioned ? 1 : 0);
}

function locking(
  { parent, child, facts }: Rendering,
  kind: LockingStatement,
  sql: string,
  target: Partial<LockTarget> = {},
): Statement {
  const keptReferences = facts.foreignKeys.flatMap((key) => (isOwn(key) ? [] : key.references));
  const parted = facts.foreignKeys.flatMap((key) =>
    isOwn(key) && qualified(key.on) === qualified(child) ? key.references.slice(1) : [],
  );
  const about = { child, descendants: facts.descendants, keptReferences, partedReferences: parted };
  const locks = locksOf(kind, parent, { ...about, ...target });
  return { sql, locks, transactional: true };
}

/** Of the partition alone, to a partitioned table. */
function isOwn({ partitioned, inherited }: LeafForeignKey): boolean {
  return partitioned && !inherited;
}

function boundOf(step: Step): PartitionBound {
  if (step.bound === undefined) throw new RangeError(`Step ${step.id} has no bound.`);
  return step.bound;
}
