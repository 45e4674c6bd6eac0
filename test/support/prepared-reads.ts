/**
 * Required by mocha before all tests: a session prepares the queries that read the catalog when it first sends them, and
 * plans each once. PostgreSQL takes four fifths of a read for planning, and a test reads some twenty times over one session.
 * Only where nothing but the catalog is read: a plan that is made without the parameters locks other partitions of a table of
 * rows. Processes that tests start read as they do for everybody.
 */
import { Client } from "pg";
import { preparing, type Query } from "./prepared";

/** How transactions that read the catalog, and nothing else, begin. */
const BEGINS = /^(SET LOCAL jit = off|BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY)$/;
const ENDS = /^(COMMIT|ROLLBACK)$/;

const reading = new WeakSet<Client>();

const query: Query = Client.prototype.query;
const prepared = preparing(query);

const preparedReads: Query = function (sql, ...rest) {
  if (typeof sql === "string" && BEGINS.test(sql)) {
    reading.add(this);
    return query.call(this, `${sql}; SET LOCAL plan_cache_mode = force_generic_plan`, ...rest);
  }
  if (typeof sql === "string" && ENDS.test(sql)) reading.delete(this);
  return (reading.has(this) ? prepared : query).call(this, sql, ...rest);
};

Object.assign(Client.prototype, { query: preparedReads });
