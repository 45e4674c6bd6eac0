/** Rows that change tables: which tables give them, which take them, and what becomes of rows that nobody declares. */
import { describeBound } from "../bounds";
import { uncovered } from "../coverage";
import { isRetired } from "../difference";
import { boundOf, isDeclared, placesOf, relationsBelow, schemaOf } from "../level";
import type { ActualPartition, NewLevel, PartitionBound, Tier } from "../model";
import { type AttachedTier, isAttached } from "../tiers";
import type { Component } from "./components";
import { ask, type Context, note, placeKey, qualified } from "./context";
import { tierReason } from "./removals";
import { findBelow, isDividedOtherwise, levelOf, sourceOf } from "./subtrees";

/** A table that takes rows over. */
export interface Target {
  name: string;
  bound: PartitionBound;
  /** How it is divided; absent: a leaf. */
  level?: NewLevel;
  /** Set when the rows do not stay in it: where they go then, and why. */
  leaves?: { tier: Exclude<Tier, AttachedTier>; reason: string };
}

/** What becomes one `reorganize` step. */
export interface Move {
  sources: ActualPartition[];
  targets: Target[];
  /** DEFAULT gives or takes rows. */
  withDefault: boolean;
  /** Why a table is made anew whose bound is as declared. */
  why?: string;
  /** Id of the step by which that table gets its bound and its name. */
  madeBy?: string;
  /** DEFAULT is divided in another way than declared: it cannot keep its table. */
  remakesDefault?: true;
}

/** A target for a declared partition that stays. */
export function targetOf(context: Context, name: string, bound: PartitionBound): Target {
  const level = levelOf(context, name);
  return { name, bound, ...(level && { level }) };
}

/** The move that brings the rows of a component where they are declared; undefined when it is refused (then reported). */
export function moveOf(context: Context, { children, declared }: Component): Move | undefined {
  for (const child of children) markHandled(context, child);
  const targets = declared.map(({ name, partition }): Target => {
    const { tier } = partition;
    const bound = boundOf(partition);
    return isAttached(tier)
      ? targetOf(context, name, bound)
      : { name, bound, leaves: { tier, reason: tierReason(context, name, tier) } };
  });
  const first = declared.find(({ partition }) => isAttached(partition.tier))?.name ?? "";
  for (const child of children) {
    const what = `${qualified(child)} (${describeBound(child.bound)}) holds rows that are declared elsewhere`;
    const obstacle = obstacleOf(context, child);
    if (obstacle === undefined) continue;
    note(context, "error", first, `${what}, ${obstacle}`, child);
    return undefined;
  }
  const rest = leftOver(context, children, targets);
  const homeless = rest.filter(({ given }) => !given);
  const withDefault = homeless.length > 0 || comesFromDefault(context, children, targets);
  if (homeless.length > 0 && !hasDefault(context)) {
    for (const { child, bound } of homeless) note(context, "error", first, homelessText(child, bound), child);
    return undefined;
  }
  return { sources: children, targets: [...targets, ...rest.flatMap(({ given }) => given ?? [])], withDefault };
}

/** With `refuse` a child that nobody declared goes on forbidding every change. */
export function markHandled({ desired, handled }: Context, child: ActualPartition): void {
  if (desired.unmanaged !== "refuse" || isDeclared(desired, child)) handled.add(child.oid);
}

/** Why the rows of a partition may not change tables. */
export function obstacleOf({ desired, knownOids }: Context, child: ActualPartition): string | undefined {
  const find = (test: (one: ActualPartition) => boolean) => (test(child) ? child : findBelow(child, test));
  const others = desired.unmanaged === "ignore" ? notOurs() : undefined;
  if (others !== undefined) return `and ${others === child ? "" : `${qualified(others)} is below it: `}${NOT_OURS}`;
  if (desired.reorganize === "refuse") return `and reorganize is "refuse". ${ALLOW}`;
  const foreign = find(({ relkind }) => relkind === "f");
  if (foreign !== undefined) return `and ${qualified(foreign)} is a foreign table: its rows are not moved. ${AS_IT_IS}`;
  return undefined;

  /** What nobody here has declared is another stack's, whose rows are not ours to move. */
  function notOurs(): ActualPartition | undefined {
    const declared = new Set([...placesOf(desired.partitions, desired.schema)].map(placeKey));
    return find((one) => !knownOids.has(one.oid) && !declared.has(placeKey(one)));
  }
}

const NOT_OURS =
  'unmanaged is "ignore": a partition that this set does not know is another owner\'s. Declare other bounds, or ' +
  "have its owner give it up.";
const ALLOW = 'Declare its bound as it is, or set reorganize to "online" to have the rows moved.';
const AS_IT_IS = "Declare it as it is, or detach it by hand.";

interface LeftOver {
  child: ActualPartition;
  bound: PartitionBound;
  /** The lifecycle has given up these rows: the table they go to on their way out. */
  given?: Target;
}

