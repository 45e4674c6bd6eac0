/** Puts the steps of a plan into their order, chooses how each is carried out, and which of them share a transaction. */
import { compareBounds } from "../bounds";
import { relationsBelow } from "../level";
import type { PartitionBound } from "../model";
import type { Step, StepMethod } from "../steps";
import type { Context, Draft, Drafts } from "./context";
import { leftProofs, proofFor, proven } from "./proofs";

/** A DEFAULT partition above this size is guarded: ATTACH scans it under ACCESS EXCLUSIVE (5 M rows 410 ms, guarded 2 ms). */
export const GUARD_DEFAULT_BYTES = 10 * 1024 * 1024;

/**
 * `CREATE TABLE … PARTITION OF` per transaction. It takes ACCESS EXCLUSIVE on the parent, but nobody can be using a parent
 * without partitions; one transaction for many makes 1,000 of them take 4 s instead of 12 s.
 */
export const FRESH_BATCH = 100;

/**
 * LIKE + ATTACH per transaction. Without DEFAULT and foreign keys it takes SHARE UPDATE EXCLUSIVE on the parent, which
 * blocks neither reads nor writes, so that many may share it (6.7 s instead of 10 s for 1,000).
 */
export const ATTACH_BATCH = 50;

/** A step in its place. Those of an equal limit that follow each other share a transaction as far as the limit allows. */
export interface Placed {
  draft: Draft;
  /** Most tables that may be made in one transaction; 1: none beside this step's. */
  limit: number;
}

/** The steps of one level in order; those of the levels below belong between the two parts. */
export interface Order {
  /** Everything that must be there before the levels below can be worked on. */
  first: Placed[];
  /** What leaves. */
  last: Placed[];
}

/** All steps of one level in order, with what may share a transaction. */
export function orderSteps(context: Context): Order {
  const { drafts, parent, actual, types } = context;
  const isDefault = ({ bound }: Draft) => bound !== undefined && "default" in bound;
  const byBound = (a: Draft, b: Draft) => (a.bound && b.bound ? compareBounds(a.bound, b.bound, types) : 0);
  const beside = besideRebounds(drafts);
  const additions = drafts.additions.filter((draft) => !beside.has(draft)).sort(byBound);
  const hadDefault = parent.defaultPartition !== undefined || actual.children.some(({ bound }) => "default" in bound);
  const makesDefault = ({ reorganization }: Draft) =>
    !hadDefault && reorganization !== undefined && reorganization.targets.some(({ bound }) => "default" in bound);
  const getsDefault = drafts.additions.some(isDefault) || drafts.reorganizations.some(makesDefault);
  // A query on the set's table locks an empty table below it too: that one is not free of users.
  const fresh = actual.children.length === 0 && context.under === undefined;
  const method: StepMethod = fresh ? "partitionOf" : "likeAttach";
  const linked = parent.references.length > 0 || parent.referencedBy.length > 0;
  const limit = fresh ? FRESH_BATCH : hadDefault || linked ? 1 : ATTACH_BATCH;
  const itself = (parent.itself ?? []).length > 0;
  const keeps = keeping(context);
  const detach = detachMethod(hadDefault || getsDefault || itself, drafts.finalize);
  const ranges = additions.filter((draft) => !isDefault(draft));
  const changing = [...drafts.rebounds, ...drafts.additions].filter((draft) => !isDefault(draft));
  const guard = fresh ? undefined : guardFor(context, changing);
  const on = guard?.on;
  const guarded = (draft: Draft) =>
    on === undefined || isDefault(draft) ? draft : { ...draft, after: [...draft.after, on.id] };
  const waiting = proven(context);
  const proof = (draft: Draft, part: "on" | "off") => (draft.proven ? alone([proofFor(context, draft)[part]]) : []);
  return {
    first: [
      ...alone(drafts.finalize.map(keeps)),
      ...alone(leftProofs(context)),
      ...alone(drafts.unfinished),
      ...alone(drafts.renames),
      ...alone(drafts.making.map(keeps)),
      // Whatever no partition takes any more has a place in the new DEFAULT from then on.
      ...alone(drafts.reorganizations.filter(makesDefault)),
      ...(on === undefined ? [] : alone([on])),
      ...alone(drafts.restores),
      ...drafts.rebounds.flatMap((draft) => [
        ...proof(draft, "on"),
        ...alone([guarded(waiting(draft))]),
        ...drafts.additions
          .filter((other) => beside.get(other) === draft)
          .map((other): Placed => ({ draft: { ...guarded(other), beside: true }, limit: 1 })),
        ...proof(draft, "off"),
      ]),
      ...added([...ranges.map(guarded), ...(fresh ? additions.filter(isDefault) : [])], method, limit),
      ...(guard === undefined ? [] : alone([guard.off])),
      ...(fresh ? [] : added(additions.filter(isDefault), method, 1)),
      ...alone(drafts.reorganizations.filter((draft) => !makesDefault(draft))),
      ...alone(drafts.adjustments),
    ],
    last: [...alone(drafts.exports), ...alone(drafts.detaches.map(keeps).map(detach)), ...alone(drafts.drops)],
  };
}

