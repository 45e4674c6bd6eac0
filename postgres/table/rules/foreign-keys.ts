/**
 * What is done about foreign keys to other tables. From 18 on the parent takes one NOT VALID, and its partitions are
 * validated one by one. Before, or where a partition has one already, each partition gets its own, NOT VALID and then
 * validated, and the parent's adopts them without reading a row. Pure.
 */
import type { DeclaredForeignKey, Descendant } from "../../../topology/table/model";
import { qualified, quoteIdent } from "../../identifiers";
import { strongest } from "../../locks";
import type { Lock, Statement } from "../../statement";
import type { Alteration, Piece } from "../alteration";
import { foreignKeyContent, sameContent } from "../compare-constraints";
import { foreignKeyClause, statement } from "../create";
import {
  type Context,
  closeTree,
  entry,
  leaves,
  locks,
  type Outcome,
  partitioned,
  property,
  type Rule,
  someRows,
  validate,
} from "./context";
import { freeName } from "./names";

/** The first version in which a partitioned table takes a foreign key NOT VALID (42809 before). */
const NOT_VALID_ON_PARENT = 18;

export const addForeignKey: Rule = (context) =>
  entry(context.declared.foreignKeys, context, (key) => add(context, key)) ?? "The foreign key is not declared.";

function add(context: Context, declared: DeclaredForeignKey): Outcome {
  const { relation, empty, tree, facts, partitions } = context;
  const refs = referenced(context, declared);
  if (empty) {
    return [statement(`ALTER TABLE ${relation} ADD ${foreignKeyClause(declared)}`, sharing([relation, ...refs]))];
  }
  const name = declared.name ?? freeName(`${context.actual.name}_${declared.columns.join("_")}_fkey`, context);
  const key = { ...declared, name };
  // What a foreign key of the parent has adopted would be taken back with it.
  const own = partitions.some(({ oid }) => equalOn(context, oid) !== undefined);
  if (own || facts.major < NOT_VALID_ON_PARENT) return fromBelow(context, key, refs);
  const added = `ALTER TABLE ${relation} ADD ${foreignKeyClause(key)} NOT VALID`;
  return {
    ...fromAbove(context, key, refs, leaves(context).filter(unlessValid(context))),
    begin: [statement(added, sharing([...tree, ...refs]))],
    takeBack: [drop(relation, name, [...tree, ...dropping(context, key)])],
  };
}

/** Only a rename and the validation of what is there are made in place. */
export const changeForeignKey: Rule = (context) =>
  entry(context.declared.foreignKeys, context, (key) => change(context, key)) ?? "The foreign key is not declared.";

function change(context: Context, declared: DeclaredForeignKey): Outcome {
  const { difference, relation, facts } = context;
  const { counterpart = "" } = difference;
  const name = declared.name ?? counterpart;
  if (property(difference) === "name") {
    const renamed = `RENAME CONSTRAINT ${quoteIdent(counterpart)} TO ${quoteIdent(name)}`;
    return [statement(`ALTER TABLE ${relation} ${renamed}`, locks([relation], "ACCESS EXCLUSIVE"))];
  }
  if (property(difference) !== "valid" || facts.major < NOT_VALID_ON_PARENT) {
    return "A foreign key cannot be altered in this way. The safe way: declare the new one under another name, and drop the old one by hand once it is there.";
  }
  const invalid = leaves(context).filter(({ oid }) => equalOn(context, oid)?.valid === false);
  return fromAbove(context, { ...declared, name }, referenced(context, declared), invalid);
}

/** The validation of a foreign key that the parent has, or is about to have. */
function fromAbove(
  context: Context,
  key: DeclaredForeignKey & { name: string },
  refs: string[],
  unproven: Descendant[],
): Alteration {
  const { relation } = context;
  return {
    ...described(context, key),
    begin: [],
    pieces: unproven.map((partition) => {
      const own = equalOn(context, partition.oid)?.name ?? key.name;
      return { partition, statements: [validateKey(partition, own, refs)], takeBack: [] };
    }),
    finish: [
      statement(
        `ALTER TABLE ${relation} VALIDATE CONSTRAINT ${quoteIdent(key.name)}`,
        locks(partitioned(context), "SHARE UPDATE EXCLUSIVE"),
      ),
    ],
    takeBack: [],
  };
}

function fromBelow(context: Context, key: DeclaredForeignKey & { name: string }, refs: string[]): Alteration {
  const { relation } = context;
  const pieces = leaves(context).map((partition) => onPartition(context, partition, key, refs));
  return {
    ...described(context, key),
    begin: [],
    pieces: pieces.filter(({ statements }) => statements.length > 0),
    finish: [
      closeTree(context),
      statement(`ALTER TABLE ${relation} ADD ${foreignKeyClause(key)}`, merging(context, key)),
    ],
    takeBack: [],
  };
}

