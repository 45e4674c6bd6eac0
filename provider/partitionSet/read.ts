/** Refresh and import of a PartitionSet. */
import { readSet } from "../../postgres/catalog";
import { readDescribeOptions } from "../../postgres/describeOptions";
import { readServer } from "../../postgres/server";
import { describeSet } from "../../topology/describe/describe";
import { partitionKey, plainType } from "../../topology/level";
import type { ActualLevel } from "../../topology/model";
import { desiredFromChecked, expand } from "../../topology/policy";
import type { Context, ReadRequest, Resource } from "../handler";
import { identityOf } from "../identity";
import { formatId, parseId, requireDatabase } from "../ids";
import type { Properties } from "../values";
import { observe } from "./observe";
import { ownPart } from "./own";
import { viewRows } from "./rows";
import { outputsFromActual, withSnapshot } from "./state";

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
  const desired = desiredFromChecked(checkedInputs(oldInputs));
  const { actual, identity, known } = await context.database.sessions.withSession((session) =>
    observe(session, desired, { ...olds, acceptIdentity: oldInputs.acceptIdentity }),
  );
  if (actual.parent === undefined) return undefined;
  return {
    id,
    outputs: withSnapshot(outputsFromActual(oldInputs, ownPart(desired, actual, known), identity, known), {}, olds),
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
  const { server, actual, options } = await context.database.sessions.withSession(async (session) => ({
    server: await readServer(session),
    options: await readDescribeOptions(session),
    actual: await readSet(session, { schema: target.schema, table: target.table, names: [], known: {} }),
  }));
  requireDatabase(target, server.database);
  if (actual.parent === undefined) return undefined;
  const described = describeSet(actual, options);
  if ("reasons" in described) throw new Error(`${id} cannot be described:\n${described.reasons.join("\n")}`);
  for (const { severity, text } of described.notes) await context.log.diagnostic(severity, text);
  const inputs = { schema: actual.parent.schema, ...described.inputs };
  const ours = ownPart(desiredFromChecked(checkedInputs(inputs)), actual, {});
  const outputs = outputsFromActual(inputs, ours, identityOf(server, actual.parent.oid));
  return { id: formatId(target), inputs, outputs: { ...outputs, imported: true } };
}

/** Right after an import the inputs are those that it has found, which have not been through Check. */
export function checkedInputs(inputs: Properties): Properties {
  return inputs.onDelete === undefined ? expand(inputs).checked : inputs;
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
