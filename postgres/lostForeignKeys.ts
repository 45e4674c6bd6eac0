/**
 * PostgreSQL 14 drops a partition's foreign keys to partitioned tables when it is detached, without a word. They are put back
 * in the transaction of the detach, so that no commit is without them, and validated in one of their own.
 */
import type { RelationName } from "../topology/model";
import { qualified, quoteIdent } from "./identifiers";
import { locksOf } from "./locks";
import type { ChildFacts, LostForeignKey, ParentFacts } from "./parent";
import type { Statement } from "./statement";

/** A lost key with what it says. */
interface Kept {
  key: LostForeignKey;
  name: string;
  definition: string;
}

/** Statements behind the detach; `root` is the set's own table, which hands its foreign keys down. */
export function keepForeignKeys(
  root: ParentFacts,
  parent: ParentFacts,
  child: RelationName,
  { lostForeignKeys = [], descendants }: ChildFacts,
): Statement[] {
  const leaving = new Set([child, ...descendants].map(qualified));
  const kept = definitionsOf(root, lostForeignKeys);
  return [
    ...kept.map((one) => statement("addForeignKey", parent, leaving, one)),
    ...kept.map((one) => ({ ...statement("validateForeignKey", parent, leaving, one), alone: true, afterwards: true })),
  ];
}

/** Several keys of a table may lead to one other table: they are told apart by their order. */
function definitionsOf(root: ParentFacts, lost: readonly LostForeignKey[]): Kept[] {
  const counts = new Map<string, number>();
  return lost.flatMap((key) => {
    const [target] = key.references;
    if (target === undefined) return [];
    const place = JSON.stringify([key.on, target]);
    const at = counts.get(place) ?? 0;
    counts.set(place, at + 1);
    const same = (root.copying?.foreignKeys ?? []).filter(
      ({ references: [table] }) => table !== undefined && qualified(table) === qualified(target),
    );
    const found = same[at];
    return found === undefined ? [] : [{ key, name: found.name, definition: found.definition }];
  });
}

function statement(
  kind: "addForeignKey" | "validateForeignKey",
  parent: ParentFacts,
  leaving: ReadonlySet<string>,
  { key, name, definition }: Kept,
): Statement {
  const table = `ALTER TABLE ${qualified(key.on)}`;
  const constraint = `CONSTRAINT ${quoteIdent(name)}`;
  const sql = {
    addForeignKey: `${table} ADD ${constraint} ${definition} NOT VALID`,
    validateForeignKey: `${table} VALIDATE ${constraint}`,
  };
  const references = key.references.filter((relation) => !leaving.has(qualified(relation)));
  return { sql: sql[kind], locks: locksOf(kind, parent, { child: key.on, references }), transactional: true };
}
