/** Moves an expression that PostgreSQL printed for one table over to another one. */
import { quoteIdent } from "./identifiers";

/** A string literal, a quoted identifier, a bare word with its dots, or one other character. */
const TOKEN = /'(?:[^']|'')*'|"(?:[^"]|"")*"|[\p{L}_][\p{L}\p{N}_$]*|\s+|./gsu;

/**
 * Inside a sub-query PostgreSQL prints the outer table's columns with the table's name in front (`events.tenant`), which
 * means nothing in an expression of another table. Replaces exactly these references.
 * @param columns names of the columns of the table; other names behind `table.` belong to a schema of that name.
 */
export function requalify(expression: string, table: string, replacement: string, columns: string[]): string {
  const tokens = expression.match(TOKEN) ?? [];
  const known = new Set(columns);
  const output = tokens.map((token, index) => {
    const isReference =
      identifier(token) === table &&
      tokens[index - 1] !== "." &&
      tokens[index + 1] === "." &&
      known.has(identifier(tokens[index + 2]) ?? "") &&
      tokens[index + 3] !== "." &&
      tokens[index + 3] !== "(";
    return isReference ? quoteIdent(replacement) : token;
  });
  return output.join("");
}

function identifier(token: string | undefined): string | undefined {
  if (token === undefined || token.startsWith("'")) return undefined;
  return token.startsWith('"') ? token.slice(1, -1).replaceAll('""', '"') : token;
}
