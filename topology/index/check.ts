/** Check of an Index: all failures at once, and the inputs in their normal form. */
import type { InputFailure } from "../model";
import { indexFields, optional, required } from "../table/fields";
import { fail, flag, name, object, type Parser, text } from "../table/shape";
import { containsUnknown, UNKNOWN } from "../unknown";
import type { IndexDeclaration } from "./model";

/** What {@link checkIndex} makes of the inputs. */
export interface CheckedIndex {
  /** Undefined when an input failed or is not known yet. */
  index?: IndexDeclaration;
  /** The inputs with defaults filled in; what is not known yet stays `UNKNOWN`. */
  checked: Record<string, unknown>;
  failures: InputFailure[];
}

/** Storage parameters as PostgreSQL spells them; which ones there are depends on the access method. */
const PARAMETER = /^[a-z_][a-z0-9_]*$/;

const storage: Parser = (value, place) => {
  if (value === UNKNOWN) return value;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return fail(place, "must be an object of storage parameters, such as {fillfactor: 70}");
  }
  for (const [key, entry] of Object.entries(value)) {
    const at = { ...place, path: `${place.path}.${key}` };
    if (!PARAMETER.test(key)) fail(at, "is not the name of a storage parameter");
    if (!["string", "number", "boolean"].includes(typeof entry)) fail(at, "must be a text, a number, true or false");
  }
  return value;
};

const indexArgs = object({
  schema: optional(name, "public"),
  table: required(name),
  ...indexFields,
  nullsNotDistinct: optional(flag, false),
  storage: optional(storage, {}),
  acceptIdentity: optional(text),
});

/** Validates the inputs of an Index and fills in defaults. Pure; `checkIndex(checked)` gives `checked` again. */
export function checkIndex(raw: Record<string, unknown>): CheckedIndex {
  const failures: InputFailure[] = [];
  const checked = indexArgs(raw, { path: "", failures }) as Record<string, unknown>;
  failures.push(...RULES.flatMap((rule) => rule(checked)));
  if (failures.length > 0 || containsUnknown(checked)) return { checked, failures };
  // The parsers and rules above are what makes this the declared type.
  const { acceptIdentity: _, ...index } = checked;
  return { index: index as unknown as IndexDeclaration, checked, failures };
}

const RULES: ((checked: Record<string, unknown>) => InputFailure[])[] = [
  ({ name, table }) =>
    typeof name === "string" && name === table
      ? [{ property: "name", reason: `"${name}" is the name of the table; an index needs a name of its own` }]
      : [],
  ({ unique, method }) =>
    unique === true && typeof method === "string" && method !== "btree"
      ? [{ property: "method", reason: `only a btree index can be unique, not ${method}` }]
      : [],
  ({ unique, nullsNotDistinct }) =>
    nullsNotDistinct === true && unique === false
      ? [{ property: "nullsNotDistinct", reason: "is about unique indexes only; declare `unique` as well" }]
      : [],
  repeatedColumns,
];

function repeatedColumns({ columns, include }: Record<string, unknown>): InputFailure[] {
  const carried = Array.isArray(include) ? include : [];
  const keys = new Set(
    (Array.isArray(columns) ? columns : []).map((key: unknown) => (key as { column?: unknown })?.column),
  );
  return carried.flatMap((column: unknown, place) =>
    column !== UNKNOWN && (keys.has(column) || carried.indexOf(column) < place)
      ? [{ property: `include[${place}]`, reason: `"${String(column)}" is in the index already` }]
      : [],
  );
}
