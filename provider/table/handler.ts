/** The Table resource: the partitioned parent itself. */

import { DEFAULT_ADVISORY_WAIT, withParentLock } from "../../postgres/advisory";
import type { Session } from "../../postgres/connection";
import { hasSqlstate, SQLSTATE } from "../../postgres/errors";
import { qualified } from "../../postgres/identifiers";
import { systemClock } from "../../postgres/ladder";
import { readServer, type ServerFacts } from "../../postgres/server";
import { type AlterationProgress, alter } from "../../postgres/table/alter";
import type { IndexWork } from "../../postgres/table/alteration";
import { applyStatements, createTable, dropTable, missingSchema, schemaExists } from "../../postgres/table/apply";
import { NO_CHANGE, type RefusedChange, type TableChange } from "../../postgres/table/change";
import { queryable } from "../../postgres/table/client";
import { renderCreateTable } from "../../postgres/table/create";
import type { Difference } from "../../postgres/table/difference";
import { planTable } from "../../postgres/table/plan";
import { readTable } from "../../postgres/table/read";
import { type Below, readBelow } from "../../postgres/table/tree";
import type { ActualTable, DeclaredTable } from "../../topology/table/model";
import { checkTable } from "../../topology/table/validate";
import { containsUnknown, UNKNOWN } from "../../topology/unknown";
import {
  type Context,
  type CreateRequest,
  converging,
  type DeleteRequest,
  type ResourceHandler,
  type UpdateRequest,
} from "../handler";
import { foundIdentity, identityOf, recordedIdentity, requireIdentity } from "../identity";
import { relationFrom } from "../ids";
import { PartialFailure } from "../rpcErrors";
import type { Properties } from "../values";
import { diffTable } from "./diff";
import { buildIndexes, previewWork } from "./indexes";
import { underLadder } from "./locks";
import { alterationText, changeText, differenceText, progressText } from "./present";
import { readTableResource } from "./read";
import { declaredOf, idOf, inputsLeft, outputsOf } from "./state";

export const tableHandler: ResourceHandler = {
  relation: ({ schema, name }) => relationFrom(schema, name),

  check({ news }) {
    const { checked, failures } = checkTable(news);
    return { inputs: checked, failures };
  },

  diff: diffTable,

  ...converging(preview, apply, idOf),

  read: readTableResource,

  delete: deleteTable,
};

/** What was found under the declared name, after the identity was compared. */
interface Found {
  declared: DeclaredTable;
  server: ServerFacts;
  actual?: ActualTable;
  /** The state knows it, in this very database, and it is not there. */
  gone: boolean;
  differences: Difference[];
  change: TableChange;
  /** Of a table that is to be created. */
  below: Below;
}

async function find(
  session: Session,
  { news, oldInputs }: Pick<UpdateRequest, "news"> & Partial<UpdateRequest>,
  olds: Properties,
): Promise<Found> {
  const declared = declaredOf(news);
  const former = oldInputs && declaredOf(oldInputs);
  const server = await readServer(session);
  const client = queryable(session);
  const actual = await readTable(client, declared);
  const recorded = recordedIdentity(olds);
  const relation = `${declared.schema}.${declared.name}`;
  const moved = requireIdentity(recorded, foundIdentity(server, actual?.oid), olds.acceptIdentity, relation);
  if (actual === undefined) {
    const gone = recorded !== undefined && !moved;
    const below = await readBelow(client, declared.foreignKeys);
    return { declared, server, gone, differences: [], change: NO_CHANGE, below };
  }
  const below: Below = new Map();
  return { declared, server, actual, gone: false, below, ...(await planTable(client, declared, actual, former)) };
}

async function preview(
  context: Context,
  request: CreateRequest | UpdateRequest,
  olds: Properties,
): Promise<Properties> {
  const { news } = request;
  if (containsUnknown(news)) return { ...news, identity: UNKNOWN };
  const found = await context.database.orElse(
    () =>
      context.database.sessions.withSession(async (session) => {
        const seen = await find(session, request, olds);
        if (seen.actual !== undefined) {
          if (recordedIdentity(olds) === undefined) await context.log.diagnostic("info", adoptionText(seen));
          await showChange(context, session, seen);
        } else if (seen.declared.columns !== undefined && !(await schemaExists(session, seen.declared.schema))) {
          await context.log.diagnostic("warning", missingSchema(seen.declared.schema));
        }
        return seen;
      }),
    async (reason) => {
      await context.log.diagnostic("warning", `Planned from the state alone, without the database: ${reason}.`);
      return undefined;
    },
  );
  const isNew = found === undefined ? recordedIdentity(olds) === undefined : found.actual === undefined;
  if (found?.gone) {
    await context.log.diagnostic("warning", goneText(found.declared));
  } else if (isNew) {
    await showCreation(context, declaredOf(news), found?.below ?? new Map());
  }
  const identity = found?.actual === undefined ? olds.identity : identityOf(found.server, found.actual.oid);
  return { ...news, identity: identity ?? (found === undefined ? undefined : UNKNOWN) };
}

async function showCreation(context: Context, declared: DeclaredTable, below: Below): Promise<void> {
  const title = `${declared.schema}.${declared.name}`;
  const text =
    declared.columns === undefined
      ? `${title}: expected to exist already (no columns are declared)`
      : changeText(`${title}: to create`, renderCreateTable(declared, below));
  await context.log.diagnostic("info", text);
}

function adoptionText({ declared, differences }: Found): string {
  const unlike = differences.some(({ severity }) => severity === "change");
  const how = unlike ? "is adopted; these are its differences" : "is as declared: it is adopted without being touched";
  return `${declared.schema}.${declared.name} exists already and ${how}.`;
}

