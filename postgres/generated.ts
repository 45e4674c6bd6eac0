/** Expressions of generated columns that a partition has of its own, as SQL. */
import { quoteIdent } from "./identifiers";

/** First version that changes the expression of a column. */
export const SET_EXPRESSION_MAJOR = 17;

/** First version in which a partition may have another expression than its parent (before, ATTACH is refused with 42804). */
export const OWN_EXPRESSION_MAJOR = 16;

/** ` ("b" WITH OPTIONS GENERATED …)` for CREATE TABLE … PARTITION OF; nothing when nothing is declared. */
export function expressionClause(generated: Record<string, string> = {}): string {
  const columns = Object.entries(generated).map(
    ([column, expression]) => `${quoteIdent(column)} WITH OPTIONS GENERATED ALWAYS AS (${expression}) STORED`,
  );
  return columns.length === 0 ? "" : ` (${columns.join(", ")})`;
}

/** `table` is quoted SQL, with ONLY where it stands. */
export function setExpression(table: string, column: string, expression: string): string {
  return `ALTER TABLE ${table} ALTER COLUMN ${quoteIdent(column)} SET EXPRESSION AS (${expression})`;
}