function onPartition(
  context: Context,
  partition: Descendant,
  key: DeclaredForeignKey & { name: string },
  refs: string[],
): Piece {
  const relation = qualified(partition);
  const there = equalOn(context, partition.oid);
  const name = there?.name ?? key.name;
  const added = `ALTER TABLE ${relation} ADD ${foreignKeyClause({ ...key, name })} NOT VALID`;
  return {
    partition,
    statements: [
      ...(there === undefined ? [statement(added, sharing([relation, ...refs]))] : []),
      ...(there?.valid ? [] : [validateKey(partition, name, refs)]),
    ],
    takeBack: there?.valid ? [] : [drop(relation, name, [relation, ...dropping(context, key)])],
  };
}

function described(
  { difference, relation }: Context,
  key: DeclaredForeignKey & { name: string },
): Pick<Alteration, "difference" | "title" | "offenders"> {
  const columns = difference.content?.columns ?? "";
  const target = qualified({ schema: key.references.schema, name: key.references.table });
  const referencedColumns = key.references.columns;
  const offenders =
    referencedColumns &&
    someRows(
      `${relation} AS f`,
      [
        ...key.columns.map((column) => `f.${quoteIdent(column)} IS NOT NULL`),
        `NOT EXISTS (SELECT FROM ${target} AS r WHERE ${referencedColumns
          .map((column, index) => `r.${quoteIdent(column)} = f.${quoteIdent(key.columns[index] ?? "")}`)
          .join(" AND ")})`,
      ].join(" AND "),
    ).replace("SELECT tableoid", "SELECT f.tableoid");
  return { difference, title: `the foreign key ${quoteIdent(key.name)} ${columns}`.trimEnd(), offenders };
}

function validateKey(partition: Descendant, name: string, [target = "", ...below]: string[]): Statement {
  return validate(partition, quoteIdent(name), [...locks([target], "ROW SHARE"), ...locks(below, "ACCESS SHARE")]);
}

function drop(relation: string, name: string, locked: string[]): Statement {
  return statement(`ALTER TABLE ${relation} DROP CONSTRAINT ${quoteIdent(name)}`, locks(locked, "ACCESS EXCLUSIVE"));
}

function sharing(relations: string[]): Lock[] {
  return strongest(locks(relations, "SHARE ROW EXCLUSIVE"));
}

/**
 * Merging removes triggers of the partitions' own foreign keys, of each the topmost only: those on the referenced table and,
 * when that one has partitions, those of the partitions that reference it.
 */
function merging(context: Context, key: DeclaredForeignKey): Lock[] {
  const { facts, tree, partitions } = context;
  const merged = partitions.filter(({ oid, relkind }) => {
    const there = equalOn(context, oid);
    return there === undefined ? relkind === "r" : !there.inherited;
  });
  const refs = referenced(context, key);
  const own = new Set(refs.length === 1 ? [] : merged.map(qualified));
  const untouched = new Set(facts.major < NOT_VALID_ON_PARENT ? beneath(context, merged).map(qualified) : []);
  const shared = tree.filter((name) => !own.has(name) && !untouched.has(name));
  const kept = withoutTriggers(context, key);
  return strongest([
    ...locks([...shared, ...kept], "SHARE ROW EXCLUSIVE"),
    ...locks([...own, ...refs.filter((name) => !kept.has(name))], "ACCESS EXCLUSIVE"),
  ]);
}

/** What is below partitions: before 18 PostgreSQL does not go there when their own foreign key is adopted. */
function beneath(context: Context, above: Descendant[]): Descendant[] {
  const oids = new Set(above.map(({ oid }) => oid));
  const direct = context.partitions.filter(({ parent }) => oids.has(parent));
  return direct.length === 0 ? [] : [...direct, ...beneath(context, direct)];
}

/** What is locked when the foreign key goes. */
function dropping(context: Context, key: DeclaredForeignKey): string[] {
  const [target = "", ...below] = referenced(context, key);
  const untouched = withoutTriggers(context, key);
  return [target, ...below.filter((name) => !untouched.has(name))];
}

/** Before 15 a referenced table with partitions has no triggers for the foreign key; only its partitions have. */
function withoutTriggers({ facts }: Context, { references }: DeclaredForeignKey): Set<string> {
  const target = qualified({ schema: references.schema, name: references.table });
  const below = facts.below.get(target) ?? [];
  if (facts.major >= 15 || below.length === 0) return new Set();
  return new Set([target, ...below.filter(({ relkind }) => relkind === "p").map(qualified)]);
}

/** The referenced table and its partitions, qualified. */
function referenced({ facts }: Context, { references }: DeclaredForeignKey): string[] {
  const target = qualified({ schema: references.schema, name: references.table });
  return [target, ...(facts.below.get(target) ?? []).map(qualified)];
}

/** The foreign key of a partition that says the same, valid or not. */
function equalOn({ facts, difference }: Context, oid: number) {
  const wanted = difference.content ?? {};
  return facts.constraints.get(oid)?.foreignKeys.find((key) => {
    const content = foreignKeyContent(key);
    return sameContent({ ...wanted, valid: content.valid }, content);
  });
}

function unlessValid(context: Context): (partition: Descendant) => boolean {
  return ({ oid }) => equalOn(context, oid)?.valid !== true;
}