/** Ranges and values of the children that no target takes and in which there are rows. */
function leftOver(context: Context, children: readonly ActualPartition[], targets: readonly Target[]): LeftOver[] {
  const taken = targets.map(({ bound }) => bound);
  const { retired } = context.desired;
  return children.flatMap((child) =>
    (uncovered(child.bound, taken, context.types) ?? []).flatMap((bound, at): LeftOver[] => {
      if ((ask(context, child, bound)?.found ?? "none") === "none") return [];
      if (retired === undefined || !isRetired(bound, retired)) return [{ child, bound }];
      const reason = `older than the policy keeps (before ${retired.before})`;
      const name = `pgpartition_retired_${child.oid}_${at}`;
      return [{ child, bound, given: { name, bound, leaves: { tier: "dropped", reason } } }];
    }),
  );
}

function homelessText(child: ActualPartition, bound: PartitionBound): string {
  return (
    `${qualified(child)} holds rows of ${describeBound(bound)}, which no declared partition takes, and there is no DEFAULT` +
    " partition. Declare partitions for them (by the policy, or one by one in partitions), or set defaultPartition."
  );
}

/** Where targets reach beyond the children, DEFAULT may hold their rows. */
function comesFromDefault(context: Context, children: readonly ActualPartition[], targets: readonly Target[]): boolean {
  const fallback = fallbackOf(context);
  if (fallback === undefined) return false;
  const held = children.map(({ bound }) => bound);
  const pieces = targets.flatMap(({ bound }) => uncovered(bound, held, context.types) ?? []);
  const answers = pieces.map((piece) => ask(context, fallback, piece)?.found ?? "none");
  return answers.some((found) => found !== "none");
}

/** The DEFAULT partition that is there and stays. */
export function fallbackOf({ actual, drafts }: Context): ActualPartition | undefined {
  const fallback = actual.children.find(({ bound, state }) => "default" in bound && state === "live");
  return drafts.detaches.some(({ oid }) => oid === fallback?.oid) ? undefined : fallback;
}

function hasDefault(context: Context): boolean {
  return fallbackOf(context) !== undefined || declaredDefault(context) !== undefined;
}

/** The name of the DEFAULT partition that the program has. */
export function declaredDefault({ declared }: Context): string | undefined {
  return declared.find(({ partition }) => "default" in partition && isAttached(partition.tier))?.name;
}

/**
 * Moves that cannot be done one after the other as one: DEFAULT is exchanged once, and a table whose name another one takes
 * has to go in the same transaction.
 */
export function joinMoves(context: Context, moves: readonly Move[]): Move[] {
  const group = moves.map((_, at) => at);
  const root = (at: number): number => (group[at] === at || group[at] === undefined ? at : root(group[at]));
  const join = (a: number, b: number) => {
    group[Math.max(root(a), root(b))] = Math.min(root(a), root(b));
  };
  const placesGiven = new Map(
    moves.flatMap(({ sources }, at) => {
      const tables = sources.flatMap((source) => [source, ...(sourceOf(source).below ?? [])]);
      return tables.map((table): [string, number] => [placeKey(table), at]);
    }),
  );
  const firstWithDefault = moves.findIndex(({ withDefault }) => withDefault);
  for (const [at, { targets, withDefault }] of moves.entries()) {
    if (withDefault) join(firstWithDefault, at);
    for (const place of targets.flatMap((target) => placesTaken(context, target)))
      join(placesGiven.get(place) ?? at, at);
  }
  const joined = new Map<number, Move[]>();
  for (const [at, move] of moves.entries()) joined.set(root(at), [...(joined.get(root(at)) ?? []), move]);
  return [...joined.values()].map((parts) => withFallback(context, parts));
}

function placesTaken({ desired }: Context, { name, level }: Target): string[] {
  const schema = schemaOf(desired, name);
  return [{ schema, name }, ...relationsBelow(level, schema)].map(placeKey);
}

function withFallback(context: Context, parts: readonly Move[]): Move {
  const sources = parts.flatMap((part) => part.sources);
  const targets = parts.flatMap((part) => part.targets);
  const withDefault = parts.some((part) => part.withDefault);
  if (!withDefault) return { sources, targets, withDefault };
  const fallback = fallbackOf(context);
  const renamed = context.drafts.renames.findLast(({ oid }) => oid === fallback?.oid)?.partition;
  const name = renamed ?? fallback?.name ?? declaredDefault(context) ?? "";
  const declared = context.desired.partitions[name];
  const isOther = fallback !== undefined && declared !== undefined && isDividedOtherwise(declared, fallback);
  return {
    sources: fallback === undefined ? sources : [...sources, { ...fallback, name }],
    targets: [...targets, targetOf(context, name, { default: true })],
    withDefault,
    ...(isOther ? { remakesDefault: true } : {}),
  };
}
