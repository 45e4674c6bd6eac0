/** `pulumi destroy` of a set: what `onDelete` allows, and nothing behind a reviewer's back. */
import { isDeclared } from "../../topology/level";
import type { DesiredPartition, DesiredSet, OnDelete, Tier } from "../../topology/model";
import { detachedBelow, plan } from "../../topology/plan";
import { desiredFromChecked } from "../../topology/policy";
import type { Plan } from "../../topology/steps";
import type { Context, DeleteRequest } from "../handler";
import { tellingUnreadable } from "./archive";
import { remainingText } from "./archived";
import type { Observation } from "./observe";
import { withOccupancy } from "./occupancy";
import { checkedInputs } from "./read";
import { type MakePlan, reconcile } from "./reconcile";

/** Where the partitions of a destroyed set go. */
const TARGET: Record<OnDelete, Tier> = { refuse: "dropped", detach: "detached", drop: "dropped" };

export async function deleteSet(context: Context, { olds, oldInputs }: DeleteRequest): Promise<void> {
  const desired = desiredFromChecked(checkedInputs(oldInputs));
  const mode = (oldInputs.onDelete ?? "refuse") as OnDelete;
  const makePlan: MakePlan = async (session, observation) => {
    if (observation.actual.parent === undefined) return { steps: [], findings: [], unchanged: [] };
    const tables = ours(desired, observation);
    if (mode === "refuse") await withOccupancy(session, [...tables, ...tables.flatMap(detachedBelow)], refuse);
    return goingAway(desired, observation, mode);
  };
  // The archive stays as it is, so that nobody has to be able to read it for this.
  const reading = { unreadable: tellingUnreadable(context) };
  const { reasons } = await reconcile(context, desired, olds, makePlan, reading);
  if (reasons.length > 0) throw new Error(reasons.join("\n"));
  const left = remainingText(olds, desired);
  if (left !== undefined) await context.log.diagnostic("info", left);
  await context.views.withdraw();
}

/** Partitions (with all that is below them) that the set declares or has recorded; what nobody declared stays where it is. */
function ours(desired: DesiredSet, { actual, known }: Observation) {
  const oids = new Set(Object.values(known));
  return [...actual.children, ...actual.detached].filter((one) => oids.has(one.oid) || isDeclared(desired, one));
}

/** Pure: the plan that takes every partition of ours away. */
function goingAway(desired: DesiredSet, observation: Observation, mode: OnDelete): Plan {
  const partitions = Object.fromEntries(
    ours(desired, observation).map(({ schema, name, bound }): [string, DesiredPartition] => [
      name,
      { ...bound, schema, tier: TARGET[mode] },
    ]),
  );
  const gone: DesiredSet = { ...desired, partitions, retired: undefined, unmanaged: "ignore", adopt: [] };
  const planned = plan(gone, observation.actual, observation.known);
  if (mode !== "refuse") return planned;
  // Under the plain form's lock nobody can add a row between the last look and the detach.
  return {
    ...planned,
    steps: planned.steps.map((step) => ({
      ...step,
      method: step.method === "detachConcurrently" ? "detachPlain" : step.method,
      requireEmpty: true,
    })),
  };
}

function refuse(occupied: string[]): void {
  if (occupied.length === 0) return;
  const shown = occupied.slice(0, 10).join(", ");
  const more = occupied.length > 10 ? ` and ${occupied.length - 10} more` : "";
  throw new Error(
    `Not deleted: ${occupied.length} partition(s) hold rows (${shown}${more}), and onDelete is "refuse". ` +
      `To keep the rows in tables beside the parent set onDelete: "detach", to give them up set onDelete: "drop", ` +
      `run \`pulumi up\`, then destroy again. To only forget the set use \`pulumi state delete\`.`,
  );
}