async function showChange(context: Context, session: Session, found: Found): Promise<void> {
  const title = `${found.declared.schema}.${found.declared.name}`;
  const { statements, alterations } = found.change;
  if (statements.length > 0) {
    await context.log.diagnostic("info", changeText(`${title}: to change`, statements));
  }
  for (const alteration of alterations) {
    await context.log.diagnostic("info", alterationText(title, alteration));
  }
  for (const work of found.change.indexes) await showIndex(context, session, found, work);
  for (const difference of found.differences) {
    const refused = found.change.refused.find((refusal) => refusal.difference === difference);
    await context.log.diagnostic(refused ? "warning" : "info", differenceText(title, difference, refused?.reason));
  }
}

async function showIndex(context: Context, session: Session, { actual }: Found, work: IndexWork): Promise<void> {
  if (actual === undefined) return;
  const { text, obstacles } = await previewWork(session, actual.oid, work);
  await context.log.diagnostic("info", text);
  for (const obstacle of obstacles) {
    const title = `${actual.schema}.${actual.name}`;
    await context.log.diagnostic("warning", differenceText(title, work.difference, obstacle));
  }
}

async function apply(context: Context, request: CreateRequest | UpdateRequest, olds: Properties): Promise<Properties> {
  const { news } = request;
  return context.database.sessions.withSession(async (session) => {
    const found = await find(session, request, olds);
    if (found.gone) throw new Error(goneText(found.declared));
    if (found.actual !== undefined) return changeLocked(context, session, found, { request, olds });
    try {
      const made = await createTable(queryable(session), found.declared, underLadder(context, session));
      return outputsOf(news, found.server, made.oid, []);
    } catch (error) {
      if (!hasSqlstate(error, ...MADE_MEANWHILE)) throw error;
      const now = await find(session, request, olds);
      // The name may be that of an index, or of another kind of relation.
      if (now.actual === undefined) throw error;
      return changeLocked(context, session, now, { request, olds });
    }
  });
}

/** Another run made the table since it was looked for; the second code comes when both were at it at the same time. */
const MADE_MEANWHILE = [SQLSTATE.duplicateTable, SQLSTATE.uniqueViolation];

/** While a change reads partitions nobody else of ours may attach or detach any: it is planned again under that lock. */
async function changeLocked(
  context: Context,
  session: Session,
  found: Found,
  { request, olds }: { request: CreateRequest | UpdateRequest; olds: Properties },
): Promise<Properties> {
  const { actual, change: planned } = found;
  if (actual === undefined || (planned.statements.length === 0 && planned.alterations.length === 0)) {
    return finish(context, session, { found, left: [] }, request);
  }
  const parent = { oid: actual.oid, label: qualified(actual) };
  const changed = await withParentLock(session, parent, DEFAULT_ADVISORY_WAIT, systemClock, context.signal, async () =>
    change(context, session, await find(session, request, olds)),
  );
  return finish(context, session, changed, request);
}

/** What has been done so far; `left` was tried and not done. */
interface Changed {
  found: Found;
  left: RefusedChange[];
}

/** Brings columns and constraints of a table that is there into their declared shape, as far as that is possible. */
async function change(context: Context, session: Session, found: Found): Promise<Changed> {
  const { actual, declared, change: planned } = found;
  if (actual === undefined) throw new Error(goneText(declared));
  const client = queryable(session);
  const underLocks = underLadder(context, session);
  const onProgress = (progress: AlterationProgress) => void context.log.status(progressText(progress));
  await applyStatements(client, planned.statements, underLocks);
  return { found, left: await alter(client, actual, planned.alterations, { underLocks, onProgress }) };
}

/** Builds indexes, which lets partitions come and go meanwhile, and says what the table has become. */
async function finish(
  context: Context,
  session: Session,
  { found, left: failed }: Changed,
  request: CreateRequest | UpdateRequest,
): Promise<Properties> {
  const { news } = request;
  const { actual, declared, server, change: planned } = found;
  if (actual === undefined) throw new Error(goneText(declared));
  const missing = failed.map(({ difference }) => difference.path);
  const unbuilt = await buildIndexes(context, session, actual.oid, planned.indexes, missing);
  const left = [...planned.refused, ...failed, ...unbuilt];
  const drift = left.map(({ difference }) => difference);
  const outputs = outputsOf(news, server, actual.oid, drift);
  if (left.length > 0) {
    const title = `${declared.schema}.${declared.name}`;
    const reasons = left.map(({ difference, reason }) => differenceText(title, difference, reason));
    throw new PartialFailure(idOf(outputs), outputs, inputsLeft(request, drift), reasons);
  }
  return outputs;
}

function goneText({ schema, name }: DeclaredTable): string {
  return (
    `${schema}.${name}, which this stack made or adopted, is gone: it was dropped or renamed outside. ` +
    `Run \`pulumi refresh\` to record that; the next \`pulumi up\` then creates it again, empty.`
  );
}

/** A table without declared columns belongs to somebody else and is only forgotten. */
async function deleteTable(context: Context, { olds, oldInputs }: DeleteRequest): Promise<void> {
  if (oldInputs.columns === undefined) return;
  const recorded = recordedIdentity(olds);
  if (recorded === undefined) return;
  const declared = declaredOf(oldInputs);
  await context.database.sessions.withSession(async (session) => {
    const server = await readServer(session);
    const client = queryable(session);
    const actual = await readTable(client, declared);
    const relation = `${declared.schema}.${declared.name}`;
    requireIdentity(recorded, foundIdentity(server, actual?.oid), oldInputs.acceptIdentity, relation);
    if (actual === undefined) return;
    await dropTable(client, { ...declared, oid: actual.oid }, declared.onDelete, underLadder(context, session));
  });
}
