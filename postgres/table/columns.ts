/** From a row of the catalog to a column. */
import type { ActualColumn, GeneratedKind, IdentityKind } from "../../topology/table/model";

export interface ColumnRow {
  name: string;
  type: string;
  nullable: boolean;
  expression: string | null;
  identity: string;
  generated: string;
  collation: string | null;
  comment: string | null;
  statistics: number;
  owns_sequence: boolean;
}

const IDENTITY: Record<string, IdentityKind> = { a: "always", d: "byDefault" };
const GENERATED: Record<string, GeneratedKind> = { s: "stored", v: "virtual" };

/** The whole default is the next number of one sequence. */
const NEXTVAL = /^nextval\('.*'::regclass\)$/s;

export function columnFrom(row: ColumnRow): ActualColumn {
  const kind = GENERATED[row.generated];
  const expression = row.expression ?? undefined;
  return {
    name: row.name,
    type: row.type,
    nullable: row.nullable,
    default: kind === undefined ? expression : undefined,
    serial: row.owns_sequence && expression !== undefined && NEXTVAL.test(expression),
    identity: IDENTITY[row.identity],
    generated: kind === undefined || expression === undefined ? undefined : { expression, kind },
    collation: row.collation ?? undefined,
    comment: row.comment ?? undefined,
    statistics: row.statistics,
  };
}
