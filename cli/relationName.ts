/** A table as people write it on a command line. */
import { InvalidArgumentError } from "commander";
import type { RelationName } from "../topology/model";
import { DEFAULTS } from "../topology/policy/inputs";

const PART = '"(?:[^"]|"")+"|[^".]+';
const NAME = new RegExp(`^(?:(${PART})\\.)?(${PART})$`);

/** `events`, `app.events`, `"odd.schema"."Odd table"`; case is kept. Undefined when it is none of these. */
export function parseRelationName(text: string): RelationName | undefined {
  const match = NAME.exec(text);
  if (match === null) return undefined;
  const [, schema = DEFAULTS.schema, name = ""] = match;
  return { schema: unquoted(schema), name: unquoted(name) };
}

function unquoted(part: string): string {
  return part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part;
}

/** The same as an argument of a command. */
export function relationName(text: string): RelationName {
  const relation = parseRelationName(text);
  if (relation === undefined) throw new InvalidArgumentError("write [schema.]table.");
  return relation;
}
