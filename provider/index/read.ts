/** Refresh and import of an Index. */
import { type Definition, readDefinition } from "../../postgres/index/definition";
import { readServer } from "../../postgres/server";
import type { Context, ReadRequest, Resource } from "../handler";
import { identityOf } from "../identity";
import { formatId, parseId, requireDatabase } from "../ids";
import type { Properties } from "../values";
import { findTarget, observe } from "./observe";
import { outputsOf } from "./state";

export function readIndexResource(context: Context, request: ReadRequest): Promise<Resource | undefined> {
  return Object.keys(request.olds).length === 0 ? importIndex(context, request.id) : refreshIndex(context, request);
}

async function refreshIndex(context: Context, { id, olds, oldInputs }: ReadRequest): Promise<Resource | undefined> {
  return context.database.sessions.withSession(async (session) => {
    const known = { ...olds, acceptIdentity: oldInputs.acceptIdentity };
    const target = await findTarget(session, oldInputs, known);
    const { table } = target;
    if (table === undefined) return undefined;
    const { tree, plan } = await observe(session, { ...target, table });
    if (plan.found === undefined) return undefined;
    const seen = { server: target.server, table, index: plan.found, left: plan.steps, wanted: tree.wanted };
    return { id, inputs: oldInputs, outputs: outputsOf(oldInputs, seen) };
  });
}

async function importIndex(context: Context, id: string): Promise<Resource | undefined> {
  const target = parseId(id);
  if (target === undefined) {
    throw new Error(
      `"${id}" is not an id of an Index; write database/schema.index, for example app/public.events_user_id_idx.`,
    );
  }
  const { server, found } = await context.database.sessions.withSession(async (session) => ({
    server: await readServer(session),
    found: await readDefinition(session, { schema: target.schema, name: target.table }),
  }));
  requireDatabase(target, server.database);
  if (found === undefined) return undefined;
  const inputs = importedInputs(found);
  const identity = identityOf(server, found.tableOid);
  return { id: formatId(target), inputs, outputs: { ...inputs, oid: found.oid, incomplete: {}, drift: [], identity } };
}

/** Inputs that describe the index, without what is the default. Pure. */
export function importedInputs({ oid: _, tableOid: __, ...definition }: Definition): Properties {
  return Object.fromEntries(Object.entries(definition).filter(([, value]) => value !== undefined));
}
