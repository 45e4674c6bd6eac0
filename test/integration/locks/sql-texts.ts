/** The texts of SQL in this module's own sources: what the module can send is made of them and of nothing else. */
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import ts from "typescript";

const CHECKOUT = resolve(__dirname, "../../..");

/** Where SQL is written: archive, provider and command send some of their own. */
const FOLDERS = ["postgres", "archive", "provider", "cli"];

export interface SqlText {
  /** `postgres/statements.ts:75` */
  place: string;
  file: string;
  /** In one line; what is filled in is `…`. */
  text: string;
  /** Matches what the text can become. */
  pattern: RegExp;
}

const HOLE = "…";

/** An action of ALTER TABLE, or another part of a statement; everything else that begins like a statement is one. */
const ACTION =
  /^(ADD|ALTER (?!INDEX|PUBLICATION|STATISTICS|TABLE)|ATTACH|DETACH|DISABLE\b|DROP (CONSTRAINT|DEFAULT|IDENTITY|NOT)|ENABLE\b|FORCE|GRANT OPTION|NO FORCE|OWNER TO|RENAME|REPLICA IDENTITY|RESET \(|SET (?!LOCAL|TRANSACTION|[a-z_]+ (TO|=))|VALIDATE)/;
const STATEMENT =
  /^(ALTER|ANALYZE|CLUSTER|COMMENT|COPY|CREATE|DELETE|DO|DROP|GRANT|INSERT|LOCK|REFRESH|REINDEX|REVOKE|SELECT|TRUNCATE|UPDATE|VACUUM|WITH) /;

let known: readonly SqlText[] | undefined;

/** Every text that is a statement, or an action of one; the sources are read once for all versions. */
export function sqlTexts(): readonly SqlText[] {
  known ??= readTexts();
  return known;
}

function readTexts(): SqlText[] {
  return FOLDERS.flatMap((folder) => filesIn(folder)).flatMap((file) => {
    const source = ts.createSourceFile(file, readFileSync(join(CHECKOUT, file), "utf8"), ts.ScriptTarget.Latest, true);
    return textsIn(source).flatMap(({ node, raw }) => {
      const text = raw.trim().replace(/\s+/g, " ");
      if (!STATEMENT.test(text) && !ACTION.test(text)) return [];
      const { line } = source.getLineAndCharacterOfPosition(node.getStart());
      return [{ place: `${file}:${line + 1}`, file, text, pattern: patternOf(text) }];
    });
  });
}

function filesIn(folder: string): string[] {
  return readdirSync(join(CHECKOUT, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => join(folder, name))
    .sort();
}

/** String literals, templates, and sums of them; the parts of a sum are not looked at again. */
function textsIn(root: ts.Node): { node: ts.Node; raw: string }[] {
  const found: { node: ts.Node; raw: string }[] = [];
  const visit = (node: ts.Node): void => {
    const raw = textOf(node);
    if (raw !== undefined) found.push({ node, raw });
    for (const part of raw === undefined ? node.getChildren() : filledIn(node)) visit(part);
  };
  visit(root);
  return found;
}

function textOf(node: ts.Node): string | undefined {
  if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) return node.text;
  if (ts.isTemplateExpression(node)) {
    return node.head.text + node.templateSpans.map(({ literal }) => HOLE + literal.text).join("");
  }
  if (ts.isParenthesizedExpression(node)) return textOf(node.expression);
  if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.PlusToken) {
    const [left, right] = [textOf(node.left), textOf(node.right)];
    return left === undefined && right === undefined ? undefined : (left ?? HOLE) + (right ?? HOLE);
  }
  return undefined;
}

/** The expressions that a text is filled in with. */
function filledIn(node: ts.Node): ts.Node[] {
  if (ts.isTemplateExpression(node)) return node.templateSpans.map(({ expression }) => expression);
  if (ts.isParenthesizedExpression(node)) return filledIn(node.expression);
  if (!ts.isBinaryExpression(node)) return [];
  return [node.left, node.right].flatMap((side) => (textOf(side) === undefined ? [side] : filledIn(side)));
}

/** An action stands anywhere in a statement; a statement by itself, in parentheses, or in what a DO runs. */
function patternOf(text: string): RegExp {
  const parts = text.split(HOLE).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const body = parts.join("[\\s\\S]*?").replace(/ /g, "\\s+");
  return ACTION.test(text) ? new RegExp(`\\s${body}`) : new RegExp(`(?:^|[('] *|BEGIN )${body}`);
}

/** A look at the catalog locks nothing that an application uses; those of `postgres/catalog` are put together of parts. */
export function isReadOfCatalog({ file, text }: SqlText): boolean {
  if (!/^(SELECT|WITH) /.test(text)) return false;
  const common = new Set([...text.matchAll(/\b(\w+) AS(?: MATERIALIZED)? \(/g)].map(([, name]) => name));
  const read = [...text.matchAll(/(?<!DISTINCT )\b(?:FROM|JOIN) (?:LATERAL )?([^\s(,)]+)/g)].map(
    ([, name = ""]) => name,
  );
  const known = (name: string) => name.startsWith("pg_catalog.") || common.has(name) || name === "ROWS";
  return file.startsWith("postgres/catalog") ? !read.includes(HOLE) : read.every(known);
}
