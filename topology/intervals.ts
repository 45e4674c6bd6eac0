/**
 * The grid of periods behind a RANGE policy. A period has a number, and its lower bound is the upper bound of the one
 * before, whatever clocks and calendars do, so that a set made of periods has neither gaps nor overlaps.
 */
import { Temporal } from "temporal-polyfill";
import { momentType, numberText } from "./axis";
import { decimalText, parseDecimal, shortest, stepped, stepsBetween } from "./decimals";
import type { Axis, CalendarGrid, CalendarUnit, Grid, NumberAxis, NumericGrid } from "./grid";
import { clockText, isZoneless, localText, localWall, plainDate } from "./time";
import { ValueError } from "./values";

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
const EPOCH_RULE =
  'if the key counts time since 1970, add epoch: "seconds" or epoch: "milliseconds" and keep the interval';

/** What `every` says: a multiple of a calendar unit, or a numeric step. */
export type Every = { kind: "calendar"; unit: CalendarUnit; count: number } | { kind: "numeric"; step: string };

/** Reads `every` for the keys of an axis; refuses what does not fit them with the list of what does. */
export function parseEvery(every: string | number, axis: Axis): Every {
  const text = String(every).trim();
  if (axis.kind === "numeric") return { kind: "numeric", step: parseStep(every, text, axis) };
  const interval = parseInterval(text);
  if (interval === undefined)
    throw new ValueError(`${JSON.stringify(every)} is not an interval for ${keysOf(axis)}: ${EVERY_RULE}`);
  if (axis.type === "date" && interval.unit === "hour") throw new ValueError("a date key cannot be divided into hours");
  return { kind: "calendar", ...interval };
}

function parseInterval(text: string): { unit: CalendarUnit; count: number } | undefined {
  const match = /^(?:(\d{1,5})\s+)?([a-z]+?)s?$/i.exec(text);
  const unit = match?.[2]?.toLowerCase();
  const count = Number(match?.[1] ?? 1);
  return unit === undefined || !isUnit(unit) || count < 1 ? undefined : { unit, count };
}

function parseStep(every: string | number, text: string, axis: NumberAxis): string {
  const fraction = axis.type === "numeric" ? /^\d+(\.\d+)?$/ : /^\d+$/;
  if (fraction.test(text) && !(typeof every === "number" && !Number.isSafeInteger(every))) {
    const step = parseDecimal(text);
    if (step.units > 0n) return decimalText(shortest(step));
  }
  const rule =
    parseInterval(text) === undefined || axis.type === "smallint" ? STEP_RULE : `${STEP_RULE}; ${EPOCH_RULE}`;
  throw new ValueError(`${JSON.stringify(every)} is not a step for a key of type ${axis.type}: ${rule}`);
}

function keysOf(axis: Axis): string {
  return axis.kind === "calendar" && axis.epoch !== undefined
    ? `a key that counts ${axis.epoch}`
    : `a key of type ${axis.type}`;
}

function isUnit(text: string): text is CalendarUnit {
  return Object.hasOwn(UNITS, text);
}

/** Reads `anchor`, the date on which some period begins; days after the 28th do not exist in every month. */
export function parseAnchor(anchor: string, unit: CalendarUnit): string {
  const date = plainDate(anchor);
  if (UNITS[unit].add === "months" && date.day > 28)
    throw new ValueError(`${JSON.stringify(anchor)} is a day that not every month has: use the 28th or an earlier day`);
  return date.toString();
}

/** The moment at which period `number` begins, in canonical text. */
export function periodStart(grid: Grid, number: number): string {
  if (grid.kind === "numeric") return numericStart(grid, number);
  const type = momentType(grid);
  const begin = periodBegin(grid, number);
  return isZoneless(type, grid.timezone) ? clockText(type, begin) : localText(type, wallOf(begin), grid.timezone);
}

/** Wall clock reading at which period `number` begins. */
export function periodWall(grid: CalendarGrid, number: number): Temporal.PlainDateTime {
  return wallOf(periodBegin(grid, number));
}

