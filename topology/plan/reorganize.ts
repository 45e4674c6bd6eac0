/** Decisions about declared bounds that differ from the real ones: which table gets another bound, and which rows another table. */
import { uncovered } from "../coverage";
import { boundOf } from "../level";
import type { ActualPartition } from "../model";
import { isAttached } from "../tiers";
import { hidesInPart } from "./archive";
import { withoutAstray } from "./astray";
import { type Component, componentsOf } from "./components";
import { ask, type Context, type Declared, knownChild, ownChild } from "./context";
import type { DraftBuilder } from "./drafts";
import { addMissing, rebound } from "./live";
import { draftMove } from "./moveSteps";
import { joinMoves, type Move, markHandled, moveOf } from "./moves";
import { besideReturningDefault } from "./returningDefault";
import { rowsInDefault } from "./rowsInDefault";
import { isDividedOtherwise } from "./subtrees";

/**
 * Second pass over the partitions that are to be attached: the missing ones are made, and where other children hold their
 * rows, these are re-bounded, or their rows moved.
 */
export function placeMissing(context: Context, build: DraftBuilder, missing: readonly Declared[]): void {
  const components = componentsOf(context, missing);
  const decided = new Set(components.flatMap(({ declared }) => declared.map(({ name }) => name)));
  const free = missing.filter(({ name }) => !decided.has(name));
  const moves: Move[] = [];
  const fits: (Fit & { others: Declared[] })[] = [];
  for (const component of components) {
    if (hidesArchived(context, component)) continue;
    const fit = fitOf(context, component);
    if (fit === undefined) {
      const move = moveOf(context, component);
      if (move !== undefined) moves.push(move);
      continue;
    }
    fits.push({
      ...fit,
      others: component.declared.filter((one) => one !== fit.into && isAttached(one.partition.tier)),
    });
  }
  for (const fit of fits) reboundWith(context, build, fit);
  for (const declared of withoutAstray(context, free)) addMissing(context, build, declared);
  moves.push(...rowsInDefault(context));
  for (const move of joinMoves(context, besideReturningDefault(context, moves))) draftMove(context, build, move);
}

/** Rows that move into the range of archived ones would be all that is ever found of it. */
function hidesArchived(context: Context, { children, declared }: Component): boolean {
  const hiding = declared.filter(({ partition }) => partition.tier !== "dropped");
  const found = hiding.map((one) => hidesInPart(context, one));
  if (!found.includes(true)) return false;
  for (const child of children) markHandled(context, child);
  return true;
}

interface Fit {
  child: ActualPartition;
  into: Declared;
}

/** The child's new bound, and who takes over the rest of the old one: all of it or nothing, so that no range is left to nobody. */
function reboundWith(
  context: Context,
  build: DraftBuilder,
  { into, child, others }: Fit & { others: Declared[] },
): void {
  const { drafts } = context;
  const before = { rebounds: drafts.rebounds, additions: drafts.additions };
  drafts.rebounds = [...before.rebounds];
  drafts.additions = [...before.additions];
  rebound(context, build, into, child);
  for (const other of others) addMissing(context, build, other);
  const made = new Set([...drafts.rebounds, ...drafts.additions].map(({ partition }) => partition));
  if ([into, ...others].every(({ name }) => made.has(name))) return;
  drafts.rebounds = before.rebounds;
  drafts.additions = before.additions;
}

/**
 * One child that only has to get another bound, because all of its rows belong to the partition that it is. Never for
 * HASH, whose bounds cannot change one at a time without a hole that rejects rows.
 */
function fitOf(context: Context, { children, declared }: Component): Fit | undefined {
  const [child, ...others] = children;
  if (child === undefined || others.length > 0 || "modulus" in child.bound) return undefined;
  const into = declared.find(
    ({ name, partition }) =>
      isAttached(partition.tier) && (ownChild(context, name) ?? knownChild(context, name)) === child,
  );
  if (into === undefined || isDividedOtherwise(into.partition, child)) return undefined;
  const outside = uncovered(child.bound, [boundOf(into.partition)], context.types) ?? [];
  const fits = outside.map((piece) => (ask(context, child, piece)?.found ?? "none") === "none");
  return fits.every(Boolean) ? { child, into } : undefined;
}
