/** The levels below: a partition that is partitioned itself is planned like a set of its own, by the same function. */
import { describeKey, parentOf, setBelow } from "../level";
import type { ActualLevel, ActualPartition, ActualSet, DesiredSet, KnownOids, Question } from "../model";
import type { Finding } from "../steps";
import { type Context, note, type Place, pathOf, qualified } from "./context";
import { belowRepaired } from "./inherited";
import type { Order, Placed } from "./order";

/** What one level is planned from. */
export interface LevelRequest {
  desired: DesiredSet;
  actual: ActualSet;
  known: KnownOids;
  place: Place;
}

/** The plan of one level with everything below it. */
export interface LevelPlan extends Order {
  findings: Finding[];
  unchanged: string[];
  /** Something unmanaged forbids every change of the set. */
  refused: boolean;
  questions: Question[];
}

export const NOTHING: LevelPlan = { first: [], last: [], findings: [], unchanged: [], refused: false, questions: [] };

/** Plans what is below the live partitions of a level. Those still to be made are made whole, by one step each. */
export function planBelow(context: Context, planLevel: (request: LevelRequest) => LevelPlan): LevelPlan {
  const plans = [...context.settled].map(([name, table]) => {
    const desired = setBelow(context.desired, name);
    if (desired === undefined || table.level === undefined) return undeclared(context, name, table);
    const under = { schema: desired.schema, name, oid: table.oid };
    const repaired = context.drafts.adjustments.find(({ oid }) => oid === table.oid)?.differences ?? [];
    const actual = levelAsSet(under, belowRepaired(table.level, repaired, context.desired), context.actual);
    const { tree, noticed, incomplete } = context;
    const place = { path: pathOf(context, name), under, tree, noticed, incomplete };
    return following(planLevel({ desired, actual, known: context.known, place }), stepsAbout(context, table));
  });
  return joined(plans.filter((plan) => plan !== NOTHING));
}

function joined(plans: readonly LevelPlan[]): LevelPlan {
  return {
    // What comes, table after table, before what leaves: creations of several tables then share a transaction.
    first: plans.flatMap(({ first }) => first),
    last: plans.flatMap(({ last }) => last),
    findings: plans.flatMap(({ findings }) => findings),
    unchanged: plans.flatMap(({ unchanged }) => unchanged),
    refused: plans.some(({ refused }) => refused),
    questions: plans.flatMap(({ questions }) => questions),
  };
}

function levelAsSet(
  table: NonNullable<Place["under"]>,
  level: ActualLevel,
  { source, strangers, answers, lostCopies }: ActualSet,
): ActualSet {
  const { children, detached, archived, reorganizations } = level;
  const parent = parentOf(table, level);
  const rest = {
    ...(answers && { answers }),
    ...(lostCopies !== undefined && { lostCopies }),
    ...(archived && { archived }),
    ...(reorganizations && { reorganizations }),
  };
  return { source, parent, children, detached, strangers, ...rest };
}

/** The steps of the level above that give the table its name, its bound or its place. */
function stepsAbout({ drafts }: Context, { oid }: ActualPartition): string[] {
  const about = [...drafts.renames, ...drafts.rebounds, ...drafts.additions];
  return about.filter((draft) => draft.oid === oid).map(({ id }) => id);
}

function following(plan: LevelPlan, ids: readonly string[]): LevelPlan {
  if (ids.length === 0) return plan;
  const later = (placed: Placed[]) =>
    placed.map(({ draft, limit }) => ({ draft: { ...draft, after: [...draft.after, ...ids] }, limit }));
  return { ...plan, first: later(plan.first), last: later(plan.last) };
}

/** Partitions of a declared leaf are children that nobody declared. */
function undeclared(context: Context, name: string, { level, ...table }: ActualPartition): LevelPlan {
  const { unmanaged } = context.desired;
  if (level === undefined || unmanaged === "ignore") return NOTHING;
  const count = level.children.length;
  const what = `${qualified(table)} is itself partitioned by ${describeKey(level)} (${count} partitions), which is not declared`;
  const advice =
    "They are left alone. Declare subPartitionBy, or partitionBy and partitions there, or leaf: true to make one table of" +
    ' them, or set unmanaged to "ignore"';
  note(context, unmanaged === "refuse" ? "error" : "warning", name, `${what}. ${advice}.`, table);
  return { ...NOTHING, refused: unmanaged === "refuse" };
}
