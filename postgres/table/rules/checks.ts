/**
 * What is done about CHECKs that are not as declared. NOT VALID on the parent reaches all partitions in one moment and is
 * checked for new rows from then on; old rows are read partition by partition, and then the parent has only to be told.
 * Pure.
 */
import type { DeclaredCheck } from "../../../topology/table/model";
import { quoteIdent } from "../../identifiers";
import type { Statement } from "../../statement";
import type { Piece } from "../alteration";
import { checkClause, lookupPath, statement } from "../create";
import { notNullProof, replacementOf } from "../interim";
import {
  type Context,
  entry,
  leaves,
  locks,
  type Outcome,
  onTree,
  property,
  type Rule,
  sameEntry,
  someRows,
  validate,
} from "./context";
import { freeName } from "./names";

export const addCheck: Rule = (context) =>
  entry(context.declared.checks, context, (check) => add(context, check)) ?? "The check is not declared.";

function add(context: Context, check: DeclaredCheck): Outcome {
  const { relation, empty, actual, difference } = context;
  const printed = difference.content?.expression ?? check.expression;
  if (empty) return [onTree(`ALTER TABLE ${relation} ADD ${checkClause(check)}`, context)];
  const name = check.name ?? freeName(`${actual.name}_check`, context);
  return {
    difference,
    title: `the check ${quoteIdent(name)}`,
    begin: addNotValid(context, name, check),
    pieces: validations(context, name, false),
    finish: [validateAll(context, name)],
    takeBack: [drop(context, name)],
    offenders: someRows(relation, `(${printed}) IS FALSE`),
  };
}

export const changeCheck: Rule = (context) =>
  entry(context.declared.checks, context, (check) => change(context, check)) ?? "The check is not declared.";

function change(context: Context, check: DeclaredCheck): Outcome {
  const { difference, differences, relation } = context;
  const { counterpart = "", content = {} } = difference;
  const changed = differences.filter(sameEntry(difference)).map(property);
  const asked = property(difference);
  if (changed.includes("expression") || changed.includes("enforced")) {
    const leading = changed.includes("expression") ? "expression" : "enforced";
    return asked === leading ? replace(context, counterpart, check) : [];
  }
  if (asked === "name") {
    const renamed = `RENAME CONSTRAINT ${quoteIdent(counterpart)} TO ${quoteIdent(difference.declared ?? "")}`;
    return [onTree(`ALTER TABLE ${relation} ${renamed}`, context)];
  }
  // Renaming is a moment's work and done before.
  const name = check.name ?? counterpart;
  return {
    difference,
    title: `the check ${quoteIdent(name)}`,
    begin: [],
    pieces: validations(context, counterpart, true, name),
    finish: [validateAll(context, name)],
    takeBack: [],
    offenders: someRows(relation, `(${content.expression}) IS FALSE`),
  };
}

/** The new check is proven under another name beside the old one, and then takes its place in one moment. */
function replace(context: Context, name: string, check: DeclaredCheck): Outcome {
  const { relation, actual, difference } = context;
  const printed = difference.content?.expression;
  const interim = replacementOf(name);
  const there = actual.checks.find((check) => check.name === interim);
  const begun = there !== undefined && there.expression === printed;
  const rename = `RENAME CONSTRAINT ${quoteIdent(interim)} TO ${quoteIdent(name)}`;
  return {
    difference,
    title: `the check ${quoteIdent(name)}`,
    begin: begun
      ? []
      : [...(there === undefined ? [] : [drop(context, interim)]), ...addNotValid(context, interim, check)],
    pieces: validations(context, interim, begun),
    finish: [validateAll(context, interim), drop(context, name), onTree(`ALTER TABLE ${relation} ${rename}`, context)],
    takeBack: begun ? [] : [drop(context, interim)],
    offenders: someRows(relation, `(${printed}) IS FALSE`),
  };
}

/** What an interrupted run has begun is taken away, unless this one goes on with it. */
export const removeLeftOver: Rule = (context) => {
  const { difference, differences, declared } = context;
  const name = difference.counterpart ?? "";
  const needed = differences.some(({ kind, position, counterpart }) => {
    const column = position === undefined ? undefined : declared.columns?.[position];
    if (kind === "columnNullable") return column?.nullable === false && notNullProof(column.name) === name;
    return kind === "checkChanged" && counterpart !== undefined && replacementOf(counterpart) === name;
  });
  return needed ? [] : [drop(context, name)];
};

/** As it is declared: what PostgreSQL prints would read the same, and be printed otherwise once it is read again. */
function addNotValid(context: Context, name: string, { expression }: DeclaredCheck): Statement[] {
  const added = `ALTER TABLE ${context.relation} ADD ${checkClause({ name, expression })} NOT VALID`;
  return [lookupPath(context.declared.schema), onTree(added, context)];
}

function drop(context: Context, name: string) {
  return onTree(`ALTER TABLE ${context.relation} DROP CONSTRAINT ${quoteIdent(name)}`, context);
}

/** Once every partition is validated nothing is read any more. */
function validateAll({ relation, tree }: Context, name: string) {
  return statement(
    `ALTER TABLE ${relation} VALIDATE CONSTRAINT ${quoteIdent(name)}`,
    locks(tree, "SHARE UPDATE EXCLUSIVE"),
  );
}

/** With `begun` only the partitions that are left over; one that has an equal valid check of its own is not read either. */
function validations(context: Context, found: string, begun: boolean, name = found): Piece[] {
  return leaves(context)
    .filter(({ oid }) => {
      const there = context.facts.constraints.get(oid)?.checks.find((check) => check.name === found);
      return there === undefined ? !begun : !there.valid;
    })
    .map((partition) => ({ partition, statements: [validate(partition, quoteIdent(name))], takeBack: [] }));
}
