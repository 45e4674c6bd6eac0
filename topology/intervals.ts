/**
 * The grid of periods behind a RANGE policy. A period has a number, and its lower bound is the upper bound of the one
 * before, whatever clocks and calendars do, so that a set made of periods has neither gaps nor overlaps.
 */
import { Temporal } from "temporal-polyfill";
import { INTEGER_LIMITS, type IntegerType, integerText } from "./keys";
import type { CalendarUnit, Grid, PartitionBound, RangeKeyType } from "./model";
import { localText, localWall, plainDate, type TimeType } from "./time";
import { ValueError } from "./values";

export type CalendarGrid = Extract<Grid, { kind: "calendar" }>;
export type NumericGrid = Extract<Grid, { kind: "numeric" }>;

/** One period: its number and its bounds as canonical text. */
export interface Period {
  number: number;
  from: string;
  to: string;
}

interface UnitRule {
  add: "hours" | "days" | "months";
  each: number;
  /** Where period 0 of multiples begins, in local time. */
  origin: string;
}

/** Months count from year 0, so quarters are calendar quarters; weeks from a Monday, so they are ISO weeks. */
const UNITS: Record<CalendarUnit, UnitRule> = {
  hour: { add: "hours", each: 1, origin: "1970-01-01T00:00" },
  day: { add: "days", each: 1, origin: "1970-01-01T00:00" },
  week: { add: "days", each: 7, origin: "1970-01-05T00:00" },
  month: { add: "months", each: 1, origin: "0000-01-01T00:00" },
  quarter: { add: "months", each: 3, origin: "0000-01-01T00:00" },
  year: { add: "months", each: 12, origin: "0000-01-01T00:00" },
};

const UNIT_NAMES = Object.keys(UNITS);
const EVERY_RULE = `write ${UNIT_NAMES.join(", ")}, or a multiple such as "3 months" or "2 weeks"`;
const STEP_RULE = "write a whole number above 0, such as 1000000";

/** What `every` says: a multiple of a calendar unit, or a numeric step. */
export type Every = { kind: "calendar"; unit: CalendarUnit; count: number } | { kind: "numeric"; step: string };

/** Reads `every` for a key type; refuses what does not fit that type with the list of what does. */
export function parseEvery(every: string | number, type: RangeKeyType): Every {
  const text = String(every).trim();
  if (isIntegerType(type)) {
    if (!/^\d+$/.test(text) || BigInt(text) === 0n || (typeof every === "number" && !Number.isSafeInteger(every)))
      throw new ValueError(`${JSON.stringify(every)} is not a step for a key of type ${type}: ${STEP_RULE}`);
    return { kind: "numeric", step: BigInt(text).toString() };
  }
  const match = /^(?:(\d{1,5})\s+)?([a-z]+?)s?$/i.exec(text);
  const unit = match?.[2]?.toLowerCase();
  const count = Number(match?.[1] ?? 1);
  if (unit === undefined || !isUnit(unit) || count < 1)
    throw new ValueError(`${JSON.stringify(every)} is not an interval for a key of type ${type}: ${EVERY_RULE}`);
  if (type === "date" && unit === "hour") throw new ValueError("a date key cannot be divided into hours");
  return { kind: "calendar", unit, count };
}

function isUnit(text: string): text is CalendarUnit {
  return Object.hasOwn(UNITS, text);
}

/** True for the key types that are stepped through by numbers. */
export function isIntegerType(type: string): type is IntegerType {
  return Object.hasOwn(INTEGER_LIMITS, type);
}

/** Reads `anchor`, the date on which some period begins; days after the 28th do not exist in every month. */
export function parseAnchor(anchor: string, unit: CalendarUnit): string {
  const date = plainDate(anchor);
  if (UNITS[unit].add === "months" && date.day > 28)
    throw new ValueError(`${JSON.stringify(anchor)} is a day that not every month has: use the 28th or an earlier day`);
  return date.toString();
}

/** Reads `offset`, the number at which period 0 of a numeric grid begins. */
export function parseOffset(offset: string | number, type: IntegerType): string {
  return integerText(type, String(offset));
}

