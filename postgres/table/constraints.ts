/** From rows of the catalog to constraints. */
import type {
  ActualCheck,
  ActualForeignKey,
  ActualTable,
  ActualUnique,
  Deferrable,
  ReferentialAction,
} from "../../topology/table/model";

export interface ConstraintRow {
  /** OID of the table that has it. */
  relation: number;
  name: string;
  type: "p" | "u" | "c" | "f";
  columns: string[];
  expression: string | null;
  deferrable: boolean;
  deferred: boolean;
  valid: boolean;
  enforced: boolean;
  inherited: boolean;
  ref_schema: string | null;
  ref_table: string | null;
  ref_columns: string[];
  on_delete: string;
  on_update: string;
  on_delete_columns: string[];
  match: string;
  nulls_not_distinct: boolean;
  include: string[];
  /** Of the index, when it is not the database's own. */
  tablespace: string | null;
}

const ACTIONS: Record<string, ReferentialAction> = {
  a: "no action",
  r: "restrict",
  c: "cascade",
  n: "set null",
  d: "set default",
};

const MATCHES: Record<string, ActualForeignKey["match"]> = { s: "simple", f: "full", p: "partial" };

/** The constraints of one table. */
export type Constraints = Pick<ActualTable, "primaryKey" | "unique" | "checks" | "foreignKeys">;

export function constraintsFrom(rows: ConstraintRow[]): Constraints {
  const of = (type: ConstraintRow["type"]) => rows.filter((row) => row.type === type);
  return {
    primaryKey: of("p").map(uniqueFrom)[0],
    unique: of("u").map(uniqueFrom),
    checks: of("c").map(checkFrom),
    foreignKeys: of("f").map(foreignKeyFrom),
  };
}

function uniqueFrom(row: ConstraintRow): ActualUnique {
  return {
    name: row.name,
    columns: row.columns,
    nullsNotDistinct: row.nulls_not_distinct,
    include: row.include,
    deferrable: deferrableFrom(row),
    valid: row.valid,
    ...(row.tablespace === null ? {} : { tablespace: row.tablespace }),
  };
}

function checkFrom(row: ConstraintRow): ActualCheck {
  return { name: row.name, expression: row.expression ?? "", valid: row.valid, enforced: row.enforced };
}

function foreignKeyFrom(row: ConstraintRow): ActualForeignKey {
  return {
    name: row.name,
    columns: row.columns,
    references: { schema: row.ref_schema ?? "", table: row.ref_table ?? "", columns: row.ref_columns },
    onDelete: [
      actionFrom(row.on_delete),
      ...(row.on_delete_columns.length > 0 ? [`(${row.on_delete_columns.join(", ")})`] : []),
    ].join(" "),
    onUpdate: actionFrom(row.on_update),
    deferrable: deferrableFrom(row),
    match: MATCHES[row.match] ?? "simple",
    valid: row.valid,
    enforced: row.enforced,
    inherited: row.inherited,
  };
}

function actionFrom(code: string): string {
  return ACTIONS[code] ?? code;
}

function deferrableFrom({ deferrable, deferred }: ConstraintRow): Deferrable {
  return deferred ? "initially deferred" : deferrable ? "initially immediate" : "no";
}
