/** Resource ids: `database/schema.table`, with parts in double quotes when they hold a `"`, a `.` or a `/`. */

import type { RelationName } from "../topology/model";

export interface TableId {
  database: string;
  schema: string;
  table: string;
}

const PLAIN = /^[^"./]+$/;

function part(name: string): string {
  return PLAIN.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}

export function formatId({ database, schema, table }: TableId): string {
  return `${part(database)}/${part(schema)}.${part(table)}`;
}

/** Reads an id; undefined when it has another form. `pulumi import` passes what a person typed. */
export function parseId(id: string): TableId | undefined {
  const name = '("(?:[^"]|"")+"|[^"./]+)';
  const match = new RegExp(`^${name}/${name}\\.${name}$`).exec(id);
  if (match === null) return undefined;
  const [database, schema, table] = match
    .slice(1)
    .map((text) => (text.startsWith('"') ? text.slice(1, -1).replaceAll('""', '"') : text));
  if (database === undefined || schema === undefined || table === undefined) return undefined;
  return { database, schema, table };
}

/** A relation by two properties; undefined while one of them is not known. */
export function relationFrom(schema: unknown, name: unknown): RelationName | undefined {
  return typeof schema === "string" && typeof name === "string" ? { schema, name } : undefined;
}

/** @throws when an imported id is about another database than the provider's. */
export function requireDatabase(target: TableId, connected: string): void {
  if (target.database === connected) return;
  throw new Error(`The id names database ${target.database}, but the provider is connected to ${connected}.`);
}
