/** Refresh and import of a Table. */

import type { Session } from "../../postgres/connection";
import { readServer } from "../../postgres/server";
import { queryable } from "../../postgres/table/client";
import { compareTable } from "../../postgres/table/compare";
import { readTable } from "../../postgres/table/read";
import type { ActualTable } from "../../topology/table/model";
import type { Context, ReadRequest, Resource } from "../handler";
import { foundIdentity, recordedIdentity, requireIdentity } from "../identity";
import { formatId, parseId, requireDatabase } from "../ids";
import type { Properties } from "../values";
import { declaredOf, outputsOf } from "./state";

export function readTableResource(context: Context, request: ReadRequest): Promise<Resource | undefined> {
  const imported = Object.keys(request.olds).length === 0;
  return context.database.sessions.withSession((session) =>
    imported ? importTable(session, request.id) : refreshTable(session, request),
  );
}

async function refreshTable(session: Session, { id, olds, oldInputs }: ReadRequest): Promise<Resource | undefined> {
  const declared = declaredOf(oldInputs);
  const server = await readServer(session);
  const client = queryable(session);
  const actual = await readTable(client, declared);
  const found = foundIdentity(server, actual?.oid);
  requireIdentity(recordedIdentity(olds), found, oldInputs.acceptIdentity, `${declared.schema}.${declared.name}`);
  if (actual === undefined) return undefined;
  const differences = await compareTable(client, declared, actual);
  const left = differences.filter(({ severity }) => severity === "change");
  return { id, inputs: oldInputs, outputs: outputsOf(oldInputs, server, actual.oid, left) };
}

async function importTable(session: Session, id: string): Promise<Resource | undefined> {
  const target = parseId(id);
  if (target === undefined) {
    throw new Error(`"${id}" is not an id of a Table; write database/schema.table, for example app/public.events.`);
  }
  const server = await readServer(session);
  requireDatabase(target, server.database);
  const actual = await readTable(queryable(session), { schema: target.schema, name: target.table });
  if (actual === undefined) return undefined;
  const inputs = importedInputs(actual);
  return { id: formatId(target), inputs, outputs: { ...outputsOf(inputs, server, actual.oid, []), imported: true } };
}

/** The parent as somebody else's: name and key. Its columns are declared only when a program says so. Pure. */
export function importedInputs({ schema, name, partitionKey }: ActualTable): Properties {
  const columns = partitionKey.columns.map((column) => {
    if (column !== null) return column;
    throw new Error("The partition key has an expression; such a parent cannot be declared in this version.");
  });
  const key = partitionKey.strategy === "list" ? { column: columns[0] } : { columns };
  return { schema, name, partitionBy: { [partitionKey.strategy]: key } };
}