/** Canonical lower bound of period `number`. */
export function periodStart(grid: Grid, number: number): string {
  if (grid.kind === "numeric") return numericStart(grid, number);
  return localText(grid.type, periodWall(grid, number), grid.timezone);
}

/** Wall clock reading at which period `number` begins; names are made of it. */
export function periodWall(grid: CalendarGrid, number: number): Temporal.PlainDateTime {
  const { add, each } = UNITS[grid.unit];
  try {
    return origin(grid).add({ [add]: number * each * grid.count });
  } catch {
    throw new ValueError("the period lies outside the years 0001 to 9999");
  }
}

const origins = new Map<string, Temporal.PlainDateTime>();

function origin(grid: CalendarGrid): Temporal.PlainDateTime {
  const text = grid.anchor ?? UNITS[grid.unit].origin;
  let wall = origins.get(text);
  if (wall === undefined) {
    wall = Temporal.PlainDateTime.from(text);
    origins.set(text, wall);
  }
  return wall;
}

function numericStart(grid: NumericGrid, number: number): string {
  return integerText(grid.type, (BigInt(grid.offset) + BigInt(number) * BigInt(grid.step)).toString());
}

/** Number of the period that holds the moment or number given as canonical text. */
export function periodOf(grid: Grid, text: string): number {
  if (grid.kind === "numeric") {
    const distance = BigInt(integerText(grid.type, text)) - BigInt(grid.offset);
    const step = BigInt(grid.step);
    const number = Number(distance / step - (distance % step < 0n ? 1n : 0n));
    if (!Number.isSafeInteger(number))
      throw new ValueError(`the step ${grid.step} is too small to count up to ${text}`);
    return number;
  }
  // The reading of a clock is only a first guess: set back over a border, it shows the period before. Instants decide.
  let number = estimate(grid, localWall(grid.type, text, grid.timezone));
  while (periodStart(grid, number) > text) number--;
  while (periodStart(grid, number + 1) <= text) number++;
  return number;
}

function estimate(grid: CalendarGrid, wall: Temporal.PlainDateTime): number {
  const { add, each } = UNITS[grid.unit];
  const start = origin(grid);
  const elapsed = {
    months: () => (wall.year - start.year) * 12 + wall.month - start.month,
    days: () => Math.floor(start.until(wall, { largestUnit: "hours" }).hours / 24),
    hours: () => start.until(wall, { largestUnit: "hours" }).hours,
  }[add]();
  return Math.floor(elapsed / (each * grid.count));
}

/** Periods `first` to `last`, both included; those that a clock change leaves without an instant are not there. */
export function periods(grid: Grid, first: number, last: number): Period[] {
  const result: Period[] = [];
  let from = periodStart(grid, first);
  for (let number = first; number <= last; number++) {
    const to = periodStart(grid, number + 1);
    if (from !== to) result.push({ number, from, to });
    from = to;
  }
  return result;
}

/** Number of the period that is `count` periods after period `number`. */
export function periodAfter(grid: Grid, number: number, count: number): number {
  if (grid.kind === "numeric" || grid.unit !== "hour") return number + count;
  let last = number;
  for (let left = count; left > 0; ) {
    last++;
    if (periodStart(grid, last) !== periodStart(grid, last + 1)) left--;
  }
  return last;
}

/** True when the bound is exactly one period of the grid. */
export function isPeriod(grid: Grid, bound: PartitionBound): boolean {
  if (!("from" in bound) || typeof bound.from !== "string" || typeof bound.to !== "string") return false;
  if (!isReachable(grid, bound.from) || !isReachable(grid, bound.to)) return false;
  const number = periodOf(grid, bound.from);
  return periodStart(grid, number) === bound.from && periodStart(grid, number + 1) === bound.to;
}

/** Bounds of the catalog may also be MINVALUE, infinity, or a year that no grid reaches. */
function isReachable(grid: Grid, text: string): boolean {
  return grid.kind === "numeric" ? /^-?\d+$/.test(text) : /^\d{4}-\d{2}-\d{2}(?!.*BC)/.test(text);
}

/** Key types on which a grid of moments stands. */
export function isTimeType(type: string): type is TimeType {
  return type === "date" || type === "timestamp" || type === "timestamptz";
}
