/** What PostgreSQL will not do with a partitioned table, said before it is asked, with what to write instead. */
import type { InputFailure } from "../model";
import { columnRules } from "./column-rules";
import { foreignKeyRules, indexRules, keyConstraintRules } from "./constraint-rules";
import { columnsIn, type Draft, entriesIn, isObject, keyIn, primaryKeyIn } from "./draft";
import { type Facts, repeated, unknownColumns } from "./facts";
import { canBeKey } from "./types";

const RULES: ((facts: Facts) => InputFailure[])[] = [
  adoptionRules,
  columnRules,
  partitionKeyRules,
  keyConstraintRules,
  foreignKeyRules,
  indexRules,
  nameRules,
];

/** All failures of a draft against the rules. */
export function checkRules(draft: Draft, raw: Draft): InputFailure[] {
  const { columns, complete } = columnsIn(draft);
  const facts: Facts = {
    draft,
    raw,
    columns: new Map(columns.map((column) => [column.name, column])),
    columnsComplete: complete,
    key: keyIn(draft, raw),
    primaryKey: primaryKeyIn(draft, raw),
  };
  return RULES.flatMap((rule) => rule(facts));
}

const NEEDS_COLUMNS = ["primaryKey", "unique", "checks", "foreignKeys", "indexes"];

function adoptionRules({ draft }: Facts): InputFailure[] {
  if (draft.columns !== undefined) {
    return [];
  }
  return NEEDS_COLUMNS.filter((property) => {
    const value = draft[property];
    return Array.isArray(value) ? value.length > 0 : value !== undefined;
  }).map((property) => ({
    property,
    reason:
      "cannot be declared without `columns`: a table without declared columns belongs to somebody else and is left as it is. Declare the columns as well, or leave this out",
  }));
}

function partitionKeyRules(facts: Facts): InputFailure[] {
  const { key } = facts;
  if (key === undefined) {
    return [];
  }
  return [
    ...repeated(key.known, "is in the partition key twice"),
    ...unknownColumns(key, facts),
    ...key.known.flatMap(({ name, path }) => {
      const column = facts.columns.get(name)?.draft;
      const type = column?.type;
      if (isObject(column?.generated)) {
        return [
          {
            property: path,
            reason: `"${name}" is a generated column, which PostgreSQL does not take as a partition key (42P17); partition by the columns it is computed from`,
          },
        ];
      }
      if (typeof type === "string" && !canBeKey(type, key.strategy)) {
        const needs = key.strategy === "hash" ? "be hashed" : "be ordered";
        return [
          {
            property: path,
            reason: `"${name}" has the type ${type}, whose values cannot ${needs}; ${key.strategy.toUpperCase()} needs a key that can`,
          },
        ];
      }
      return [];
    }),
  ];
}

/** Constraints and indexes share their names with each other and the table, because each is a relation or may become one. */
function nameRules({ draft }: Facts): InputFailure[] {
  const constraints = [
    ...(isObject(draft.primaryKey) ? [{ draft: draft.primaryKey, path: "primaryKey" }] : []),
    ...["unique", "checks", "foreignKeys", "indexes"].flatMap((property) => entriesIn(draft, property)),
  ];
  const named = constraints.flatMap(({ draft: { name }, path }) =>
    typeof name === "string" ? [{ name, path: `${path}.name` }] : [],
  );
  const clashes = named.filter(
    ({ name, path }) => name === draft.name && !path.startsWith("checks") && !path.startsWith("foreignKeys"),
  );
  return [
    ...repeated(named, "is the name of another constraint or index of this table"),
    ...clashes.map(({ name, path }) => ({
      property: path,
      reason: `"${name}" is the name of the table; an index is a relation too and needs a name of its own`,
    })),
  ];
}
