/**
 * Has every session of this process prepare each statement with parameters once. PostgreSQL takes longer to plan the
 * queries on its catalog than to run them for a small table, and here thousands of tables are read over few sessions.
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

export function prepareStatements(): void {
  Object.assign(Client.prototype, { query: prepared });
}
