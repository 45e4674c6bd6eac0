/** Foreign keys that a table gets before it is attached. */

import type { RelationName } from "../topology/model";
import { qualified, quoteIdent } from "./identifiers";
import { type LockingStatement, locksOf } from "./locks";
import type { LeafForeignKey, ParentFacts } from "./parent";
import type { Statement } from "./statement";

export type KeyAhead = LeafForeignKey & { definition: string };

/**
 * The parent's keys to ordinary tables: ATTACH would read all rows for them while nobody can write to those tables, and merges
 * a valid equal key in a moment.
 */
export function keysAhead(parent: ParentFacts, child: RelationName): KeyAhead[] {
  const tree = new Set([parent, ...parent.ancestors].map(qualified));
  return (parent.copying?.foreignKeys ?? []).flatMap(({ name, definition, references, valid }): KeyAhead[] => {
    const [referenced, ...below] = references;
    if (!valid || referenced === undefined || below.length > 0 || tree.has(qualified(referenced))) return [];
    return [{ on: child, name, definition, references, divided: [], partitioned: false, inherited: false }];
  });
}

/** NOT VALID in a moment, then validated beside readers and writers. What an interrupted run has made is there already. */
export function addedAhead(parent: ParentFacts, key: KeyAhead, known: readonly LeafForeignKey[]): Statement[] {
  const { on, name, definition, references } = key;
  const alter = (kind: LockingStatement, action: string): Statement => ({
    sql: `ALTER TABLE ${qualified(on)} ${action}`,
    locks: locksOf(kind, parent, { child: on, references }),
    transactional: true,
    alone: true,
  });
  const constraint = `CONSTRAINT ${quoteIdent(name)}`;
  const isThere = known.some((one) => one.name === name);
  return [
    ...(isThere ? [] : [alter("addForeignKey", `ADD ${constraint} ${definition} NOT VALID`)]),
    alter("validateForeignKey", `VALIDATE ${constraint}`),
  ];
}
