/** Puts the steps of a plan into their order, chooses how each is carried out, and which of them share a transaction. */
import { compareBounds } from "../bounds";
import type { PartitionBound, Step, StepMethod } from "../model";
import type { Context, Draft } from "./context";

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

interface Numbered {
  steps: Step[];
  transaction: number;
}

/** All steps in order, with their transactions. */
export function orderSteps(context: Context): Step[] {
  const { drafts, parent, actual, types } = context;
  const isDefault = ({ bound }: Draft) => bound !== undefined && "default" in bound;
  const byBound = (a: Draft, b: Draft) => (a.bound && b.bound ? compareBounds(a.bound, b.bound, types) : 0);
  const additions = [...drafts.additions].sort(byBound);
  const hadDefault = parent.defaultPartition !== undefined || actual.children.some(({ bound }) => "default" in bound);
  const getsDefault = [...additions, ...drafts.rebounds].some(isDefault);
  const fresh = actual.children.length === 0;
  const method: StepMethod = fresh ? "partitionOf" : "likeAttach";
  const linked = parent.references.length > 0 || parent.referencedBy.length > 0;
  const batch = fresh ? FRESH_BATCH : hadDefault || linked ? 1 : ATTACH_BATCH;
  const itself = (parent.itself ?? []).length > 0;
  const detach = detachMethod(hadDefault || getsDefault || itself, drafts.finalize);

  const numbered: Numbered = { steps: [], transaction: 0 };
  const alone = (list: readonly Draft[]) => {
    for (const draft of list) append(numbered, [draft]);
  };
  alone(drafts.finalize);
  alone(drafts.renames);
  alone(drafts.making);
  alone(drafts.rebounds);
  const ranges = additions.filter((draft) => !isDefault(draft));
  const guard = fresh ? undefined : guardFor(context, ranges);
  const on = guard?.on;
  if (on !== undefined) alone([on]);
  const guarded = ranges.map((draft) => (on === undefined ? draft : { ...draft, after: [...draft.after, on.id] }));
  appendAdditions(numbered, [...guarded, ...(fresh ? additions.filter(isDefault) : [])], method, batch);
  if (guard !== undefined) alone([guard.off]);
  if (!fresh) appendAdditions(numbered, additions.filter(isDefault), method, 1);
  alone(drafts.detaches.map(detach));
  alone(drafts.drops);
  return numbered.steps;
}

/**
 * CONCURRENTLY where PostgreSQL allows it: not beside a DEFAULT. Of a table that references itself it locks the parent
 * just as the plain form does. What only makes room is detached in the plain form, because others go on writing into its
 * range: an interruption then leaves it attached, not half detached.
 */
function detachMethod(plain: boolean, finalize: readonly Draft[]): (draft: Draft) => Draft {
  if (plain) return (draft) => draft;
  const pending = finalize.map(({ id }) => id);
  return (draft) => ({ ...draft, method: "detachConcurrently", after: [...new Set([...draft.after, ...pending])] });
}

function append(numbered: Numbered, drafts: readonly Draft[]): void {
  numbered.transaction++;
  for (const draft of drafts) numbered.steps.push({ ...draft, transaction: numbered.transaction });
}

/** Creates share transactions up to `size`; an attach has one of its own, because it may have rows to scan. */
function appendAdditions(numbered: Numbered, drafts: readonly Draft[], method: StepMethod, size: number): void {
  let batch: Draft[] = [];
  const flush = () => {
    if (batch.length > 0) append(numbered, batch);
    batch = [];
  };
  for (const draft of drafts) {
    if (draft.kind !== "create") {
      flush();
      append(numbered, [draft]);
      continue;
    }
    batch.push({ ...draft, method });
    if (batch.length >= size) flush();
  }
  flush();
}

/**
 * A CHECK on a large DEFAULT that excludes the new bounds, and its removal, which must follow even when an attach failed.
 * The removal alone, when an interrupted run has left the CHECK there.
 */
function guardFor({ parent, actual }: Context, additions: readonly Draft[]): { on?: Draft; off: Draft } | undefined {
  const fallback = parent.defaultPartition;
  if (fallback === undefined) return undefined;
  const needed = fallback.bytes > GUARD_DEFAULT_BYTES && additions.length > 0;
  if (!needed && !fallback.guarded) return undefined;
  const excludes = additions.flatMap(({ bound }): PartitionBound[] => (bound === undefined ? [] : [bound]));
  const rows = actual.children.find(({ oid }) => oid === fallback.oid)?.rows;
  const base = { partition: fallback.name, schema: fallback.schema, excludes, oid: fallback.oid };
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
