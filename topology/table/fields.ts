/** The shape of a Table's inputs, as data. */
import { REFERENTIAL_ACTIONS } from "./model";
import { type Field, fail, flag, integer, list, name, object, oneOf, type Parser, sql, text } from "./shape";

const names = list(name, 1);
const type = sql("type");
const expression = sql("expression");

export const required = (parse: Parser): Field => ({ parse, required: true });
export const optional = (parse: Parser, fallback?: unknown): Field => ({ parse, fallback });

const columnOrColumns = (value: unknown): Record<string, unknown> | undefined =>
  typeof value === "object" && value !== null && "column" in value
    ? { ...value, columns: "columns" in value ? value.columns : [value.column] }
    : undefined;

/** `{column}` is short for `{columns: [column]}`, which is the normal form. */
function keyColumns(ignored: readonly string[]): Parser {
  const parse = object({ columns: required(names) }, ["column", ...ignored]);
  return (value, place) => {
    if (typeof value === "object" && value !== null && "column" in value && "columns" in value) {
      return fail(place, "has both `column` and `columns`; give one of them");
    }
    return parse(columnOrColumns(value) ?? value, place);
  };
}

/** A PartitionSet's `partitionBy` says more; here only strategy and columns count. */
const strategies: Record<string, Field> = {
  range: optional(keyColumns(["type", "types", "every", "timezone", "epoch", "anchor", "offset", "changes"])),
  list: optional((value, place) => {
    if (typeof value === "object" && value !== null && "columns" in value) {
      return fail({ ...place, path: `${place.path}.columns` }, "LIST has exactly one key column: write `column`");
    }
    return object({ column: required(name) }, ["type", "values"])(value, place);
  }),
  hash: optional(keyColumns(["partitions"])),
};

const partitionBy: Parser = (value, place) => {
  const parsed = object(strategies)(value, place);
  const entries = Object.entries(typeof value === "object" && value !== null ? value : {});
  const named = entries.filter(([, entry]) => entry !== undefined && entry !== null).map(([strategy]) => strategy);
  const given = named.filter((strategy) => strategy in strategies);
  if (typeof parsed === "object" && parsed !== null && given.length !== 1 && given.length === named.length) {
    return fail(
      place,
      `must have exactly one of range, list, hash${given.length > 1 ? `, not ${given.join(" and ")}` : ""}`,
    );
  }
  return parsed;
};

const column = object({
  name: required(name),
  type: required(type),
  nullable: optional(flag),
  default: optional(expression),
  identity: optional(oneOf(["always", "byDefault"])),
  generated: optional(
    object({ expression: required(expression), kind: optional(oneOf(["stored", "virtual"]), "stored") }),
  ),
  collation: optional(name),
  comment: optional(text),
  statistics: optional(integer(-1, 10000)),
});

const key = object({ name: optional(name), columns: required(names), tablespace: optional(name) });

/** A list of columns is short for `{columns}`. */
const primaryKey: Parser = (value, place) =>
  Array.isArray(value) ? { columns: names(value, place) } : key(value, place);

const foreignKey = object({
  name: optional(name),
  columns: required(names),
  references: required(object({ schema: optional(name), table: required(name), columns: optional(names) })),
  onDelete: optional(oneOf(REFERENTIAL_ACTIONS), "no action"),
  onUpdate: optional(oneOf(REFERENTIAL_ACTIONS), "no action"),
  deferrable: optional(flag, false),
  initiallyDeferred: optional(flag, false),
});

const indexKey = object({
  column: optional(name),
  expression: optional(expression),
  order: optional(oneOf(["asc", "desc"])),
  nulls: optional(oneOf(["first", "last"])),
  collation: optional(name),
  opclass: optional(name),
});

const columnOrExpression: Parser = (value, place) => {
  if (typeof value === "string") {
    return { column: name(value, place) };
  }
  const given = typeof value === "object" && value !== null && !Array.isArray(value) ? Object.entries(value) : [];
  const keys = given.filter(([property, entry]) => ["column", "expression"].includes(property) && entry !== undefined);
  return given.length > 0 && keys.length !== 1
    ? fail(place, "must have exactly one of `column` and `expression`")
    : indexKey(value, place);
};

/** What an index says, in a table's `indexes` and as a resource of its own. */
export const indexFields = {
  name: required(name),
  columns: required(list(columnOrExpression, 1)),
  unique: optional(flag, false),
  method: optional(name, "btree"),
  include: optional(list(name), []),
  where: optional(expression),
  tablespace: optional(name),
};

const index = object(indexFields);

/** Every property of a Table. */
export const tableArgs = object({
  schema: optional(name, "public"),
  name: required(name),
  partitionBy: required(partitionBy),
  columns: optional(list(column, 1)),
  primaryKey: optional(primaryKey),
  unique: optional(
    list(
      object({
        name: optional(name),
        columns: required(names),
        nullsNotDistinct: optional(flag, false),
        tablespace: optional(name),
      }),
    ),
    [],
  ),
  checks: optional(list(object({ name: optional(name), expression: required(expression) })), []),
  foreignKeys: optional(list(foreignKey), []),
  indexes: optional(list(index), []),
  comment: optional(text),
  owner: optional(name),
  onDelete: optional(oneOf(["refuse", "drop"]), "refuse"),
  acceptIdentity: optional(text),
});
