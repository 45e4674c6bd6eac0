/**
 * Has every session of this process prepare each statement with parameters once. PostgreSQL takes longer to plan the
 * queries on its catalog than to run them for a small table: for tests that read thousands of times over few sessions.
 */
import { createHash } from "node:crypto";
import { Client } from "pg";

type Query = (this: Client, ...args: unknown[]) => unknown;

const query: Query = Client.prototype.query;

const prepared: Query = function (sql, values, ...rest) {
  if (typeof sql !== "string" || !Array.isArray(values)) return query.call(this, sql, values, ...rest);
  const name = createHash("sha1").update(sql).digest("hex");
  return query.call(this, { name, text: sql, values }, ...rest);
};

/** Gives what ends it. */
export function prepareStatements(): () => void {
  Object.assign(Client.prototype, { query: prepared });
  return () => void Object.assign(Client.prototype, { query });
}
