/**
 * PostgreSQL 14 drops a partition's foreign keys to partitioned tables when it is detached, without a word. They are put back
 * in the transaction of the detach, so that no commit is without them, and validated in one of their own.
 */
import type { RelationName } from "../topology/model";
import { qualified, quoteIdent } from "./identifiers";
import { locksOf } from "./locks";
import type { ChildFacts, LeafForeignKey, ParentFacts } from "./parent";
import type { Statement } from "./statement";

/** Statements behind the detach of a table that stays. */
export function keepForeignKeys(
  parent: ParentFacts,
  child: RelationName,
  { lostForeignKeys = [], descendants }: ChildFacts,
): Statement[] {
  const leaving = new Set([child, ...descendants].map(qualified));
  return [
    ...lostForeignKeys.map((key) =>
      statement("addForeignKey", parent, leaving, key, `ADD ${constraint(key)} ${key.definition} NOT VALID`),
    ),
    ...lostForeignKeys.map((key) => ({ ...validate(parent, leaving, key), afterwards: true })),
  ];
}

/** What a run that was interrupted after the detach has left to do. */
export function validateForeignKeys(parent: ParentFacts, { unvalidatedForeignKeys = [] }: ChildFacts): Statement[] {
  return unvalidatedForeignKeys.map((key) => validate(parent, new Set(), key));
}

function validate(parent: ParentFacts, leaving: ReadonlySet<string>, key: LeafForeignKey): Statement {
  return { ...statement("validateForeignKey", parent, leaving, key, `VALIDATE ${constraint(key)}`), alone: true };
}

function constraint({ name }: LeafForeignKey): string {
  return `CONSTRAINT ${quoteIdent(name)}`;
}

function statement(
  kind: "addForeignKey" | "validateForeignKey",
  parent: ParentFacts,
  leaving: ReadonlySet<string>,
  { on, references: all }: LeafForeignKey,
  action: string,
): Statement {
  const references = all.filter((relation) => !leaving.has(qualified(relation)));
  const sql = `ALTER TABLE ${qualified(on)} ${action}`;
  return { sql, locks: locksOf(kind, parent, { child: on, references }), transactional: true };
}
