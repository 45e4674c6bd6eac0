/** What the archive commands are told: which store, which of its partitions, which database. */
import { readFileSync } from "node:fs";
import { type Command, InvalidArgumentError, Option } from "commander";
import { readCatalogue, type StoredPartition } from "../../archive/catalogue";
import type { Origin } from "../../archive/keys";
import { openStore } from "../../archive/open";
import type { QueryStore } from "../../archive/parquet/store";
import type { Store } from "../../archive/store";
import { Sessions } from "../../postgres/connection";
import { readServer, UNREADABLE } from "../../postgres/server";
import type { ArchiveSettings } from "../../topology/archive";
import { record } from "../../topology/level";
import type { RelationName } from "../../topology/model";
import { archive, archiveOfInputs } from "../../topology/policy/archive";
import type { Report } from "../../topology/policy/reader";
import { type ConnectionOptions, connectionOf, withConnection } from "../connectionOptions";
import { relationName } from "../relationName";

export interface StoreOptions {
  store?: string;
  settings?: string;
  json?: boolean;
}

export interface SelectionOptions {
  table?: RelationName;
  source?: Partial<Pick<Origin, "systemIdentifier">> & Pick<Origin, "database">;
}

export interface CompareOptions extends ConnectionOptions {
  compare?: boolean;
}

export function withStoreOptions(command: Command): Command {
  return command
    .addOption(new Option("--store <url>", "file:///directory or s3://bucket/prefix?region=…").env("PGPARTITION_STORE"))
    .option("--settings <file>", "JSON: the archive argument of the program, for whatever else it sets")
    .option("--json", "for programs instead of people");
}

export function withSelection(command: Command): Command {
  return command
    .option("--table <[schema.]table>", "partitions of this table only", relationName)
    .option("--source <[cluster/]database>", "archives of this database only (cluster: its system identifier)", source);
}

export function withCompare(command: Command): Command {
  return withConnection(
    command.option("--compare", "with the tables that are there; implied by every option of a connection", false),
  );
}

function source(text: string): SelectionOptions["source"] {
  const [, systemIdentifier, database] = /^(?:(\d+|unreadable)\/)?(.+)$/s.exec(text) ?? [];
  if (database === undefined) throw new InvalidArgumentError("write [cluster/]database.");
  return { database, ...(systemIdentifier !== undefined && { systemIdentifier }) };
}

/** @throws RangeError that names what is wrong. */
export function settingsOf({ store, settings }: StoreOptions): ArchiveSettings {
  const given = { ...(settings === undefined ? {} : readSettings(settings)), ...(store !== undefined && { store }) };
  if (given.store === undefined) throw new RangeError("No store is given: --store, PGPARTITION_STORE or --settings.");
  const report: Report = { failures: [], unknown: [] };
  const read = archiveOfInputs(archive(given, "", report));
  const wrong = report.failures.map(({ property, reason }) => `${property.replace(/^\./, "")} ${reason}`);
  if (read === undefined || wrong.length > 0) throw new RangeError(`${wrong.join("; ")}.`);
  return read;
}

function readSettings(file: string): Record<string, unknown> {
  try {
    return record(JSON.parse(readFileSync(file, "utf8")));
  } catch (error) {
    throw new RangeError(`${file} cannot be read as JSON: ${error instanceof Error ? error.message : error}`);
  }
}

export async function withStore<T>(
  options: StoreOptions,
  action: (store: QueryStore, settings: ArchiveSettings) => Promise<T>,
): Promise<T> {
  const settings = settingsOf(options);
  const store = openStore(settings, new Date());
  try {
    return await action(store, settings);
  } finally {
    store.close();
  }
}

/** Whether an archive is one of those that are meant; without names, all of them are. */
export function isSelected(
  { table, source }: SelectionOptions,
  names: readonly string[] = [],
): (stored: StoredPartition) => boolean {
  return ({ origin, partition }) =>
    (names.length === 0 || names.includes(partition)) &&
    (table === undefined || (origin.parent.schema === table.schema && origin.parent.name === table.name)) &&
    (source === undefined ||
      (origin.database === source.database &&
        (source.systemIdentifier === undefined || source.systemIdentifier === origin.systemIdentifier)));
}

export async function select(
  store: Store,
  selection: SelectionOptions,
  names: readonly string[] = [],
  signal?: AbortSignal,
): Promise<StoredPartition[]> {
  const { partitions } = await readCatalogue(store, signal);
  return partitions.filter(isSelected(selection, names));
}

/** A database that archives are compared with. */
export interface Database extends Pick<Origin, "systemIdentifier" | "database"> {
  sessions: Sessions;
}

/** Opens the database that the options name. Undefined: they name none, and the store alone is asked. */
export async function withDatabase<T>(
  options: CompareOptions,
  maxConnections: number,
  action: (database: Database | undefined) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const connection = connectionOf(options);
  if (!options.compare && Object.keys(connection).length === 0) return action(undefined);
  const work = async (sessions: Sessions) => {
    const server = await sessions.withSession(readServer);
    const { systemIdentifier = UNREADABLE, database } = server;
    return action({ sessions, systemIdentifier, database });
  };
  return withSessions(connection, maxConnections, work, signal);
}

/** `signal`, aborted, cancels what the sessions are doing. */
export async function withSessions<T>(
  connection: ConnectionOptions,
  maxConnections: number,
  action: (sessions: Sessions) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  signal?.throwIfAborted();
  const sessions = new Sessions({
    ...connectionOf(connection),
    applicationName: "pgpartition archive",
    maxConnections,
  });
  let cancelling: Promise<void> | undefined;
  const cancel = () => {
    cancelling = sessions.cancelAll();
  };
  signal?.addEventListener("abort", cancel, { once: true });
  try {
    return await action(sessions);
  } finally {
    signal?.removeEventListener("abort", cancel);
    await (cancelling ?? sessions.close());
  }
}

/** Whether an archive is of that database; where a system identifier may not be read, its name has to do. */
export function isOf(database: Database, { systemIdentifier, database: name }: Origin): boolean {
  const unreadable = [systemIdentifier, database.systemIdentifier].includes(UNREADABLE);
  return database.database === name && (unreadable || systemIdentifier === database.systemIdentifier);
}

/** A whole number of at least one. */
export function count(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError("write a whole number of at least 1.");
  return value;
}
