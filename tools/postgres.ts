/** PostgreSQL 14 to 18 on this machine: the programs, and servers for development and tests. */
export { ensurePostgres, MAJORS, type Major } from "./postgres/binaries";
export { type PostgresServer, removeServer, type ServerOptions, startServer, stopServer } from "./postgres/server";
