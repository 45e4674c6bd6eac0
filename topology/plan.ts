/** The one decision: the ordered steps between what is declared and what is there. */
import { keyClass } from "./keys";
import type { ActualParent, ActualSet, DesiredSet, KnownOids, Tier } from "./model";
import { adjustAttributes, noticedFindings } from "./plan/adjust";
import { decideArchived, decideExported, lostArchive } from "./plan/archive";
import { type Context, makeContext, type Place, qualified, topOf } from "./plan/context";
import { DraftBuilder } from "./plan/drafts";
import { reportBeyondHorizon } from "./plan/horizon";
import { type LevelPlan, type LevelRequest, NOTHING, planBelow } from "./plan/levels";
import { matchLive } from "./plan/live";
import { numberSteps, orderSteps } from "./plan/order";
import { redivide } from "./plan/redivide";
import { relocateLarge } from "./plan/relocate";
import {
  decideDetached,
  decideDropped,
  decideRetired,
  finalizePending,
  refuseMisfits,
  reportUnmanaged,
} from "./plan/removals";
import { placeMissing } from "./plan/reorganize";
import { reportStranded } from "./plan/stranded";
import { abandonOthers, endBelowLeaving, finishKeeping, finishSwapped } from "./plan/unfinished";
import { join } from "./policy/reader";
import type { Finding, Plan } from "./steps";
import { isAttached } from "./tiers";

export { ATTACH_BATCH, FRESH_BATCH, GUARD_DEFAULT_BYTES } from "./plan/order";
export { detachedBelow } from "./plan/removals";

/**
 * Makes the plan: pure, deterministic, O(n log n) in the number of partitions. Steps stand in an order in which they can
 * be carried out one after the other; `after` says which of them may go on when another fails.
 */
export function plan(desired: DesiredSet, actual: ActualSet, known: KnownOids): Plan {
  const place = topOf(actual);
  const level = planLevel({ desired, actual, known, place });
  const { first, last, unchanged, refused, questions } = level;
  const steps = refused ? [] : numberSteps([...first, ...last]);
  const findings = [...level.findings, ...lostArchive(desired, actual), ...noticedFindings(place)];
  const indexes = refused ? [] : [...place.incomplete.values()];
  return {
    steps,
    findings,
    unchanged,
    ...(indexes.length === 0 ? {} : { indexes }),
    ...(questions.length === 0 ? {} : { questions }),
  };
}

/** The plan of one partitioned table, and of those below it. */
function planLevel({ desired, actual, known, place }: LevelRequest): LevelPlan {
  const parent = actual.parent ?? plannedParent(desired);
  const mismatches = keyMismatches(desired, parent, place);
  if (mismatches.length > 0) return { ...NOTHING, findings: mismatches };
  const context = makeContext(desired, actual, parent, known, place);
  if (actual.parent === undefined) context.findings.push(notThere(parent));
  decide(context, new DraftBuilder(desired, place.under));
  const refused = reportUnmanaged(context);
  const below = planBelow(context, planLevel);
  const { first, last } = orderSteps(context);
  return {
    first: [...first, ...below.first],
    last: [...below.last, ...last],
    findings: [...context.findings, ...below.findings],
    unchanged: [...context.unchanged, ...below.unchanged],
    refused: refused || below.refused,
    questions: [...context.questions.values(), ...below.questions],
  };
}

/** What leaves is decided first, so that what comes knows which bounds will be free. */
function decide(context: Context, build: DraftBuilder): void {
  const inTier = (tier: Tier) => context.declared.filter(({ partition }) => partition.tier === tier);
  finalizePending(context, build);
  finishSwapped(context, build);
  for (const declared of inTier("detached")) decideDetached(context, build, declared);
  for (const declared of inTier("archived")) decideArchived(context, build, declared);
  for (const declared of inTier("dropped")) decideDropped(context, build, declared);
  decideRetired(context, build);
  const live = context.declared.filter(({ partition }) => isAttached(partition.tier));
  placeMissing(context, build, matchLive(context, build, live));
  refuseMisfits(context);
  redivide(context, build, live);
  relocateLarge(context, build, live);
  abandonOthers(context, build);
  endBelowLeaving(context);
  finishKeeping(context, build);
  adjustAttributes(context, build, live);
  decideExported(context, build, live);
  reportBeyondHorizon(context);
  reportStranded(context, live);
}

/** The parent as it will be when it has been created: nobody can be using it, and it has no children. */
function plannedParent({ schema, table, strategy, keyColumns, keyTypes }: DesiredSet): ActualParent {
  const links = { references: [], referencedBy: [] };
  return { schema, name: table, oid: 0, strategy, keyColumns, keyTypes: keyTypes ?? [], ...links };
}

function notThere(parent: ActualParent): Finding {
  const relation = qualified(parent);
  const reason = `${relation} does not exist yet; its partitions are created after it.`;
  return { severity: "info", path: "table", relation, reason };
}

/** A parent that is partitioned in another way than declared cannot be brought into shape by its children. */
function keyMismatches(desired: DesiredSet, parent: ActualParent, { path }: Place): Finding[] {
  const actualKey = parent.keyColumns.map((column) => column ?? "(expression)");
  const rules: [boolean, string, string][] = [
    [desired.strategy !== parent.strategy, desired.strategy.toUpperCase(), parent.strategy.toUpperCase()],
    [
      desired.keyColumns.join("\0") !== actualKey.join("\0"),
      `key ${desired.keyColumns.join(", ")}`,
      `key ${actualKey.join(", ")}`,
    ],
    [typesDiffer(desired, parent), `type ${desired.keyTypes?.join(", ")}`, `type ${parent.keyTypes.join(", ")}`],
  ];
  return rules
    .filter(([differs]) => differs)
    .map(([, declared, there]) => ({
      severity: "error",
      path: join(path, "partitionBy"),
      relation: qualified(parent),
      reason:
        `${qualified(parent)} is partitioned by ${there}, but ${declared} is declared. Declare what is there; ` +
        "PostgreSQL cannot change the partition key of a table.",
    }));
}

function typesDiffer({ keyTypes, keyType }: DesiredSet, parent: ActualParent): boolean {
  const declared = keyTypes ?? (keyType === undefined ? [] : [keyType]);
  return declared.some((type, at) => {
    const there = parent.keyTypes[at];
    return there !== undefined && keyClass(type) !== keyClass(there);
  });
}
