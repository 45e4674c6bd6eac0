/** Refresh and import of a Partition. */
import { readSet } from "../../postgres/catalog";
import { findPartition } from "../../postgres/catalog/partition";
import { readServer } from "../../postgres/server";
import type { Context, ReadRequest, Resource } from "../handler";
import { identityOf } from "../identity";
import { formatId, parseId, requireDatabase } from "../ids";
import { ownPart } from "../partitionSet/own";
import { outputsFromActual, withSnapshot } from "../partitionSet/state";
import { asSet, observePartition } from "./observe";
import { declaredOf, outputsFromSet } from "./state";

export function readPartitionResource(context: Context, request: ReadRequest): Promise<Resource | undefined> {
  const imported = Object.keys(request.olds).length === 0;
  return imported ? importPartition(context, request.id) : refreshPartition(context, request);
}

async function refreshPartition(context: Context, { id, olds, oldInputs }: ReadRequest): Promise<Resource | undefined> {
  const known = { ...olds, acceptIdentity: oldInputs.acceptIdentity };
  const seen = await context.database.sessions.withSession((session) =>
    observePartition(session, declaredOf(oldInputs), known),
  );
  if (seen === undefined) return undefined;
  const { desired, inputs, observation } = seen;
  const ours = ownPart(desired, observation.actual, observation.known);
  const set = outputsFromActual(inputs, ours, observation.identity, observation.known);
  return { id, inputs: oldInputs, outputs: outputsFromSet(oldInputs, desired, withSnapshot(set, {}, olds)) };
}

async function importPartition(context: Context, id: string): Promise<Resource | undefined> {
  const target = parseId(id);
  if (target === undefined) {
    throw new Error(
      `"${id}" is not an id of a Partition; write database/schema.partition, for example app/public.orders_eu.`,
    );
  }
  return context.database.sessions.withSession(async (session) => {
    const server = await readServer(session);
    requireDatabase(target, server.database);
    const parent = await findPartition(session, { schema: target.schema, name: target.table });
    if (parent === undefined) return undefined;
    const actual = await readSet(session, { schema: parent.schema, table: parent.name, names: [], known: {} });
    const child = actual.children.find(({ schema, name }) => schema === target.schema && name === target.table);
    if (actual.parent === undefined || child === undefined) return undefined;
    if (child.level !== undefined) {
      throw new Error(
        `${id} has partitions of its own; a Partition is one table. Declare it in a PartitionSet with \`subPartitionBy\`.`,
      );
    }
    const place = child.schema === parent.schema ? {} : { partitionSchema: child.schema };
    const inputs = { schema: parent.schema, table: parent.name, name: child.name, ...place, bound: child.bound };
    const { desired, inputs: checked } = asSet(declaredOf(inputs), actual.parent);
    const identity = identityOf(server, actual.parent.oid);
    const set = outputsFromActual(checked, ownPart(desired, actual, {}), identity);
    return { id: formatId(target), inputs, outputs: outputsFromSet(inputs, desired, set) };
  });
}
