/**
 * SQL fragments (a type, an expression) are put into statements as they are. This looks only at where a fragment ends:
 * one that is not whole by itself would change the meaning of what stands after it.
 */

/** What a fragment stands for; a type is followed by further words of the column's definition, so it may not hold any. */
export type FragmentKind = "type" | "expression";

/** Words that belong to a column's definition and not to its type, with the property that says the same. */
const NOT_PART_OF_A_TYPE: Record<string, string> = {
  not: "nullable",
  null: "nullable",
  default: "default",
  generated: "identity or generated",
  collate: "collation",
  primary: "primaryKey",
  unique: "unique",
  check: "checks",
  references: "foreignKeys",
  constraint: "checks",
};

const CLOSES: Record<string, string> = { "(": ")", "[": "]" };

/** One quoted text, comment start or word at a time; anything else is a character of its own. */
const TOKEN =
  /[eE]'(?:[^'\\]|''|\\.)*'|[eE]'|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(?<tag>(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?)\$.*?\$\k<tag>\$|--|\/\*|[\w\u0080-\uffff][\w$\u0080-\uffff]*|./gsu;

/** Why a fragment cannot stand in a statement; undefined when it can. */
export function fragmentProblem(sql: string, kind: FragmentKind): string | undefined {
  if (sql.trim() === "") {
    return "must not be empty";
  }
  if (sql.includes("\0")) {
    return "must not contain the character NUL";
  }
  const open: string[] = [];
  for (const [token] of sql.matchAll(TOKEN)) {
    const problem = bracketProblem(token, open) ?? tokenProblem(token, kind, open.length);
    if (problem !== undefined) {
      return problem;
    }
  }
  return open.length > 0 ? `lacks a closing "${open[open.length - 1]}"` : undefined;
}

function bracketProblem(token: string, open: string[]): string | undefined {
  const closer = CLOSES[token];
  if (closer !== undefined) {
    open.push(closer);
  } else if (Object.values(CLOSES).includes(token) && open.pop() !== token) {
    return `has a "${token}" that closes nothing`;
  }
  return undefined;
}

function tokenProblem(token: string, kind: FragmentKind, depth: number): string | undefined {
  if (token === "--" || token === "/*") {
    return `contains a comment ("${token}"); leave it out`;
  }
  if (token === ";") {
    return 'contains a ";"; it must be one fragment of a statement';
  }
  if (/^(?:[eE]?'|")$/.test(token)) {
    return `has a ${token} without its end`;
  }
  if (kind === "type" && depth === 0) {
    const property = NOT_PART_OF_A_TYPE[token.toLowerCase()];
    if (property !== undefined) {
      return `contains "${token}", which is not part of a type; declare it as \`${property}\``;
    }
    return token === "," ? 'contains a ",": one column has one type' : undefined;
  }
  return undefined;
}
