/** Finds, among many bounds, those that a new bound collides with, without comparing each with each. */
import { boundsOverlap, columnsOf, compareEnds, greatestCommonDivisor, type KeyTypes, keyClasses } from "./bounds";
import { valueKey } from "./keys";
import type { PartitionBound } from "./model";

/** Something that has a bound. */
export interface Bounded {
  bound: PartitionBound;
}

type RangeBound = Extract<PartitionBound, { from: unknown }>;
type HashBound = Extract<PartitionBound, { modulus: number }>;

/**
 * Index over bounds that do not overlap each other (as the children of one parent never do). `find` takes O(log n) for
 * ranges of a known order, O(1) per value for lists, O(different moduli) for hashes; ranges with text keys are compared one
 * by one because their order depends on the collation.
 */
export class OverlapIndex<T extends Bounded> {
  private readonly ranges: { item: T; bound: RangeBound }[] = [];
  private readonly lists = new Map<string | null, T>();
  private readonly hashes = new Map<number, Map<number, T[]>>();
  private readonly defaults: T[] = [];
  private readonly ordered: boolean;

  constructor(
    items: readonly T[],
    private readonly types: KeyTypes,
  ) {
    for (const item of items) this.add(item);
    this.ranges.sort((a, b) => compareEnds(a.bound.from, b.bound.from, types));
    this.ordered = items.every(({ bound }) => isOrdered(bound, this.types));
  }

  /** Adds an item; ranges are only found again when they were given to the constructor, which sorts them. */
  add(item: T): void {
    const { bound } = item;
    if ("default" in bound) this.defaults.push(item);
    else if ("values" in bound) for (const value of bound.values) this.lists.set(this.key(value), item);
    else if ("modulus" in bound) this.addHash(item, bound);
    else this.ranges.push({ item, bound });
  }

  private addHash(item: T, { modulus, remainder }: HashBound): void {
    const rest = this.hashes.get(modulus) ?? new Map<number, T[]>();
    this.hashes.set(modulus, rest);
    rest.set(remainder, [...(rest.get(remainder) ?? []), item]);
  }

  private key(value: string | null): string | null {
    return value === null ? null : valueKey(keyClasses(this.types)(0), value);
  }

  /** The items that overlap `bound`, in the order of their bounds. */
  find(bound: PartitionBound): T[] {
    if ("default" in bound) return [...this.defaults];
    if ("values" in bound) return [...new Set(bound.values.flatMap((value) => this.lists.get(this.key(value)) ?? []))];
    if ("modulus" in bound) return this.findHash(bound);
    return this.findRange(bound);
  }

  private findHash({ modulus, remainder }: HashBound): T[] {
    const found: T[] = [];
    for (const [other, byRemainder] of this.hashes) {
      const common = greatestCommonDivisor(modulus, other);
      for (let rest = remainder % common; rest < other; rest += common) found.push(...(byRemainder.get(rest) ?? []));
    }
    return found;
  }

  private findRange(bound: RangeBound): T[] {
    if (!this.ordered || !isOrdered(bound, this.types)) {
      return this.ranges.flatMap((one) => (boundsOverlap(one.bound, bound, this.types) ? [one.item] : []));
    }
    let low = 0;
    let high = this.ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const one = this.ranges[middle];
      if (one !== undefined && compareEnds(one.bound.to, bound.from, this.types) <= 0) low = middle + 1;
      else high = middle;
    }
    const found: T[] = [];
    for (let at = low; at < this.ranges.length; at++) {
      const one = this.ranges[at];
      if (one === undefined || compareEnds(one.bound.from, bound.to, this.types) >= 0) break;
      found.push(one.item);
    }
    return found;
  }
}

/** Pairs of items whose bounds overlap; each item that collides is in one pair at least. Empty when none do. */
export function overlappingPairs<T extends Bounded>(items: readonly T[], types: KeyTypes): [T, T][] {
  const index = new OverlapIndex<T>([], types);
  const pairs: [T, T][] = [];
  for (const item of items) {
    if ("from" in item.bound) continue;
    const [hit] = index.find(item.bound);
    if (hit === undefined) index.add(item);
    else pairs.push([hit, item]);
  }
  return [...pairs, ...overlappingRanges(items, types)];
}

function overlappingRanges<T extends Bounded>(items: readonly T[], types: KeyTypes): [T, T][] {
  const ranges = items.flatMap((item) => ("from" in item.bound ? [{ item, bound: item.bound }] : []));
  ranges.sort((a, b) => compareEnds(a.bound.from, b.bound.from, types));
  if (!ranges.every(({ bound }) => isOrdered(bound, types))) return eachWithEach(ranges, types);
  const pairs: [T, T][] = [];
  let furthest = ranges[0];
  for (const next of ranges.slice(1)) {
    if (furthest !== undefined && compareEnds(next.bound.from, furthest.bound.to, types) < 0)
      pairs.push([furthest.item, next.item]);
    if (furthest === undefined || compareEnds(next.bound.to, furthest.bound.to, types) > 0) furthest = next;
  }
  return pairs;
}

function eachWithEach<T>(ranges: { item: T; bound: PartitionBound }[], types: KeyTypes): [T, T][] {
  return ranges.flatMap(({ item, bound }, at) =>
    ranges
      .slice(at + 1)
      .filter((other) => boundsOverlap(bound, other.bound, types))
      .map((other): [T, T] => [item, other.item]),
  );
}

/** True when the order of the bound's values does not depend on a collation. */
function isOrdered(bound: PartitionBound, types: KeyTypes): boolean {
  if (!("from" in bound)) return true;
  const classOf = keyClasses(types);
  return columnsOf(bound.from).every((_, column) => classOf(column) !== "text");
}
