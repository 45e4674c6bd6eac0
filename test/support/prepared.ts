/**
 * Has every session of this process prepare each statement with parameters once. PostgreSQL takes longer to plan the
 * queries on its catalog than to run them for a small table: for tests that read thousands of times over few sessions.
 */
import { createHash } from "node:crypto";
import { Client } from "pg";

export type Query = (this: Client, ...args: unknown[]) => unknown;

/** The same with a name for each statement with parameters, by which the session knows it again. */
export function preparing(query: Query): Query {
  return function (sql, values, ...rest) {
    if (typeof sql !== "string" || !Array.isArray(values)) return query.call(this, sql, values, ...rest);
    const name = createHash("sha1").update(sql).digest("hex");
    return query.call(this, { name, text: sql, values }, ...rest);
  };
}

/** Gives what ends it. */
export function prepareStatements(): () => void {
  const query: Query = Client.prototype.query;
  Object.assign(Client.prototype, { query: preparing(query) });
  return () => void Object.assign(Client.prototype, { query });
}
