/** The CHECK that proves the new bound of a large table before the table gets it. */
import { describeBound } from "../bounds";
import { uncovered } from "../coverage";
import type { ActualPartition } from "../model";
import type { Context, Draft } from "./context";
import { stepId } from "./drafts";

/** What comes before a re-bound and what follows it, whether it was done or not: a CHECK that stays refuses rows. */
export function proofFor(context: Context, rebound: Draft): { on: Draft; off: Draft } {
  const { partition, schema, bound, oid, under, after, effect } = rebound;
  const base = { partition, schema, ...(under && { under }), ...(oid === undefined ? {} : { oid }) };
  const on: Draft = {
    ...base,
    id: proofId(context, rebound),
    kind: "proveBound",
    method: "prove",
    ...(bound && { bound }),
    reason: `it is large: a validated CHECK spares its scan while the parent is locked${refusedText(context, rebound)}`,
    effect,
    after,
  };
  return { on, off: removal(context, rebound, "it is not needed any more", [on.id]) };
}

/** A re-bound that waits for its proof. */
export function proven(context: Context): (rebound: Draft) => Draft {
  return (rebound) => (rebound.proven ? { ...rebound, after: [...rebound.after, proofId(context, rebound)] } : rebound);
}

/** Those that an interrupted run has left and no re-bound of this plan replaces. */
export function leftProofs(context: Context): Draft[] {
  const replaced = new Set(context.drafts.rebounds.flatMap(({ proven: now, oid }) => (now ? [oid] : [])));
  const left = context.actual.children.filter(({ oid, guarded }) => guarded && !replaced.has(oid));
  return left.map((child) => {
    const { schema, name, oid } = child;
    const table = { partition: name, schema, oid, ...(context.under && { under: context.under }) };
    return removal(context, table, "an interrupted run has left its CHECK", []);
  });
}

function removal(
  { desired }: Context,
  { partition, schema, oid, under }: Pick<Draft, "partition" | "schema" | "oid" | "under">,
  reason: string,
  after: string[],
): Draft {
  return {
    id: stepId("unproveBound", desired, { schema, name: partition }),
    kind: "unproveBound",
    method: "unprove",
    partition,
    schema,
    ...(under && { under }),
    ...(oid === undefined ? {} : { oid }),
    reason,
    effect: { data: "none" },
    after,
  };
}

function proofId({ desired }: Context, { partition, schema }: Draft): string {
  return stepId("proveBound", desired, { schema, name: partition });
}

/** What the old bound has and the new one has not holds no row, or this would be no re-bound. */
function refusedText({ actual, types }: Context, { oid, bound }: Draft): string {
  const child: ActualPartition | undefined = actual.children.find((one) => one.oid === oid);
  const given = (child && bound && uncovered(child.bound, [bound], types)) ?? [];
  if (given.length === 0) return "";
  return `; until it has its new bound, rows of ${given.map(describeBound).join(", ")} are refused (23514)`;
}
