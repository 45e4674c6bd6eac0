/**
 * What `pulumi up` has the provider do for one table and its partitions, without the engine around it: as fast as the
 * database, and the state is in the test's hands. It uses the build, as the engine does.
 */
import type { Context, ResourceHandler } from "../../provider/handler";
import type { Properties } from "../../provider/values";
import type { Connection } from "./postgres";

const { Database } = require("../../dist/provider/database") as typeof import("../../provider/database");
const { partitionSetHandler } =
  require("../../dist/provider/partitionSet/handler") as typeof import("../../provider/partitionSet/handler");
const { tableHandler } = require("../../dist/provider/table/handler") as typeof import("../../provider/table/handler");
const { ViewPublisher } = require("../../dist/provider/views") as typeof import("../../provider/views");

/** Inputs of the two resources, as a program gives them. */
export interface Program {
  table: Properties;
  set: Properties;
}

/** What the engine would keep of one resource. */
interface Recorded {
  inputs: Properties;
  outputs: Properties;
}

export interface State {
  table?: Recorded;
  set?: Recorded;
}

/** Brings the database to what the program declares, and gives the new state. */
export async function upWithoutEngine(connection: Connection, program: Program, state: State): Promise<State> {
  const { user, ...rest } = connection;
  const database = new Database({ ...rest, username: user, sslmode: "disable" });
  try {
    const table = await applyOne(tableHandler, database, program.table, state.table);
    const set = await applyOne(partitionSetHandler, database, program.set, state.set);
    return { table, set };
  } finally {
    await database.cancel();
  }
}

/** What `pulumi destroy` has the provider do for the set of partitions. */
export async function destroySetWithoutEngine(connection: Connection, { set }: State): Promise<void> {
  if (set === undefined) return;
  const { user, ...rest } = connection;
  const database = new Database({ ...rest, username: user, sslmode: "disable" });
  try {
    await partitionSetHandler.delete(contextOf(database), { id: "test", olds: set.outputs, oldInputs: set.inputs });
  } finally {
    await database.cancel();
  }
}

function contextOf(database: InstanceType<typeof Database>): Context {
  return {
    name: "test",
    log: { diagnostic: async () => undefined, status: async () => undefined },
    database,
    views: new ViewPublisher("", "", {}),
    signal: new AbortController().signal,
  };
}

async function applyOne(
  handler: ResourceHandler,
  database: InstanceType<typeof Database>,
  news: Properties,
  recorded: Recorded | undefined,
): Promise<Recorded> {
  const { inputs, failures } = handler.check({ olds: recorded?.inputs ?? {}, news });
  if (failures.length > 0) throw new Error(JSON.stringify(failures));
  const context = contextOf(database);
  if (recorded === undefined) {
    const { outputs } = await handler.create(context, { news: inputs, preview: false });
    return { inputs, outputs };
  }
  const { inputs: oldInputs, outputs: olds } = recorded;
  const outputs = await handler.update(context, { id: "test", olds, oldInputs, news: inputs, preview: false });
  return { inputs, outputs };
}

export type UpWithoutEngine = typeof upWithoutEngine;
export type DestroySetWithoutEngine = typeof destroySetWithoutEngine;
