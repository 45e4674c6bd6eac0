/** `pgpartition archive …`: what is in an archive, whether it is sound, what it costs, and its rows back for an audit. */
import { Command } from "commander";
import { GRADES } from "../../archive/grade";
import type { Streams } from "../streams";
import { type ListOptions, list } from "./list";
import { count, withCompare, withSelection, withStoreOptions } from "./options";
import { type VerifyOptions, verify } from "./verify";

/** `reached` is told the exit status. */
export function archiveCommand(streams: Streams, reached: (status: number) => void): Command {
  const command = new Command("archive").description("Looks after archives of partitions. It deletes nothing.");
  for (const subcommand of [listCommand, verifyCommand]) command.addCommand(subcommand(streams, reached));
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
    .addHelpText("after", `\nThe exit status is that of the worst grade:\n${STATUSES.join("\n")}\n  2  wrong usage`)
    .action(async (names: string[], options: VerifyOptions) => reached(await verify(names, options, streams)));