function alone(drafts: readonly Draft[]): Placed[] {
  return drafts.map((draft) => ({ draft, limit: 1 }));
}

/** Creates share transactions; an attach has one of its own, because it may have rows to scan. */
function added(drafts: readonly Draft[], method: StepMethod, limit: number): Placed[] {
  return drafts.map((draft) =>
    draft.kind === "create" ? { draft: { ...draft, method }, limit } : { draft, limit: 1 },
  );
}

/** Gives the steps of a whole plan their transactions. */
export function numberSteps(placed: readonly Placed[]): Step[] {
  let transaction = 0;
  let open: { kind?: Step["kind"]; limit: number; tables: number } = { limit: 0, tables: 0 };
  const indivisible = new Set<number>();
  const steps = placed.map(({ draft: { beside, ...draft }, limit }): Step => {
    const tables = 1 + relationsBelow(draft.level, draft.schema).length;
    const alike = open.kind === draft.kind && open.limit === limit;
    const joins = beside || (limit > 1 && alike && open.tables + tables <= limit);
    if (!joins) transaction++;
    if (beside) indivisible.add(transaction);
    open = { kind: draft.kind, limit, tables: joins ? open.tables + tables : tables };
    return { ...draft, transaction };
  });
  return steps.map((step) => (indivisible.has(step.transaction) ? { ...step, indivisible: true } : step));
}

/**
 * What takes over a part of a range that a re-bound gives back is made in the same transaction, so that no row is refused
 * in between: a new DEFAULT with the first one, others with the last that they take from.
 */
function besideRebounds({ additions, rebounds }: Drafts): Map<Draft, Draft> {
  const creates = additions.filter(({ kind }) => kind === "create");
  const pairs = creates.flatMap((addition): [Draft, Draft][] => {
    const isDefault = addition.bound !== undefined && "default" in addition.bound;
    const rebound = isDefault ? rebounds[0] : rebounds.findLast(({ id }) => addition.after.includes(id));
    return rebound === undefined ? [] : [[addition, rebound]];
  });
  return new Map(pairs);
}

/** Marks what is detached and neither dropped nor attached again, where that costs it foreign keys. */
function keeping({ parent, drafts }: Context): (draft: Draft) => Draft {
  if (!parent.losesForeignKeys) return (draft) => draft;
  const passing = new Set([...drafts.drops, ...drafts.additions].map(({ oid }) => oid));
  return (draft) => (passing.has(draft.oid) ? draft : { ...draft, keepsForeignKeys: true });
}

/**
 * CONCURRENTLY where PostgreSQL allows it: not beside a DEFAULT. Of a table that references itself it locks the parent
 * just as the plain form does. What only makes room is detached in the plain form, because others go on writing into its
 * range: an interruption then leaves it attached, not half detached. Foreign keys that go with a detach can be put back in
 * its transaction only.
 */
function detachMethod(plain: boolean, finalize: readonly Draft[]): (draft: Draft) => Draft {
  if (plain) return (draft) => draft;
  const pending = finalize.map(({ id }) => id);
  return (draft) =>
    draft.keepsForeignKeys
      ? draft
      : { ...draft, method: "detachConcurrently", after: [...new Set([...draft.after, ...pending])] };
}

/**
 * A CHECK on a large DEFAULT that excludes the new bounds, and its removal, which must follow even when an attach failed.
 * The removal alone, when an interrupted run has left the CHECK there.
 */
function guardFor(
  { parent, actual, under, drafts }: Context,
  additions: readonly Draft[],
): { on?: Draft; off: Draft } | undefined {
  const found = parent.defaultPartition;
  if (found === undefined) return undefined;
  const renamed = drafts.renames.findLast(({ oid }) => oid === found.oid);
  const fallback = renamed === undefined ? found : { ...found, schema: renamed.schema, name: renamed.partition };
  const needed = fallback.bytes > GUARD_DEFAULT_BYTES && additions.length > 0;
  if (!needed && !fallback.guarded) return undefined;
  const excludes = additions.flatMap(({ bound }): PartitionBound[] => (bound === undefined ? [] : [bound]));
  const rows = actual.children.find(({ oid }) => oid === fallback.oid)?.rows;
  const place = under === undefined ? {} : { under };
  const base = { partition: fallback.name, schema: fallback.schema, ...place, excludes, oid: fallback.oid };
  const size = { ...(rows === undefined ? {} : { rows }), bytes: fallback.bytes };
  const on: Draft = {
    ...base,
    id: `guardDefault:${fallback.name}`,
    kind: "guardDefault",
    method: "guard",
    reason:
      `${parent.schema}.${fallback.name} is large: a validated CHECK spares its scan under ACCESS EXCLUSIVE; ` +
      "until the new partitions are attached, rows of their ranges are refused (23514)",
    effect: { data: "none", ...size },
    after: [],
  };
  const off: Draft = {
    ...base,
    id: `unguardDefault:${fallback.name}`,
    kind: "unguardDefault",
    method: "unguard",
    reason: needed ? "the new bounds are attached" : "an interrupted run has left its CHECK",
    effect: { data: "none" },
    after: needed ? [on.id] : [],
  };
  return needed ? { on, off } : { off };
}
