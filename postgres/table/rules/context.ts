/** What a rule about a difference works with, and what rules share. Pure. */
import type { ActualTable, DeclaredColumn, DeclaredTable, Descendant } from "../../../topology/table/model";
import { qualified } from "../../identifiers";
import type { Lock, LockMode, Statement } from "../../statement";
import type { Alteration, IndexWork } from "../alteration";
import { lock, statement } from "../create";
import type { Difference } from "../difference";
import type { TreeFacts } from "../tree";

export interface Context {
  declared: DeclaredTable;
  actual: ActualTable;
  difference: Difference;
  /** All that is to be put right, in order. */
  differences: Difference[];
  facts: TreeFacts;
  /** The table, qualified. */
  relation: string;
  /** Everything below the table that its changes reach; one that is half detached is not reached any more. */
  partitions: Descendant[];
  /** The table and its partitions, qualified. */
  tree: string[];
  /** No partitions: no rows, and nothing to scan or to rewrite. */
  empty: boolean;
}

/** Statements of a moment, a longer change, an index, or the reason why there is nothing of these. */
export type Outcome = Statement[] | Alteration | IndexWork | string;

export type Rule = (context: Context) => Outcome;

/** Names of the table and of what its changes reach. */
export function reached(actual: ActualTable): Pick<Context, "relation" | "partitions" | "tree" | "empty"> {
  const relation = qualified(actual);
  const partitions = actual.descendants.filter(({ pending }) => !pending);
  return {
    relation,
    partitions,
    tree: [relation, ...partitions.map(qualified)],
    empty: actual.descendants.length === 0,
  };
}

export function refuse(reason: string): Rule {
  return () => reason;
}

/** A rule about a declared column. */
export function at(rule: (context: Context, column: DeclaredColumn) => Outcome): Rule {
  return (context) =>
    entry(context.declared.columns ?? [], context, (column) => rule(context, column)) ?? "The column is not declared.";
}

/** Applies a rule to the declared entry that the difference is about. */
export function entry<D, R>(declared: D[], { difference }: Context, rule: (item: D) => R): R | undefined {
  const item = difference.position === undefined ? undefined : declared[difference.position];
  return item === undefined ? undefined : rule(item);
}

export function locks(relations: string[], mode: LockMode, hold: Lock["hold"] = "instant"): Lock[] {
  return relations.map((relation) => ({ relation, mode, hold }));
}

/** A statement that locks the table and all its partitions for a moment. */
export function onTree(sql: string, { tree }: Context, mode: LockMode = "ACCESS EXCLUSIVE"): Statement {
  return statement(sql, locks(tree, mode));
}

/** Partitions that hold rows themselves and whose rows PostgreSQL reads; those of a foreign table it does not. */
export function leaves({ partitions }: Context): Descendant[] {
  return partitions.filter(({ relkind }) => relkind === "r");
}

/** The table and those of its partitions that have partitions, qualified. */
export function partitioned({ relation, partitions }: Context): string[] {
  return [relation, ...partitions.filter(({ relkind }) => relkind === "p").map(qualified)];
}

/** `VALIDATE CONSTRAINT` on one partition: its rows are read, and neither readers nor writers wait. */
export function validate(partition: Descendant, validation: string, more: Lock[] = []): Statement {
  const name = qualified(partition);
  return statement(`ALTER TABLE ${name} VALIDATE CONSTRAINT ${validation}`, [
    { relation: name, mode: "SHARE UPDATE EXCLUSIVE", hold: "scan" },
    ...more,
  ]);
}

/**
 * Keeps partitions from being attached anywhere in the tree until the transaction ends; with `recheck` the executor then
 * looks whether it is the tree that was planned for.
 */
export function closeTree(context: Context): Statement {
  const parents = partitioned(context);
  const list = parents.map((name) => `ONLY ${name}`).join(", ");
  return {
    ...statement(
      `LOCK TABLE ${list} IN SHARE UPDATE EXCLUSIVE MODE`,
      parents.map((name) => lock(name, "SHARE UPDATE EXCLUSIVE")),
    ),
    recheck: true,
  };
}

/** A query for some of the rows for which a condition holds. */
export function someRows(relation: string, condition: string): string {
  return `SELECT tableoid::regclass AS partition, * FROM ${relation} WHERE ${condition} LIMIT 10`;
}

/** The last part of a path: `valid` of `checks[0].valid`. */
export function property({ path }: Difference): string {
  return path.slice(path.lastIndexOf(".") + 1);
}

/** Differences of the same declared constraint. */
export function sameEntry({ kind, position }: Difference): (other: Difference) => boolean {
  return (other) => other.kind === kind && other.position === position;
}
