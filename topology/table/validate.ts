/** Check of a Table: all failures at once, and the inputs in their normal form. */
import type { InputFailure } from "../model";
import { containsUnknown } from "../unknown";
import { type Draft, isObject } from "./draft";
import { tableArgs } from "./fields";
import type { DeclaredTable } from "./model";
import { checkRules } from "./rules";
import { isSerial } from "./types";

/** What {@link checkTable} makes of the inputs. */
export interface CheckedTable {
  /** Undefined when an input failed or is not known yet. */
  table?: DeclaredTable;
  /** The inputs with defaults filled in; what is not known yet stays `UNKNOWN`. */
  checked: Record<string, unknown>;
  failures: InputFailure[];
}

/** Validates the inputs of a Table and fills in defaults. Pure; `checkTable(checked)` gives `checked` again. */
export function checkTable(raw: Record<string, unknown>): CheckedTable {
  const failures: InputFailure[] = [];
  const draft = tableArgs(raw, { path: "", failures }) as Draft;
  failures.push(...checkRules(draft, raw));
  const checked = withDerivedDefaults(draft);
  // The parsers and rules above are what makes this the declared type.
  const table = failures.length > 0 || containsUnknown(checked) ? undefined : (checked as unknown as DeclaredTable);
  return { table, checked, failures };
}

/** Defaults that follow from other inputs. */
function withDerivedDefaults(draft: Draft): Draft {
  const primaryKey =
    isObject(draft.primaryKey) && Array.isArray(draft.primaryKey.columns) ? draft.primaryKey.columns : [];
  return {
    ...draft,
    ...mapped(draft, "columns", (column) => ({
      ...column,
      nullable: column.nullable ?? !(primaryKey.includes(column.name) || neverNull(column)),
    })),
    ...mapped(draft, "foreignKeys", (foreignKey) => ({
      ...foreignKey,
      deferrable: foreignKey.initiallyDeferred === true || foreignKey.deferrable,
      references: isObject(foreignKey.references)
        ? { schema: draft.schema, ...foreignKey.references }
        : foreignKey.references,
    })),
  };
}

function neverNull({ type, identity }: Draft): boolean {
  return identity !== undefined || (typeof type === "string" && isSerial(type));
}

function mapped(draft: Draft, property: string, map: (entry: Draft) => Draft): Draft {
  const value = draft[property];
  return Array.isArray(value)
    ? { [property]: value.map((entry: unknown) => (isObject(entry) ? map(entry) : entry)) }
    : {};
}
