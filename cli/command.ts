/** `pgpartition`: looks at partitioned tables from a shell. */
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { type ConnectionArgs, Sessions } from "../postgres/connection";
import { explainError } from "../postgres/errors";
import { SSL_MODES } from "../postgres/settings";
import type { RelationName } from "../topology/model";
import { look } from "./look";
import { parseRelationName } from "./relationName";
import { FORMATS, type Format, write } from "./write";

/** Exit statuses. */
const STATUS = { done: 0, impossible: 1, usage: 2 } as const;

type InspectOptions = ConnectionArgs & { format: Format; table: boolean };

/** Where the command's text goes. */
export interface Streams {
  out: (text: string) => void;
  err: (text: string) => void;
}

/** Runs the command with the arguments that follow its name; gives its exit status. */
export async function run(args: readonly string[], { out, err }: Streams): Promise<number> {
  let status: number = STATUS.done;
  const program = new Command("pgpartition")
    .description("Looks at partitioned PostgreSQL tables. It changes nothing.")
    .exitOverride()
    .configureOutput({ writeOut: out, writeErr: err });
  program.addCommand(
    inspectCommand(async (relation, options) => {
      status = await inspect(relation, options, { out, err });
    }),
  );
  program.commands.forEach((command) => void command.copyInheritedSettings(program));
  try {
    await program.parseAsync([...args], { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? STATUS.done : STATUS.usage;
    err(`${explainError(error)}\n`);
    return error instanceof RangeError ? STATUS.usage : STATUS.impossible;
  }
  return status;
}

function inspectCommand(action: (relation: RelationName, options: InspectOptions) => Promise<void>): Command {
  return new Command("inspect")
    .description("Prints the declaration that describes an existing partitioned table. Applied, it changes nothing.")
    .argument("<table>", "[schema.]table, case kept; quoted as in SQL when it holds a dot", relationName)
    .addOption(new Option("--format <format>", "what to print").choices(FORMATS).default("typescript"))
    .option("--table", "declare columns, keys and indexes, too", true)
    .option("--no-table", "leave out columns, keys and indexes: they belong to an ORM or to migrations")
    .option("--host <host>", "default: PGHOST, localhost")
    .option("--port <port>", "default: PGPORT, 5432", Number)
    .option("--database <name>", "default: PGDATABASE, the user's name")
    .option("--username <role>", "default: PGUSER; the password comes from PGPASSWORD or the password file")
    .option("--connection-string <text>", "a postgresql:// URL or keyword=value pairs")
    .addOption(new Option("--sslmode <mode>", "default: PGSSLMODE, prefer").choices(SSL_MODES))
    .option("--sslrootcert <file>", "default: PGSSLROOTCERT")
    .option("--sslcert <file>", "default: PGSSLCERT")
    .option("--sslkey <file>", "default: PGSSLKEY")
    .action(action);
}

function relationName(text: string): RelationName {
  const relation = parseRelationName(text);
  if (relation === undefined) throw new InvalidArgumentError("write [schema.]table.");
  return relation;
}

async function inspect(relation: RelationName, options: InspectOptions, { out, err }: Streams): Promise<number> {
  const { format, table, ...connection } = options;
  const sessions = new Sessions({ ...connection, applicationName: "pgpartition inspect", maxConnections: 1 });
  try {
    const found = await look(sessions, relation, table);
    if ("set" in found) {
      out(write(found, format));
      return STATUS.done;
    }
    err(
      `${relation.schema}.${relation.name} cannot be described:\n${found.reasons.map((text) => `  ${text}\n`).join("")}`,
    );
    return STATUS.impossible;
  } finally {
    await sessions.close();
  }
}
