/** The stack of this repository: five partitioned tables of four systems, per environment. */
import { Config, getStack, type Output, runtime } from "@pulumi/pulumi";
import { PartitionedTable, type PartitionedTableArgs, Provider, type ProviderArgs } from "./components";
import { storeOf } from "./systems/archive";
import { parseConfiguration } from "./systems/configuration";
import { partitionedTables } from "./systems/systems";

const PROJECT = "pgpartition-stack";
/** Read as a secret and handed on as one, so it never is part of the validated environment. */
const PASSWORD = "password";

/** Everything under this project's name in `Pulumi.<stack>.yaml`, known keys or not. */
function configuration(config: Config): Record<string, unknown> {
  const names = Object.keys(runtime.allConfig())
    .filter((key) => key.startsWith(`${PROJECT}:`))
    .map((key) => key.slice(PROJECT.length + 1))
    .filter((name) => name !== PASSWORD);
  return Object.fromEntries(names.map((name) => [name, settingOf(config, name)]));
}

/** Objects, numbers and flags are JSON in the configuration; everything else is text. */
function settingOf(config: Config, name: string): unknown {
  const text = config.require(name);
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const config = new Config(PROJECT);
const environment = parseConfiguration(configuration(config), getStack());
const options = { protect: environment.protect };

const connection: ProviderArgs = {
  ...environment.connection,
  password: config.getSecret(PASSWORD),
};
const provider = new Provider("database", connection, options);

const { archive, ...surroundings } = environment;
const store = archive && storeOf(archive, options);

const tables = Object.entries<PartitionedTableArgs>(partitionedTables({ ...surroundings, store })).map(
  ([name, args]) => [name, new PartitionedTable(name, args, { ...options, provider })] as const,
);

/** Number of partitions of every table. */
export const partitions: Record<string, Output<number>> = Object.fromEntries(
  tables.map(([name, table]) => [name, table.partitions.apply((all) => Object.keys(all ?? {}).length)]),
);