/** What a wall clock shows at a full hour. */
export interface ClockReading {
  year: number;
  month: number;
  day: number;
  hour: number;
}

/** The same reading as {@link periodWall} for names, without a calendar of its own: thousands of those take long to make. */
export function periodReading(grid: CalendarGrid, number: number): ClockReading {
  return readingOf(periodBegin(grid, number));
}

function readingOf(begin: Date): ClockReading {
  const [year, month, day] = [begin.getUTCFullYear(), begin.getUTCMonth() + 1, begin.getUTCDate()];
  return { year, month, day, hour: begin.getUTCHours() };
}

/** The same as `Date` counts in UTC. */
function periodBegin(grid: CalendarGrid, number: number): Date {
  const { add, each } = UNITS[grid.unit];
  const { year, month, day } = origin(grid);
  const begin = new Date(0);
  begin.setUTCFullYear(year, month - 1, day);
  ADD[add](begin, number * each * grid.count);
  if (Number.isNaN(begin.getTime())) throw new ValueError("the period lies outside the years 0001 to 9999");
  return begin;
}

function wallOf(begin: Date): Temporal.PlainDateTime {
  const { year, month, day, hour } = readingOf(begin);
  return new Temporal.PlainDateTime(year, month, day, hour);
}

/** Readings of a clock that is never set are what `Date` counts in UTC, in a fraction of the time that Temporal takes. */
const ADD: Record<UnitRule["add"], (date: Date, count: number) => void> = {
  hours: (date, count) => date.setTime(date.getTime() + count * HOUR_MS),
  days: (date, count) => date.setTime(date.getTime() + count * 24 * HOUR_MS),
  // Origins are days that every month has.
  months: (date, count) => date.setUTCMonth(date.getUTCMonth() + count),
};

const HOUR_MS = 3_600_000;

/** A day, and the wall clock reading at its begin. */
interface Origin {
  year: number;
  month: number;
  day: number;
  wall: Temporal.PlainDateTime;
}

const origins = new Map<string, Origin>();

/** The parts of the date are taken out once: that is what the reading is slow at. */
function origin(grid: CalendarGrid): Origin {
  const text = grid.anchor ?? UNITS[grid.unit].origin;
  let found = origins.get(text);
  if (found === undefined) {
    const wall = Temporal.PlainDateTime.from(text);
    const { year, month, day } = wall;
    found = { year, month, day, wall };
    origins.set(text, found);
  }
  return found;
}

function numericStart(grid: NumericGrid, number: number): string {
  const start = shortest(stepped(parseDecimal(grid.offset), parseDecimal(grid.step), number));
  numberText(grid, start);
  return decimalText(start);
}

/** Number of the period that holds the moment given as canonical text. */
export function periodOf(grid: Grid, moment: string): number {
  if (grid.kind === "numeric") {
    numberText(grid, parseDecimal(moment));
    const number = Number(stepsBetween(parseDecimal(grid.offset), parseDecimal(moment), parseDecimal(grid.step)));
    if (!Number.isSafeInteger(number))
      throw new ValueError(`the step ${grid.step} is too small to count up to ${moment}`);
    return number;
  }
  // The reading of a clock is only a first guess: set back over a border, it shows the period before. Instants decide.
  let number = estimate(grid, localWall(momentType(grid), moment, grid.timezone));
  while (periodStart(grid, number) > moment) number--;
  while (periodStart(grid, number + 1) <= moment) number++;
  return number;
}

function estimate(grid: CalendarGrid, wall: Temporal.PlainDateTime): number {
  const { add, each } = UNITS[grid.unit];
  const start = origin(grid);
  const elapsed = {
    months: () => (wall.year - start.year) * 12 + wall.month - start.month,
    days: () => Math.floor(start.wall.until(wall, { largestUnit: "hours" }).hours / 24),
    hours: () => start.wall.until(wall, { largestUnit: "hours" }).hours,
  }[add]();
  return Math.floor(elapsed / (each * grid.count));
}
