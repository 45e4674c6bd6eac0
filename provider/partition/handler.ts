/** The Partition resource: one partition on a parent that another stack owns, as a set of one. */

import { checkPartition, type DeclaredPartition } from "../../topology/onePartition";
import { containsUnknown, UNKNOWN } from "../../topology/unknown";
import {
  type Context,
  type CreateRequest,
  converging,
  type DeleteRequest,
  type ResourceHandler,
  type UpdateRequest,
} from "../handler";
import { recordedIdentity } from "../identity";
import { relationFrom } from "../ids";
import { applySet } from "../partitionSet/apply";
import { archiveFailures, planningWithout } from "../partitionSet/archive";
import { decide } from "../partitionSet/decide";
import { deleteSet } from "../partitionSet/delete";
import { showPlan, tellForgotten } from "../partitionSet/handler";
import { ownPart } from "../partitionSet/own";
import { outputsFromPlan, withSnapshot } from "../partitionSet/state";
import { PartialFailure } from "../rpcErrors";
import type { Properties } from "../values";
import { diffPartition } from "./diff";
import { asSet, noParentText, observePartition, readParentOf, type SetOfOne } from "./observe";
import { readPartitionResource } from "./read";
import { declaredOf, idOf, outputsFromSet, recordedSet } from "./state";

export const partitionHandler: ResourceHandler = {
  relation: ({ schema, partitionSchema, name }) => relationFrom(partitionSchema ?? schema, name),

  check({ news }) {
    const { checked, failures } = checkPartition(news);
    return { inputs: checked, failures: [...failures, ...archiveFailures(news)] };
  },

  diff: diffPartition,

  ...converging(preview, apply, idOf),

  read: readPartitionResource,

  delete: deletePartition,
};

/** Shows what `up` would do; changes nothing. */
async function preview(
  context: Context,
  { news }: CreateRequest | UpdateRequest,
  olds: Properties,
): Promise<Properties> {
  const promised = { ...news, differs: {}, drift: [], identity: olds.identity ?? UNKNOWN };
  if (containsUnknown(news)) return promised;
  const declared = declaredOf(news);
  const reading = { unreadable: planningWithout(context) };
  let reached = true;
  const seen = await context.database.orElse(
    () =>
      context.database.sessions.withSession(async (session) => {
        const found = await observePartition(session, declared, olds, reading);
        return found && { ...found, planned: await decide(session, found.observation) };
      }),
    async (reason) => {
      await context.log.diagnostic("warning", `Not compared with what is there, for want of the database: ${reason}.`);
      reached = false;
      return undefined;
    },
  );
  if (seen === undefined) {
    if (reached) await context.log.diagnostic("warning", noParentText(declared));
    return promised;
  }
  const { desired, inputs, observation, planned } = seen;
  await showPlan(context, desired, planned, observation);
  await tellForgotten(context, recordedSet(olds), desired);
  const ours = ownPart(desired, observation.actual, observation.known);
  const set = outputsFromPlan(inputs, ours, planned, observation.identity, observation.known);
  return outputsFromSet(news, desired, withSnapshot(set, {}, olds));
}

/** Does what the preview showed. */
async function apply(context: Context, request: CreateRequest | UpdateRequest, olds: Properties): Promise<Properties> {
  const { news } = request;
  const declared = declaredOf(news);
  const { desired, inputs } = await setOf(context, declared);
  const { outputs: set, reasons } = await applySet(context, desired, inputs, recordedSet(olds));
  const outputs = outputsFromSet(news, desired, set);
  if (reasons.length === 0) return outputs;
  // Nothing of it is there: a resource that was never made must not be in the state.
  if (recordedIdentity(olds) === undefined && outputs.tier === "dropped") throw new Error(reasons.join("\n"));
  // An id stays what it was when the partition is to be in another schema.
  throw new PartialFailure("id" in request ? request.id : idOf(outputs), outputs, news, reasons);
}

async function setOf(context: Context, declared: DeclaredPartition): Promise<SetOfOne> {
  const parent = await context.database.sessions.withSession((session) => readParentOf(session, declared));
  if (parent === undefined) throw new Error(noParentText(declared));
  return asSet(declared, parent);
}

/** A parent that is gone has taken its partitions along. */
async function deletePartition(context: Context, { id, olds, oldInputs }: DeleteRequest): Promise<void> {
  const declared = declaredOf(oldInputs);
  const parent = await context.database.sessions.withSession((session) => readParentOf(session, declared));
  if (parent === undefined) return;
  const { inputs } = asSet(declared, parent);
  const known = recordedSet({ ...olds, acceptIdentity: oldInputs.acceptIdentity });
  await deleteSet(context, { id, olds: known, oldInputs: { ...inputs, acceptIdentity: oldInputs.acceptIdentity } });
}
