/** The parent's columns, keys, constraints and indexes as a declaration, with what no declaration has a word for. */
import type { IndexDeclaration } from "../index/model";
import type { ActualColumn, ActualForeignKey, ActualTable, ActualUnique, DeclaredIndexKey } from "../table/model";
import type { Note, Properties } from "./model";

/** An index of the table in the words of a declaration. */
export type FoundIndex = IndexDeclaration & { valid: boolean };

/** Describes the parent. What is left out stays in the database as it is, and is named in a note. Pure. */
export function describeTable(
  table: ActualTable,
  indexes: readonly FoundIndex[],
): { properties: Properties; notes: Note[] } {
  const notes: Note[] = [];
  const keep = <T>(items: readonly T[], nameOf: (item: T) => string, obstacle: (item: T) => string | undefined): T[] =>
    items.filter((item) => {
      const reason = obstacle(item);
      if (reason !== undefined)
        notes.push({ severity: "warning", text: `${nameOf(item)} is left undeclared: ${reason}.` });
      return reason === undefined;
    });
  const named = ({ name }: { name: string }) => name;
  const [primaryKey] = keep(table.primaryKey === undefined ? [] : [table.primaryKey], named, uniqueObstacle);
  const unique = keep(table.unique, named, uniqueObstacle).map(uniqueProperties);
  const checks = keep(table.checks, named, validity).map(({ name, expression }) => ({ name, expression }));
  const foreignKeys = keep(table.foreignKeys, named, foreignKeyObstacle);
  const declared = keep(indexes, named, indexObstacle);
  const properties: Properties = {
    columns: table.columns.map((column) => columnProperties(column, primaryKey)),
    ...(primaryKey && { primaryKey: primaryKeyProperties(primaryKey, table.name) }),
    ...filled("unique", unique),
    ...filled("checks", checks),
    ...filled(
      "foreignKeys",
      foreignKeys.map((key) => foreignKeyProperties(key, table.schema)),
    ),
    ...filled("indexes", declared.map(indexProperties)),
    ...(table.comment === undefined ? {} : { comment: table.comment }),
  };
  return { properties, notes };
}

function filled(name: string, items: readonly unknown[]): Properties {
  return items.length === 0 ? {} : { [name]: items };
}

const SHORT_TYPES: [RegExp, string][] = [
  [/^timestamp(\(\d\))? with time zone$/, "timestamptz$1"],
  [/^timestamp(\(\d\))? without time zone$/, "timestamp$1"],
  [/^character varying(\(\d+\))?$/, "varchar$1"],
];

const SERIALS: Record<string, string> = { smallint: "smallserial", integer: "serial", bigint: "bigserial" };

function columnProperties(column: ActualColumn, primaryKey: ActualUnique | undefined): Properties {
  const { name, type, nullable, identity, generated, collation, comment, statistics } = column;
  const serial = column.serial ? SERIALS[type] : undefined;
  const rule = SHORT_TYPES.find(([pattern]) => pattern.test(type));
  const impliedNotNull = serial !== undefined || identity !== undefined || primaryKey?.columns.includes(name);
  const expected = generated?.kind === "virtual" ? generated : generated && { expression: generated.expression };
  return {
    name,
    type: serial ?? (rule === undefined ? type : type.replace(...rule)),
    ...(nullable || impliedNotNull ? {} : { nullable: false }),
    ...(column.default === undefined || serial !== undefined ? {} : { default: column.default }),
    ...(identity && { identity }),
    ...(expected && { generated: expected }),
    ...(collation === undefined ? {} : { collation: lastPart(collation) }),
    ...(comment === undefined ? {} : { comment }),
    ...(statistics < 0 ? {} : { statistics }),
  };
}

/** The name alone: declared names are looked up in the table's schema, `public` and `pg_catalog`. */
function lastPart(qualified: string): string {
  const part = /("(?:[^"]|"")*"|[^".]+)$/.exec(qualified)?.[1] ?? qualified;
  return part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part;
}

function uniqueObstacle({ deferrable, include, valid }: ActualUnique): string | undefined {
  if (deferrable !== "no") return "a declared key cannot be deferrable";
  if (include.length > 0) return "a declared key cannot carry columns along (INCLUDE)";
  return valid ? undefined : "its index is not valid on every partition";
}

function primaryKeyProperties({ name, columns, tablespace }: ActualUnique, table: string): unknown {
  if (tablespace !== undefined) return { name, columns, tablespace };
  return name === `${table}_pkey` ? columns : { name, columns };
}

function uniqueProperties({ name, columns, nullsNotDistinct, tablespace }: ActualUnique): Properties {
  return {
    name,
    columns,
    ...(nullsNotDistinct ? { nullsNotDistinct } : {}),
    ...(tablespace === undefined ? {} : { tablespace }),
  };
}

function validity({ valid, enforced }: { valid: boolean; enforced: boolean }): string | undefined {
  if (!enforced) return "it is NOT ENFORCED";
  return valid ? undefined : "it is NOT VALID, and declared it would be validated";
}

const ACTIONS = ["no action", "restrict", "cascade", "set null", "set default"];

function foreignKeyObstacle(key: ActualForeignKey): string | undefined {
  if (key.match !== "simple") return `a declared foreign key cannot be MATCH ${key.match.toUpperCase()}`;
  const odd = [key.onDelete, key.onUpdate].find((action) => !ACTIONS.includes(action));
  return odd === undefined ? validity(key) : `${odd} names columns, which a declared foreign key cannot`;
}

function foreignKeyProperties(key: ActualForeignKey, own: string): Properties {
  const { schema, table, columns } = key.references;
  return {
    name: key.name,
    columns: key.columns,
    references: { ...(schema === own ? {} : { schema }), table, columns },
    ...(key.onDelete === "no action" ? {} : { onDelete: key.onDelete }),
    ...(key.onUpdate === "no action" ? {} : { onUpdate: key.onUpdate }),
    ...(key.deferrable === "no" ? {} : { deferrable: true }),
    ...(key.deferrable === "initially deferred" ? { initiallyDeferred: true } : {}),
  };
}

function indexObstacle({ valid, nullsNotDistinct, storage }: FoundIndex): string | undefined {
  if (!valid) return "it is not valid on every partition, and declared it would be built";
  const own = nullsNotDistinct === true || Object.keys(storage ?? {}).length > 0;
  return own ? "NULLS NOT DISTINCT and storage parameters of indexes take an Index resource" : undefined;
}

function indexProperties({ name, columns, unique, method, include, where, tablespace }: FoundIndex): Properties {
  return {
    name,
    columns: columns.map(indexColumn),
    ...(unique ? { unique } : {}),
    ...(method === undefined || method === "btree" ? {} : { method }),
    ...((include ?? []).length > 0 ? { include } : {}),
    ...(where === undefined ? {} : { where }),
    ...(tablespace === undefined ? {} : { tablespace }),
  };
}

function indexColumn(key: DeclaredIndexKey): unknown {
  const { column, ...rest } = key;
  return column !== undefined && Object.values(rest).every((value) => value === undefined) ? column : key;
}
