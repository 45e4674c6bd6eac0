/** Makes the tables that rows are copied into. Nobody but the capture knows them until the swap. */
import type { NewLevel, RelationName } from "../../topology/model";
import { boundClause } from "../boundSql";
import { likeStatements } from "../childAttributes";
import { GUARD_NAME } from "../guard";
import { qualified, quoteIdent, quoteLiteral } from "../identifiers";
import { locksOf } from "../locks";
import type { ParentFacts } from "../parent";
import type { Statement } from "../statement";
import { commentsMade, insideStatements, partitionByClause } from "../subtree";
import { captureFunction } from "./capture";
import { BOUND_CHECK, type Layout, TAKEN, type Target } from "./names";
import { recordText } from "./record";
import {
  bystandingDefault,
  isDefault,
  keyList,
  lock,
  part,
  type ReorganizationRendering,
  rowsOf,
  statement,
} from "./rendering";

/** One transaction; of what is there already it locks the parent only, and that ACCESS SHARE. */
export function prepareStatements(rendering: ReorganizationRendering): Statement[] {
  return part("prepare the copy", [
    ...stagingStatements(rendering),
    ...rendering.layout.targets.flatMap((target) => targetStatements(rendering, target)),
    ...captureFunction(rendering),
  ]);
}

/** Partitioned like the parent, so that PostgreSQL finds the target of each row, and ON CONFLICT its unique key. */
function stagingStatements(rendering: ReorganizationRendering): Statement[] {
  const { parent, copying, layout } = rendering;
  const { staging, missed, progress } = layout;
  const like = `LIKE ${qualified(parent)} INCLUDING ALL EXCLUDING IDENTITY EXCLUDING STATISTICS EXCLUDING COMMENTS`;
  const keys = keyList(rendering);
  return [
    statement(`CREATE TABLE ${qualified(staging)} (${like}) PARTITION BY ${copying.partitionKey}`, [
      lock(parent, "ACCESS SHARE"),
    ]),
    commentStatement(rendering, "copying"),
    statement(
      `CREATE TABLE ${qualified(missed)} AS SELECT ${keys}, false AS ${TAKEN} FROM ${qualified(staging)} WITH NO DATA`,
      [],
    ),
    statement(`ALTER TABLE ${qualified(missed)} ALTER ${TAKEN} SET DEFAULT false`, []),
    statement(
      `CREATE TABLE ${qualified(progress)} (source oid PRIMARY KEY, next bigint NOT NULL, stop bigint NOT NULL)`,
      [],
    ),
    ...[staging, missed, progress].flatMap((relation) => revoked(parent, relation)),
  ];
}

/** Default privileges must not show somebody rows that the parent's row security hides from him. */
function revoked({ attributes }: ParentFacts, relation: RelationName): Statement[] {
  return attributes.defaultGrantees.map((grantee) => {
    const role = grantee === undefined ? "PUBLIC" : quoteIdent(grantee);
    return statement(`REVOKE ALL ON TABLE ${qualified(relation)} FROM ${role}`, []);
  });
}

/** By this comment the next run knows what it has found. */
export function commentStatement(
  { parent, layout }: { parent: ParentFacts & { oid?: number }; layout: Layout },
  phase: "copying" | "swapped",
): Statement {
  const text = recordText({ parent: parent.oid ?? 0, phase, sources: layout.sources, targets: layout.targets });
  return statement(`COMMENT ON TABLE ${qualified(layout.staging)} IS ${quoteLiteral(text)}`, [
    lock(layout.staging, "SHARE UPDATE EXCLUSIVE"),
  ]);
}

/**
 * The CHECK is made while there are no rows; it spares the scan when the target is attached to the parent. On a table with
 * partitions it is theirs, too.
 */
function targetStatements(rendering: ReorganizationRendering, target: Target): Statement[] {
  const { parent, copying, layout } = rendering;
  const name = qualified(target.relation);
  const condition = rowsOf(target.bound, siblings(rendering), parent);
  const proof = copying.condition === undefined ? condition : `(${copying.condition}) AND (${condition})`;
  return [
    ...targetTable(parent, target, target.relation, target.reserved),
    statement(`ALTER TABLE ${name} ADD CONSTRAINT ${BOUND_CHECK} CHECK (${proof})`, []),
    statement(`ALTER TABLE ${qualified(layout.staging)} ATTACH PARTITION ${name} ${boundClause(target.bound)}`, []),
  ];
}

/** A new table for the rows of a target, as it is declared, with everything below it (`level`). */
export function targetTable(
  parent: ParentFacts,
  target: Target,
  relation: RelationName,
  level: NewLevel | undefined,
): Statement[] {
  const { storage, comment, generated } = target;
  const said = commentsMade({ schema: relation.schema, partition: relation.name, comment, level });
  return [
    ...likeStatements(parent, relation, {
      divided: partitionByClause(level),
      storage,
      generated,
      objects: target.relation.name,
    }),
    ...insideStatements(parent, relation, level, "like", (child) => objectsOf(target, child)),
    ...said.map(({ relation: child, text }) =>
      statement(
        `COMMENT ON TABLE ${qualified(child)} IS ${quoteLiteral(text)}`,
        locksOf("maintainChild", parent, { child }),
      ),
    ),
  ];
}

/** How statistics objects of a table below a target are named: those of a table that leaves have its name still. */
function objectsOf({ inside }: Target, child: RelationName): string {
  return inside.find(({ final }) => qualified(final) === qualified(child))?.relation.name ?? child.name;
}

/** Bounds beside which a new DEFAULT will stand. */
function siblings({ parent, layout }: ReorganizationRendering): Layout["targets"][number]["bound"][] {
  const gone = new Set(layout.sources.map(({ oid }) => oid));
  const staying = (parent.childBounds ?? []).filter(({ oid }) => !gone.has(oid)).map(({ bound }) => bound);
  return [...staying, ...layout.targets.map(({ bound }) => bound)];
}

/**
 * The parent's DEFAULT takes no part and holds no row of the sources' bounds, as long as these are attached. When they are
 * not, ATTACH would look through all of it under ACCESS EXCLUSIVE, were it not for this CHECK.
 */
export function guardStatements(rendering: ReorganizationRendering): Statement[] {
  const { parent, layout } = rendering;
  const fallback = bystandingDefault(rendering);
  if (fallback === undefined) return [];
  const conditions = layout.targets
    .filter((target) => !isDefault(target))
    .map(({ bound }) => `NOT (${rowsOf(bound, [], parent)})`);
  const name = qualified(fallback);
  const target = { child: fallback, descendants: parent.defaultDescendants };
  const add = `ALTER TABLE ${name} DROP CONSTRAINT IF EXISTS ${GUARD_NAME}, ADD CONSTRAINT ${GUARD_NAME} CHECK (${conditions.join(" AND ")}) NOT VALID`;
  const validate = `ALTER TABLE ${name} VALIDATE CONSTRAINT ${GUARD_NAME}`;
  return part(`prove that ${fallback.name} holds no row of the new partitions`, [
    statement(add, locksOf("addGuard", parent, target), { alone: true }),
    statement(validate, locksOf("validateGuard", parent, target), { alone: true }),
  ]);
}

export function dropGuard({ parent }: ReorganizationRendering, fallback: RelationName): Statement {
  return statement(
    `ALTER TABLE ${qualified(fallback)} DROP CONSTRAINT IF EXISTS ${GUARD_NAME}`,
    locksOf("addGuard", parent, { child: fallback, descendants: parent.defaultDescendants }),
  );
}
