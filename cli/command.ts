/** `pgpartition`: partitioned tables and their archives from a shell. */
import { Command, CommanderError, Option } from "commander";
import { Sessions } from "../postgres/connection";
import { explainError } from "../postgres/errors";
import type { RelationName } from "../topology/model";
import { archiveCommand } from "./archive/command";
import { type ConnectionOptions, withConnection } from "./connectionOptions";
import { look } from "./look";
import { relationName } from "./relationName";
import { Stopped } from "./stop";
import { STATUS, type Streams } from "./streams";
import { FORMATS, type Format, write } from "./write";

type InspectOptions = ConnectionOptions & { format: Format; table: boolean };

/** Runs the command with the arguments that follow its name; gives its exit status. */
export async function run(args: readonly string[], { out, err }: Streams): Promise<number> {
  let status: number = STATUS.done;
  const program = new Command("pgpartition")
    .description("Looks at partitioned PostgreSQL tables and at their archives.")
    .exitOverride()
    .configureOutput({ writeOut: out, writeErr: err });
  program.addCommand(
    inspectCommand(async (relation, options) => {
      status = await inspect(relation, options, { out, err });
    }),
  );
  program.addCommand(
    archiveCommand({ out, err }, (reached) => {
      status = reached;
    }),
  );
  inheritSettings(program);
  try {
    await program.parseAsync([...args], { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? STATUS.done : STATUS.usage;
    err(`${explainError(error)}\n`);
    if (error instanceof Stopped) return error.status;
    return error instanceof RangeError ? STATUS.usage : STATUS.impossible;
  }
  return status;
}

/** Commander copies them when it makes a command itself only. */
function inheritSettings(parent: Command): void {
  for (const command of parent.commands) {
    command.copyInheritedSettings(parent);
    inheritSettings(command);
  }
}

function inspectCommand(action: (relation: RelationName, options: InspectOptions) => Promise<void>): Command {
  const command = new Command("inspect")
    .description("Prints the declaration that describes an existing partitioned table. Applied, it changes nothing.")
    .argument("<table>", "[schema.]table, case kept; quoted as in SQL when it holds a dot", relationName)
    .addOption(new Option("--format <format>", "what to print").choices(FORMATS).default("typescript"))
    .option("--table", "declare columns, keys and indexes, too", true)
    .option("--no-table", "leave out columns, keys and indexes: they belong to an ORM or to migrations");
  return withConnection(command).action(action);
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
