/** Rules about constraints and indexes, above all: what is unique has to contain the partition key. */
import type { InputFailure } from "../model";
import { type Draft, type Entry, entriesIn, isObject, type Names, namesIn } from "./draft";
import { columnsOf, type Facts, repeated, unknownColumns } from "./facts";

/** Primary key and unique constraints. */
export function keyConstraintRules(facts: Facts): InputFailure[] {
  const { primaryKey } = facts;
  const primary =
    primaryKey === undefined ? [] : keyRules("a primary key", "primaryKey", primaryKey, primaryKey, facts);
  return [
    ...primary,
    ...entriesIn(facts.draft, "unique").flatMap((entry) =>
      keyRules("a unique constraint", `${entry.path}.columns`, columnsOf(entry), columnsOf(entry), facts),
    ),
  ];
}

/** Indexes; the unique ones obey the same rule as constraints. */
export function indexRules(facts: Facts): InputFailure[] {
  return entriesIn(facts.draft, "indexes").flatMap((entry) => {
    const path = `${entry.path}.columns`;
    const keys = Array.isArray(entry.draft.columns) ? entry.draft.columns : [undefined];
    const columns = keys.map((key: unknown) =>
      isObject(key) ? (key.expression === undefined ? key.column : null) : key,
    );
    const plain = namesIn(
      columns.filter((name) => name !== null),
      path,
    );
    const placed = {
      ...plain,
      known: plain.known.map(({ name }) => ({ name, path: `${path}[${columns.indexOf(name)}]` })),
    };
    const include = namesIn(entry.draft.include, `${entry.path}.include`);
    return [
      ...methodRules(entry),
      ...unknownColumns(include, facts),
      ...(entry.draft.unique === true
        ? keyRules("a unique index", path, placed, { ...placed, known: [...placed.known, ...include.known] }, facts)
        : [...unknownColumns(placed, facts), ...virtualColumns("an index", placed, facts)]),
    ];
  });
}

function methodRules({ draft, path }: Entry): InputFailure[] {
  const unordered = draft.unique === true && typeof draft.method === "string" && draft.method !== "btree";
  return unordered
    ? [{ property: `${path}.method`, reason: `only a btree index can be unique, not ${String(draft.method)}` }]
    : [];
}

/** `distinct`: columns that may not repeat in the whole of the constraint. */
function keyRules(what: string, path: string, columns: Names, distinct: Names, facts: Facts): InputFailure[] {
  return [
    ...repeated(distinct.known, "is named twice"),
    ...unknownColumns(columns, facts),
    ...virtualColumns(what, columns, facts),
    ...missingKeyColumns(what, path, columns, facts),
  ];
}

function missingKeyColumns(what: string, path: string, columns: Names, { key }: Facts): InputFailure[] {
  if (key === undefined || !key.complete || !columns.complete) {
    return [];
  }
  const present = columns.known.map(({ name }) => name);
  const missing = key.known.map(({ name }) => name).filter((name) => !present.includes(name));
  if (missing.length === 0) {
    return [];
  }
  const instead = [...present, ...missing].map((name) => JSON.stringify(name)).join(", ");
  const named = missing.map((name) => `"${name}"`).join(", ");
  return [
    {
      property: path,
      reason:
        `lacks the partition key column${missing.length > 1 ? "s" : ""} ${named}. PostgreSQL enforces ${what} partition by ` +
        `partition, so it must contain every partition key column: write [${instead}]. ` +
        `(${present.map((name) => `"${name}"`).join(", ") || "The rest"} alone is then no longer unique over all partitions.)`,
    },
  ];
}

function virtualColumns(what: string, names: Names, { columns }: Facts): InputFailure[] {
  return names.known
    .filter(({ name }) => {
      const generated = columns.get(name)?.draft.generated;
      return isObject(generated) && generated.kind === "virtual";
    })
    .map(({ name, path }) => ({
      property: path,
      reason: `"${name}" is a virtual generated column, which ${what} cannot contain; make it \`stored\``,
    }));
}

/** Foreign keys to other tables. */
export function foreignKeyRules(facts: Facts): InputFailure[] {
  return entriesIn(facts.draft, "foreignKeys").flatMap((entry) => {
    const columns = columnsOf(entry);
    const referenced = referencedColumns(entry.draft, entry.path);
    const counts =
      columns.complete && referenced.complete && columns.known.length !== referenced.known.length
        ? [
            {
              property: `${entry.path}.references.columns`,
              reason: `has ${referenced.known.length} columns, the foreign key has ${columns.known.length}; each column references one`,
            },
          ]
        : [];
    return [
      ...counts,
      ...repeated(columns.known, "is named twice"),
      ...repeated(referenced.known, "is named twice"),
      ...unknownColumns(columns, facts),
      ...virtualColumns("a foreign key", columns, facts),
    ];
  });
}

function referencedColumns(draft: Draft, path: string): Names {
  // Without columns it is the primary key there, which only PostgreSQL knows.
  return namesIn(isObject(draft.references) ? draft.references.columns : undefined, `${path}.references.columns`);
}
