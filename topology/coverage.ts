/** Arithmetic of bounds: what of one bound other bounds leave over. */
import {
  columnsOf,
  compareEnds,
  endsAreSure,
  greatestCommonDivisor,
  type KeyTypes,
  keyClasses,
  sameBound,
} from "./bounds";
import { valueKey } from "./keys";
import type { PartitionBound, RangeDatum } from "./model";

type RangeBound = Extract<PartitionBound, { from: unknown }>;
type ListBound = Extract<PartitionBound, { values: unknown }>;
type HashBound = Extract<PartitionBound, { modulus: number }>;

/** Remainders that are counted one by one; PostgreSQL has no use for more partitions than these. */
const MAX_REMAINDERS = 65_536;

/**
 * The parts of `bound` that none of `covers` holds, in order; empty when they hold all of it. Undefined when it cannot be
 * told: the order of text depends on the collation, and what DEFAULT holds depends on the others.
 */
export function uncovered(
  bound: PartitionBound,
  covers: readonly PartitionBound[],
  types: KeyTypes,
): PartitionBound[] | undefined {
  if (covers.some((cover) => sameBound(cover, bound, types))) return [];
  if ("from" in bound) return uncoveredRange(bound, covers.filter(isRange), types);
  if ("values" in bound) return uncoveredList(bound, covers.filter(isList), types);
  if ("modulus" in bound) return uncoveredHash(bound, covers.filter(isHash));
  return undefined;
}

function isRange(bound: PartitionBound): bound is RangeBound {
  return "from" in bound;
}

function isList(bound: PartitionBound): bound is ListBound {
  return "values" in bound;
}

function isHash(bound: PartitionBound): bound is HashBound {
  return "modulus" in bound;
}

function uncoveredRange(
  bound: RangeBound,
  covers: readonly RangeBound[],
  types: KeyTypes,
): PartitionBound[] | undefined {
  if (!orderIsKnown([bound, ...covers], types)) return undefined;
  const compare = (a: RangeDatum, b: RangeDatum) => compareEnds(a, b, types);
  const sorted = [...covers].sort((a, b) => compare(a.from, b.from));
  const pieces: PartitionBound[] = [];
  let at = bound.from;
  for (const cover of sorted) {
    if (compare(cover.to, at) <= 0) continue;
    if (compare(cover.from, bound.to) >= 0) break;
    if (compare(cover.from, at) > 0) pieces.push({ from: at, to: cover.from });
    at = cover.to;
  }
  if (compare(at, bound.to) < 0) pieces.push({ from: at, to: bound.to });
  return pieces;
}

/** Only ends of text keys can be in an order that is not known here. */
function orderIsKnown(bounds: readonly RangeBound[], types: KeyTypes): boolean {
  const ends = bounds.flatMap(({ from, to }) => [from, to]);
  const classOf = keyClasses(types);
  if (ends.every((end) => columnsOf(end).every((_, column) => classOf(column) !== "text"))) return true;
  return ends.every((a) => ends.every((b) => a === b || endsAreSure(a, b, types)));
}

function uncoveredList(bound: ListBound, covers: readonly ListBound[], types: KeyTypes): PartitionBound[] {
  const key = (value: string | null) => (value === null ? null : valueKey(keyClasses(types)(0), value));
  const taken = new Set(covers.flatMap(({ values }) => values.map(key)));
  const values = bound.values.filter((value) => !taken.has(key(value)));
  return values.length === 0 ? [] : [{ values }];
}

/** Every remainder of the least common multiple that the bound holds, without those of the covers. */
function uncoveredHash(bound: HashBound, covers: readonly HashBound[]): PartitionBound[] | undefined {
  const touching = covers.filter((cover) => {
    const common = greatestCommonDivisor(bound.modulus, cover.modulus);
    return cover.remainder % common === bound.remainder % common;
  });
  if (touching.length === 0) return [bound];
  const modulus = touching.reduce((multiple, cover) => leastCommonMultiple(multiple, cover.modulus), bound.modulus);
  if (modulus / bound.modulus > MAX_REMAINDERS) return undefined;
  const pieces: PartitionBound[] = [];
  for (let remainder = bound.remainder; remainder < modulus; remainder += bound.modulus) {
    if (touching.every((cover) => remainder % cover.modulus !== cover.remainder)) pieces.push({ modulus, remainder });
  }
  return pieces;
}

function leastCommonMultiple(a: number, b: number): number {
  return (a / greatestCommonDivisor(a, b)) * b;
}

/** True when each modulus divides the next larger one: PostgreSQL takes no other moduli side by side. */
export function isFactorChain(moduli: Iterable<number>): boolean {
  const sorted = [...new Set(moduli)].sort((a, b) => a - b);
  return sorted.every((modulus, at) => at === 0 || modulus % (sorted[at - 1] ?? modulus) === 0);
}
