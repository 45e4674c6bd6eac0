/** A description as a program: TypeScript, YAML, or plain JSON. The same description gives the same text. */
import { dump } from "js-yaml";
import type { Note, Properties } from "../topology/describe/model";
import { DEFAULTS } from "../topology/policy/inputs";
import { literal } from "./literal";
import type { Look } from "./look";

export const FORMATS = ["typescript", "yaml", "json"] as const;

export type Format = (typeof FORMATS)[number];

/** The text of a program in the format. */
export function write(look: Look, format: Format): string {
  return { typescript, yaml, json }[format](look);
}

/** Order in which people read a declaration; others follow. */
const ORDER = [
  "schema",
  "table",
  "name",
  "columns",
  "primaryKey",
  "unique",
  "checks",
  "foreignKeys",
  "indexes",
  "comment",
];

function ordered(properties: Properties): Properties {
  const place = (key: string) => (ORDER.includes(key) ? ORDER.indexOf(key) : ORDER.length);
  return Object.fromEntries(Object.entries(properties).sort(([a], [b]) => place(a) - place(b)));
}

function typescript({ set, table, notes }: Look): string {
  const name = String(set.table);
  const kind = table === undefined ? "PartitionSet" : "PartitionedTable";
  const { table: _, ...rest } = set;
  const properties = table === undefined ? set : { ...rest, ...table };
  return [
    `import { ${kind} } from "pulumi-pgpartition";`,
    "",
    ...comments(notes, "//"),
    `new ${kind}(${JSON.stringify(name)}, ${literal(ordered(properties))});`,
    "",
  ].join("\n");
}

function yaml({ set, table, notes }: Look): string {
  const name = String(set.table);
  const id = name.replace(/[^A-Za-z0-9_]/g, "_").replace(/^(?=\d)/, "_");
  const resources = Object.fromEntries(
    resourcesOf({ set, table }).map(({ type, properties }) => {
      const isTable = type === TABLE;
      const after = !isTable && table !== undefined ? { options: { dependsOn: [`\${${id}_table}`] } } : {};
      return [isTable ? `${id}_table` : id, { type, name, properties: escaped(properties), ...after }];
    }),
  );
  const text = dump({ resources }, { lineWidth: 120, noRefs: true, quotingType: '"' });
  return [...comments(notes, "#"), text].join("\n");
}

const TABLE = "pgpartition:index:Table";
const SET = "pgpartition:index:PartitionSet";

function json({ set, table, notes }: Look): string {
  return `${JSON.stringify({ resources: resourcesOf({ set, table }), notes }, undefined, 2)}\n`;
}

function resourcesOf({ set, table }: Pick<Look, "set" | "table">): { type: string; properties: Properties }[] {
  const { schema = DEFAULTS.schema, table: name, partitionBy } = set;
  const parent = { ...(schema === DEFAULTS.schema ? {} : { schema }), name, partitionBy, ...table };
  return [
    ...(table === undefined ? [] : [{ type: TABLE, properties: ordered(parent) }]),
    { type: SET, properties: ordered(set) },
  ];
}

// As a text, `$$` would stand for one dollar sign.
const withoutReferences = (text: string): string => text.replaceAll("${", () => "$${");

/** Pulumi's YAML takes `${…}` for a reference. */
function escaped(value: unknown): unknown {
  if (typeof value === "string") return withoutReferences(value);
  if (Array.isArray(value)) return value.map(escaped);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [withoutReferences(key), escaped(item)]));
}

function comments(notes: readonly Note[], mark: string): string[] {
  return notes.flatMap(({ severity, text }) => {
    const whole = `${severity === "warning" ? "Note: " : ""}${text}`.replace(/\s+/g, " ");
    return folded(whole, 110).map((line) => `${mark} ${line}`);
  });
}

/** Lines of at most so many characters, where words allow it. */
function folded(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const line = lines.at(-1);
    if (line !== undefined && line.length + word.length < width) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines;
}
