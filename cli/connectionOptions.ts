/** How a command is told where the database is. */
import { type Command, Option } from "commander";
import type { ConnectionArgs } from "../postgres/connection";
import { SSL_MODES } from "../postgres/settings";

export type ConnectionOptions = Pick<
  ConnectionArgs,
  "host" | "port" | "database" | "username" | "connectionString" | "sslmode" | "sslrootcert" | "sslcert" | "sslkey"
>;

export function withConnection(command: Command): Command {
  return command
    .option("--host <host>", "default: PGHOST, localhost")
    .option("--port <port>", "default: PGPORT, 5432", Number)
    .option("--database <name>", "default: PGDATABASE, the user's name")
    .option("--username <role>", "default: PGUSER; the password comes from PGPASSWORD or the password file")
    .option("--connection-string <text>", "a postgresql:// URL or keyword=value pairs")
    .addOption(new Option("--sslmode <mode>", "default: PGSSLMODE, prefer").choices(SSL_MODES))
    .option("--sslrootcert <file>", "default: PGSSLROOTCERT")
    .option("--sslcert <file>", "default: PGSSLCERT")
    .option("--sslkey <file>", "default: PGSSLKEY");
}

const NAMES = [
  "host",
  "port",
  "database",
  "username",
  "connectionString",
  "sslmode",
  "sslrootcert",
  "sslcert",
  "sslkey",
] as const;

/** The options that say where the database is, and no others. */
export function connectionOf(options: ConnectionOptions): ConnectionOptions {
  return Object.fromEntries(NAMES.flatMap((name) => (options[name] === undefined ? [] : [[name, options[name]]])));
}
