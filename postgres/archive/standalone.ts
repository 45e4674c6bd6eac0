/** The manifest's own text, for a table under another name and without tables below it. Pure. */
import type { RelationName } from "../../topology/model";
import { ArchiveError } from "../errors";
import { qualified, quoteIdent } from "../identifiers";
import type { RestoreText } from "./definition";

/** What makes one table that holds all rows of a partition, whatever it was divided into. */
export interface StandaloneText {
  create: string;
  /** Constraints and indexes of the partition itself. */
  finish: string[];
}

const NAME = '"(?:[^"]|"")+"|[^\\s".]+';
const INDEX = new RegExp(`^CREATE (UNIQUE )?INDEX (?:${NAME}) ON (${NAME})\\.(${NAME}) (USING .*)$`, "s");

/** @throws ArchiveError when the text is not as this product writes it. */
export function standalone(text: RestoreText, partition: RelationName, into: RelationName): StandaloneText {
  const begin = `CREATE TABLE ${qualified(partition)} `;
  const create = text.create.find((statement) => statement.startsWith(begin));
  const columns = create === undefined ? undefined : parenthesized(create.slice(begin.length));
  if (columns === undefined)
    throw new ArchiveError(`The manifest has no statement that makes ${qualified(partition)}; restore it by hand.`);
  return {
    create: `CREATE TABLE ${qualified(into)} ${columns}`,
    finish: text.finish.flatMap(
      (statement) => constraint(statement, partition, into) ?? index(statement, partition, into) ?? [],
    ),
  };
}

/** The text from its first parenthesis to the one that ends it; what is inside of quotes counts for nothing. */
function parenthesized(text: string): string | undefined {
  let depth = 0;
  for (const { 0: token, index } of text.matchAll(/"(?:[^"]|"")*"|'(?:[^']|'')*'|[()]/g)) {
    if (token === "(") depth += 1;
    if (token === ")") depth -= 1;
    if (token === ")" && depth === 0) return text.slice(0, index + 1);
  }
  return undefined;
}

/** Names of checks belong to their table; those of keys are names of indexes, of which the schema may have one already. */
function constraint(statement: string, partition: RelationName, into: RelationName): string | undefined {
  const begin = `ALTER TABLE ${qualified(partition)} ADD CONSTRAINT `;
  if (!statement.startsWith(begin)) return undefined;
  const [name, definition] = split(statement.slice(begin.length));
  const named = definition.startsWith("CHECK ") ? `CONSTRAINT ${name} ` : "";
  return `ALTER TABLE ${qualified(into)} ADD ${named}${definition}`;
}

function split(text: string): [name: string, rest: string] {
  const name = new RegExp(`^(?:${NAME})`).exec(text)?.[0] ?? "";
  return [name, text.slice(name.length).trimStart()];
}

function index(statement: string, partition: RelationName, into: RelationName): string | undefined {
  const [, unique = "", schema, table, definition] = INDEX.exec(statement) ?? [];
  if (schema === undefined || table === undefined) return undefined;
  if (asQuoted(schema) !== quoteIdent(partition.schema) || asQuoted(table) !== quoteIdent(partition.name))
    return undefined;
  return `CREATE ${unique}INDEX ON ${qualified(into)} ${definition}`;
}

/** PostgreSQL quotes only names that need it. */
const asQuoted = (name: string) => (name.startsWith('"') ? name : `"${name}"`);
