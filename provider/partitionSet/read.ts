/** Refresh and import of a PartitionSet. */
import { readSet } from "../../postgres/catalog";
import { readServer } from "../../postgres/server";
import { partitionKey, plainType } from "../../topology/level";
import type { ActualLevel, ActualParent, ActualSet } from "../../topology/model";
import { desiredFromChecked } from "../../topology/policy";
import type { Context, ReadRequest, Resource } from "../handler";
import { identityOf } from "../identity";
import { formatId, parseId, requireDatabase } from "../ids";
import type { Properties } from "../values";
import { observe } from "./observe";
import { ownPart } from "./own";
import { outputsFromActual, viewRows } from "./state";

export async function readSetResource(context: Context, request: ReadRequest): Promise<Resource | undefined> {
  const imported = Object.keys(request.olds).length === 0;
  const found = imported ? await importSet(context, request.id) : await refreshSet(context, request);
  if (found === undefined) {
    await context.views.withdraw();
    return undefined;
  }
  // A CREATE published during a refresh is shown but not stored, and its next UPDATE would kill the engine.
  const rows = viewRows(context.name, found.outputs, context.views.old);
  await context.views.publish(rows.filter(({ name }) => Object.hasOwn(context.views.old, name)));
  return found;
}

async function refreshSet(context: Context, { id, olds, oldInputs }: ReadRequest): Promise<Resource | undefined> {
  const desired = desiredFromChecked(oldInputs);
  const { actual, identity, known } = await context.database.sessions.withSession((session) =>
    observe(session, desired, { ...olds, acceptIdentity: oldInputs.acceptIdentity }),
  );
  if (actual.parent === undefined) return undefined;
  return {
    id,
    outputs: outputsFromActual(oldInputs, ownPart(desired, actual, known), identity, known),
    inputs: oldInputs,
  };
}

async function importSet(context: Context, id: string): Promise<Resource | undefined> {
  const target = parseId(id);
  if (target === undefined) {
    throw new Error(
      `"${id}" is not an id of a PartitionSet; write database/schema.table, for example app/public.events.`,
    );
  }
  const { server, actual } = await context.database.sessions.withSession(async (session) => ({
    server: await readServer(session),
    actual: await readSet(session, { schema: target.schema, table: target.table, names: [], known: {} }),
  }));
  requireDatabase(target, server.database);
  if (actual.parent === undefined) return undefined;
  const inputs = importedInputs(actual.parent, actual);
  const outputs = outputsFromActual(inputs, actual, identityOf(server, actual.parent.oid));
  return { id: formatId(target), inputs, outputs: { ...outputs, imported: true } };
}

/** Inputs that describe exactly what is there, each partition by name. Pure. */
export function importedInputs(parent: ActualParent, actual: ActualSet): Properties {
  const { schema, name } = parent;
  return { schema, table: name, ...importedLevel({ ...parent, ...actual }) };
}

/** A level with no partitions of its own is still said to be one. */
function importedLevel({ children, ...key }: Pick<ActualLevel, "strategy" | "keyColumns" | "keyTypes" | "children">) {
  const live = children.filter(({ state }) => state === "live");
  return {
    partitionBy: partitionByOf(key),
    partitions: Object.fromEntries(
      live.map(({ name, bound, level }): [string, Properties] => [
        name,
        { ...bound, ...(level === undefined ? {} : importedLevel(level)) },
      ]),
    ),
  };
}

/** The key as a set declares it. @throws when it has an expression. */
export function partitionByOf({
  strategy,
  keyColumns,
  keyTypes,
}: Pick<ActualLevel, "strategy" | "keyColumns" | "keyTypes">) {
  const columns = keyColumns.map((column) => {
    if (column !== null) return column;
    throw new Error("The partition key has an expression; such a parent cannot be declared in this version.");
  });
  return partitionKey({ strategy, keyColumns: columns, keyTypes: keyTypes.map(plainType) });
}
