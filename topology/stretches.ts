/**
 * The periods of a RANGE policy whose interval may change from some moment on. Each stretch is divided by its own grid;
 * where a border of the grid does not meet the border of the stretch, the period is cut there. So the first period of a
 * stretch begins where the last one of the stretch before ends, whatever the two grids are.
 */
import { keyOf, momentOfKey, momentType, orderOf } from "./axis";
import { sameBound } from "./bounds";
import type { Stretch } from "./grid";
import { type ClockReading, periodOf, periodReading, periodStart } from "./intervals";
import type { PartitionBound } from "./model";
import { localWall } from "./time";
import { attempt } from "./values";

/** One period: where it lies, as moments and as the bound that they come to. */
export interface Period {
  /** Index of its stretch, and its number in the grid of that. */
  stretch: number;
  number: number;
  /** Moments in canonical text; `to` is not part of the period. */
  from: string;
  to: string;
  /** True when it begins where its stretch does instead of at a border of the grid. */
  cut: boolean;
  bound: { from: string; to: string };
}

/** The stretches of a policy: ascending, the first of them without `from`. */
export type Stretches = readonly Stretch[];

/** The stretch at an index. */
export function stretchAt(stretches: Stretches, index: number): Stretch {
  const stretch = stretches[index];
  if (stretch === undefined) throw new Error(`there is no stretch ${index}`);
  return stretch;
}

/** What all stretches have in common: the key. */
export function axisOf(stretches: Stretches): Stretch["grid"] {
  return stretchAt(stretches, 0).grid;
}

/** The moment at which the period of a moment begins. Throws ValueError when the key's type cannot hold it. */
export function beginAt(stretches: Stretches, moment: string): string {
  const { grid, from } = stretchAt(stretches, indexAt(stretches, moment));
  const start = periodStart(grid, periodOf(grid, moment));
  const begin = from !== undefined && orderOf(grid)(start, from) < 0 ? from : start;
  keyOf(grid, begin);
  return begin;
}

/** The period that holds a moment. Throws ValueError when a border of it leaves the key's type. */
export function periodAt(stretches: Stretches, moment: string): Period {
  const stretch = indexAt(stretches, moment);
  return makePeriod(stretches, stretch, periodOf(stretchAt(stretches, stretch).grid, moment));
}

function indexAt(stretches: Stretches, moment: string): number {
  const order = orderOf(axisOf(stretches));
  return stretches.findLastIndex(({ from }) => from === undefined || order(from, moment) <= 0);
}

/** `before` is the period before in the same stretch, when its end has been calculated already. */
function makePeriod(stretches: Stretches, stretch: number, number: number, before?: Period): Period {
  const { grid, from: begin } = stretchAt(stretches, stretch);
  const end = stretches[stretch + 1]?.from;
  const order = orderOf(grid);
  const lower = before?.to ?? periodStart(grid, number);
  const cut = begin !== undefined && order(lower, begin) < 0;
  const from = cut ? begin : lower;
  const upper = periodStart(grid, number + 1);
  const to = end !== undefined && order(end, upper) < 0 ? end : upper;
  const bound = { from: before?.bound.to ?? keyOf(grid, from), to: keyOf(grid, to) };
  return { stretch, number, from, to, cut, bound };
}

function periodAfter(stretches: Stretches, before: Period): Period {
  const { stretch, number, to } = before;
  const next = stretches[stretch + 1];
  if (next?.from !== to) return makePeriod(stretches, stretch, number + 1, before);
  return makePeriod(stretches, stretch + 1, periodOf(next.grid, to));
}

/** The periods from the one that holds `moment` on; those that a clock change leaves without an instant are not there. */
export function* periodsFrom(stretches: Stretches, moment: string): Generator<Period, never> {
  let period = periodAt(stretches, moment);
  for (;;) {
    if (period.from !== period.to) yield period;
    period = periodAfter(stretches, period);
  }
}

/** The end of the last of `count` periods that follow the one of `moment`. */
export function endAfter(stretches: Stretches, moment: string, count: number): string {
  let left = count;
  for (const { to } of periodsFrom(stretches, moment)) if (left-- === 0) return to;
  return moment;
}

/** Greatest number of periods between two moments, without looking at each. */
export function countPeriods(stretches: Stretches, from: string, to: string): number {
  const order = orderOf(axisOf(stretches));
  return stretches.reduce((count, { grid, from: begin }, index) => {
    const end = stretches[index + 1]?.from;
    const first = begin === undefined || order(begin, from) < 0 ? from : begin;
    const last = end === undefined || order(to, end) < 0 ? to : end;
    return order(first, last) > 0 ? count : count + periodOf(grid, last) - periodOf(grid, first) + 1;
  }, 0);
}

/** The period whose bound this is exactly, if there is one. */
export function periodWith(stretches: Stretches, bound: PartitionBound): Period | undefined {
  if (!("from" in bound) || typeof bound.from !== "string" || typeof bound.to !== "string") return undefined;
  const axis = axisOf(stretches);
  const moment = momentOfKey(axis, bound.from);
  const period = moment === undefined ? undefined : attempt(() => periodAt(stretches, moment));
  if (period === undefined || "reason" in period) return undefined;
  return sameBound(period.value.bound, bound, axis.type) ? period.value : undefined;
}

/** The moments at which a bound begins and ends, when both are borders of periods: one period, or several in a row. */
export function spanOf(stretches: Stretches, bound: PartitionBound): { from: string; to: string } | undefined {
  if (!("from" in bound) || typeof bound.from !== "string" || typeof bound.to !== "string") return undefined;
  const from = borderOf(stretches, bound.from);
  const to = borderOf(stretches, bound.to);
  return from === undefined || to === undefined ? undefined : { from, to };
}

function borderOf(stretches: Stretches, key: string): string | undefined {
  const axis = axisOf(stretches);
  const moment = momentOfKey(axis, key);
  const begin = moment === undefined ? undefined : attempt(() => keyOf(axis, beginAt(stretches, moment)));
  const same = begin !== undefined && "value" in begin && sameKey(axis.type, begin.value, key);
  return same ? moment : undefined;
}

function sameKey(type: string, a: string, b: string): boolean {
  return sameBound({ values: [a] }, { values: [b] }, type);
}

/** Wall clock reading at which a period of a calendar begins, in the policy's time zone; names are made of it. */
export function wallOf(stretches: Stretches, period: Period): ClockReading | undefined {
  const { grid } = stretchAt(stretches, period.stretch);
  if (grid.kind === "numeric") return undefined;
  return period.cut ? localWall(momentType(grid), period.from, grid.timezone) : periodReading(grid, period.number);
}
