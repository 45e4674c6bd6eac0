/** `pgpartition archive …`: what is in an archive, whether it is sound, what it costs, and its rows back for an audit. */
import { Command } from "commander";
import { GRADES } from "../../archive/grade";
import type { RelationName } from "../../topology/model";
import { withConnection } from "../connectionOptions";
import { relationName } from "../relationName";
import { stoppable } from "../stop";
import type { Streams } from "../streams";
import { type CostOptions, cost } from "./cost";
import { type ExportCommandOptions, exportByHand } from "./export";
import { type ListOptions, list } from "./list";
import { count, withCompare, withSelection, withStoreOptions } from "./options";
import { type RestoreOptions, restore } from "./restore";
import { type VerifyOptions, verify } from "./verify";

/** `reached` is told the exit status. */
export function archiveCommand(streams: Streams, reached: (status: number) => void): Command {
  const command = new Command("archive").description("Looks after archives of partitions. It deletes nothing.");
  for (const subcommand of [listCommand, verifyCommand, exportCommand, restoreCommand, costCommand])
    command.addCommand(subcommand(streams, reached));
  return command;
}

type Subcommand = (streams: Streams, reached: (status: number) => void) => Command;

const listCommand: Subcommand = (streams, reached) =>
  withCompare(withSelection(withStoreOptions(new Command("list"))))
    .description("Lists what a store holds, table by table.")
    .argument("[partitions...]", "only these")
    .action(async (names: string[], options: ListOptions) => reached(await list(names, options, streams)));

const STATUSES = Object.entries(GRADES).map(([grade, { status, means }]) => `  ${status}  ${grade.padEnd(8)} ${means}`);

const verifyCommand: Subcommand = (streams, reached) =>
  withCompare(withSelection(withStoreOptions(new Command("verify"))))
    .description("Reads the newest copy of each partition from the store, every byte of it, and grades it.")
    .argument("[partitions...]", "names of partitions")
    .option("--all", "every partition that the store has something of")
    .option("--parallel <n>", "archives that are read at a time", count, 4)
    .option("--rate <bytes>", "bytes a second that are read from the store at most, by all of them", count)
    .option("--trust-counters", "do not read tables of which PostgreSQL's counters tell no change; they prove nothing")
    .addHelpText("after", `\nThe exit status is that of the worst grade:\n${STATUSES.join("\n")}\n  2  wrong usage`)
    .action(async (names: string[], options: VerifyOptions) =>
      reached(await stoppable(streams, (signal) => verify(names, options, streams, signal))),
    );

const RESTORE = `
All rows that are read are compared with the manifest; a run that was killed is continued by the same command. The table
belongs to who makes it, and nobody else has rights on it: owner, rights and policies of the partition are not archived.
Back into its partitioned table a partition comes by a pin of the program (README, "Archive").

Exit status: 0 the rows are there, 1 not possible, 2 wrong usage.`;

const restoreCommand: Subcommand = (streams, reached) =>
  withConnection(withSelection(withStoreOptions(new Command("restore"))))
    .description("Restores a partition beside its table: into a new table, in any database.")
    .argument("<partition>", "name of the partition")
    .option(
      "--into <[schema.]table>",
      "default: the partition's name with _restored, in its table's schema",
      relationName,
    )
    .option("--where <condition>", "only rows that meet it, in SQL; functions outside of pg_catalog with their schema")
    .option("--export <n>", "an earlier export than the newest, by its number", count)
    .option("--no-indexes", "without keys, checks and indexes")
    .option("--rate <bytes>", "bytes a second that are read from the store at most", count)
    .addHelpText("after", RESTORE)
    .action(async (name: string, options: RestoreOptions) =>
      reached(await stoppable(streams, (signal) => restore(name, options, streams, signal))),
    );

const PRICES = `
Prices differ by region and change, so that none is built in; what the file does not say is "unknown", never 0:

  { "currency": "USD", "databaseGbMonth": 0.115,
    "classes": { "GLACIER_IR": { "gbMonth": 0.004, "retrievalGb": 0.03, "thousandReads": 0.01,
                                 "minimumDays": 90, "minimumBytes": 131072 } } }

The numbers are an example. A GB is 2^30 bytes; "directory" is the class of a file:// store. Exit status: 0 told, 1 the store
or the database cannot be asked, 2 wrong usage.`;

const costCommand: Subcommand = (streams, reached) =>
  withCompare(withSelection(withStoreOptions(new Command("cost"))))
    .description(
      "Tells what archives take by storage class, what they cost and save, and what reading them back takes.",
    )
    .option("--prices <file>", "JSON: what a month, a retrieval and 1,000 reads cost")
    .addHelpText("after", PRICES)
    .action(async (options: CostOptions) => reached(await cost(options, streams)));

const exportCommand: Subcommand = (streams, reached) =>
  withConnection(withStoreOptions(new Command("export")))
    .description(
      "Copies an attached partition into the archive, as an update does; what is there and has not changed is not written again.",
    )
    .argument("<table>", "[schema.]table, the partitioned one", relationName)
    .argument("<partition>", "name of the partition, of any level")
    .addHelpText(
      "after",
      "\nThe table stays as it is. Exit status: 0 it is in the archive, 1 not possible, 2 wrong usage.",
    )
    .action(async (table: RelationName, name: string, options: ExportCommandOptions) =>
      reached(await stoppable(streams, (signal) => exportByHand(table, name, options, streams, signal))),
    );
