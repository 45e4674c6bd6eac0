/** Refresh and import of a PartitionSet. */
import { readSet } from "../../postgres/catalog";
import { readServer } from "../../postgres/server";
import type { ActualParent, ActualSet } from "../../topology/model";
import { desiredFromChecked } from "../../topology/policy";
import type { Context, ReadRequest, Resource } from "../handler";
import { identityOf } from "../identity";
import { formatId, parseId, requireDatabase } from "../ids";
import type { Properties } from "../values";
import { observe } from "./observe";
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
  return { id, outputs: outputsFromActual(oldInputs, actual, identity, known), inputs: oldInputs };
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
  const live = actual.children.filter(({ state }) => state === "live");
  return {
    schema: parent.schema,
    table: parent.name,
    partitionBy: partitionByOf(parent),
    partitions: Object.fromEntries(live.map(({ name, bound }) => [name, bound])),
  };
}

function partitionByOf({ strategy, keyColumns, keyTypes }: ActualParent): Properties {
  const columns = keyColumns.map((column) => {
    if (column !== null) return column;
    throw new Error("The partition key has an expression; such a parent cannot be declared in this version.");
  });
  if (strategy === "hash") return { hash: { columns } };
  const key =
    columns.length === 1
      ? { column: columns[0], type: plainType(keyTypes[0]) }
      : { columns, types: keyTypes.map(plainType) };
  return strategy === "list" ? { list: key } : { range: key };
}

/** format_type() spells the time types out and adds their precision; the policy knows them by their short names. */
function plainType(type = "text"): string {
  const text = type.replace(/\(\d+\)/, "");
  const SHORT: Record<string, string> = {
    "timestamp without time zone": "timestamp",
    "timestamp with time zone": "timestamptz",
  };
  return SHORT[text] ?? text;
}
