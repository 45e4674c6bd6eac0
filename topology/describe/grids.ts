/** Finds the grids that divide a row of adjacent ranges, and where one grid takes over from another. */
import type { Temporal } from "temporal-polyfill";
import { momentType } from "../axis";
import { decimalText, parseDecimal, shortest, stepped, stepsBetween, subtract } from "../decimals";
import type { Axis, CalendarGrid, CalendarUnit, Grid, NumberAxis, Stretch } from "../grid";
import { parseAnchor } from "../intervals";
import { periodsFrom } from "../stretches";
import { localWall } from "../time";
import { attempt } from "../values";
import { dayOf } from "./axes";

/** A range between two moments. */
export interface Piece {
  from: string;
  to: string;
}

/** Adjacent pieces that are the periods of one grid; `grid` is undefined for a piece that is like no other. */
export interface FoundStretch<P extends Piece> {
  pieces: P[];
  grid?: Grid;
  /** The first piece begins within a period of the grid. */
  cut: boolean;
}

/** Pieces in order, split where one does not begin where the one before ends. */
export function adjacent<P extends Piece>(pieces: readonly P[]): P[][] {
  const runs: P[][] = [];
  for (const piece of pieces) {
    const run = runs.at(-1);
    if (run?.at(-1)?.to === piece.from) run.push(piece);
    else runs.push([piece]);
  }
  return runs;
}

/** Divides a run of adjacent pieces into stretches of one grid each, every one as long as it can be. */
export function stretchesOf<P extends Piece>(axis: Axis, run: readonly P[]): FoundStretch<P>[] {
  const found: FoundStretch<P>[] = [];
  for (let at = 0; at < run.length; ) {
    const { grid, count, cut } = longest(axis, run, at, at > 0);
    const length = Math.max(1, grid === undefined ? 1 : count + endCut(axis, grid, run, at + count));
    found.push({ pieces: run.slice(at, at + length), cut, ...(grid && { grid }) });
    at += length;
  }
  return found;
}

interface Match {
  grid?: Grid;
  count: number;
  cut: boolean;
}

/** The grid with the most periods from an index on. `mayCut`: the first of them may begin late. */
function longest(axis: Axis, run: readonly Piece[], at: number, mayCut: boolean): Match {
  const [first, second] = [run[at], run[at + 1]];
  let best: Match = { count: 0, cut: false };
  const seen = [first, ...(mayCut ? [second] : [])];
  for (const [index, piece] of seen.entries()) {
    if (piece === undefined) continue;
    for (const grid of gridsOf(axis, piece)) {
      const match = periodsAt(grid, run, at, index > 0);
      if (match.count > best.count && (index === 0 || match.count > 1)) best = { grid, ...match };
    }
  }
  return best;
}

/** How many pieces from an index on are periods of the grid. */
function periodsAt(grid: Grid, run: readonly Piece[], at: number, mayCut: boolean): { count: number; cut: boolean } {
  let [count, cut] = [0, false];
  attempt(() => {
    for (const period of periodsFrom([{ grid }], run[at]?.from ?? "")) {
      const piece = run[at + count];
      const late = count === 0 && period.from !== piece?.from;
      if (piece === undefined || period.to !== piece.to || (late && !mayCut)) return;
      cut ||= late;
      count++;
    }
  });
  return { count, cut };
}

/** 1 when the piece at an index is a period that ends early, because the next stretch begins there. */
function endCut(axis: Axis, grid: Grid, run: readonly Piece[], at: number): 0 | 1 {
  const piece = run[at];
  if (piece === undefined || at === run.length - 1 || longest(axis, run, at, true).count > 1) return 0;
  const period = attempt(() => periodsFrom([{ grid }], piece.from).next().value);
  if ("reason" in period || period.value.from !== piece.from) return 0;
  return isEarlier(axis, piece.to, period.value.to) ? 1 : 0;
}

function isEarlier(axis: Axis, a: string, b: string): boolean {
  return axis.kind === "calendar" ? a < b : subtract(parseDecimal(a), parseDecimal(b)).units < 0n;
}

/** The grids of which a piece is a period, the most natural first. */
function gridsOf(axis: Axis, piece: Piece): Grid[] {
  return axis.kind === "numeric" ? numericGrids(axis, piece) : calendarGrids(axis, piece);
}

function numericGrids(axis: NumberAxis, { from, to }: Piece): Grid[] {
  const [start, end] = [parseDecimal(from), parseDecimal(to)];
  const step = shortest(subtract(end, start));
  const zero = { units: 0n, scale: 0 };
  const offset = stepped(start, step, -Number(stepsBetween(zero, start, step)));
  return [{ ...axis, step: decimalText(step), offset: decimalText(shortest(offset)) }];
}

function calendarGrids(axis: Exclude<Axis, NumberAxis>, { from, to }: Piece): CalendarGrid[] {
  const [begin, end] = [dayOf(axis, from), dayOf(axis, to)];
  const intervals = [...(begin && end ? dayIntervals(begin, end) : []), ...hourIntervals(axis, from, to)];
  return intervals.flatMap(([unit, count]): CalendarGrid[] => {
    const grid = { ...axis, unit, count };
    const anchored = attempt(() => (begin === undefined ? undefined : parseAnchor(begin.toString(), unit)));
    const anchor = "value" in anchored ? anchored.value : undefined;
    return anchor === undefined ? [grid] : [grid, { ...grid, anchor }];
  });
}

type Interval = [unit: CalendarUnit, count: number];

function dayIntervals(begin: Temporal.PlainDate, end: Temporal.PlainDate): Interval[] {
  const months = (end.year - begin.year) * 12 + end.month - begin.month;
  const { days } = begin.until(end, { largestUnit: "days" });
  const units: [CalendarUnit, number, number][] = [
    ["year", months, 12],
    ["quarter", months, 3],
    ["month", months, 1],
    ["week", days, 7],
    ["day", days, 1],
  ];
  return units
    .filter(([unit, length, each]) => length >= each && length % each === 0 && (isDays(unit) || begin.day === end.day))
    .map(([unit, length, each]): Interval => [unit, length / each]);
}

function isDays(unit: CalendarUnit): boolean {
  return unit === "week" || unit === "day";
}

function hourIntervals(axis: Exclude<Axis, NumberAxis>, from: string, to: string): Interval[] {
  const type = momentType(axis);
  if (type === "date") return [];
  const [begin, end] = [from, to].map((moment) => localWall(type, moment, axis.timezone));
  const elapsed = begin && end && begin.until(end, { largestUnit: "hours" });
  if (elapsed === undefined || elapsed.hours < 1 || elapsed.total({ unit: "hours" }) !== elapsed.hours) return [];
  return [["hour", elapsed.hours]];
}

/** Stretches as a policy has them. */
export function asStretches(found: readonly FoundStretch<Piece>[]): Stretch[] {
  return found.flatMap(({ grid, pieces }, index) => {
    const from = pieces[0]?.from;
    return grid === undefined ? [] : [{ grid, ...(index === 0 || from === undefined ? {} : { from }) }];
  });
}
