/**
 * Which tier a partition is in at `asOf`. The age of a partition counts from its upper bound: it is past `after` when
 * even its newest possible row is.
 */
import type { Temporal } from "temporal-polyfill";
import { momentType, orderOf } from "./axis";
import { compareDecimals, decimalText, parseDecimal, shortest, subtract } from "./decimals";
import type { Axis } from "./grid";
import type { Tier } from "./model";
import { tierRank } from "./tiers";
import { localText, localWall } from "./time";
import { ValueError } from "./values";

/** `after` as it was declared: calendar units, or a distance in units of a numeric key. */
export type Duration = { unit: DurationUnit; count: number; text: string } | { distance: string; text: string };

type DurationUnit = keyof typeof AVERAGE_HOURS;

/** Average lengths; they only decide whether rules are declared in the order of their age, never the age itself. */
const AVERAGE_HOURS = { hour: 1, day: 24, week: 168, month: 730.485, quarter: 2191.455, year: 8765.82 } as const;

/** Reads `after` for the keys of an axis. */
export function parseAfter(after: string | number, axis: Axis): Duration {
  const text = String(after).trim();
  if (axis.kind === "numeric") {
    const number = axis.type === "numeric" ? /^\d+(\.\d+)?$/ : /^\d+$/;
    if (!number.test(text) || (typeof after === "number" && !Number.isSafeInteger(after)))
      throw new ValueError(
        `${JSON.stringify(after)} is not a distance: on a ${axis.type} key, after is a whole number of key units below asOf`,
      );
    return { distance: decimalText(shortest(parseDecimal(text))), text };
  }
  const match = /^(\d{1,6})\s+([a-z]+?)s?$/i.exec(text);
  const unit = match?.[2]?.toLowerCase();
  if (match === null || unit === undefined || !isUnit(unit))
    throw new ValueError(
      `${JSON.stringify(after)} is not an age: write "12 months", "26 weeks", "90 days" or "0 days"`,
    );
  return { unit, count: Number(match[1]), text };
}

function isUnit(text: string): text is DurationUnit {
  return Object.hasOwn(AVERAGE_HOURS, text);
}

/** Order of two ages on one axis. */
export function compareDurations(a: Duration, b: Duration): number {
  if ("distance" in a && "distance" in b) {
    return compareDecimals(parseDecimal(a.distance), parseDecimal(b.distance));
  }
  return "unit" in a && "unit" in b ? a.count * AVERAGE_HOURS[a.unit] - b.count * AVERAGE_HOURS[b.unit] : 0;
}

/** The moment that lies `after` before `asOf`, by the calendar of the time zone; undefined before all time. */
function cutoff(axis: Axis, asOf: string, after: Duration): string | undefined {
  if ("distance" in after) return decimalText(subtract(parseDecimal(asOf), parseDecimal(after.distance)));
  if (axis.kind !== "calendar") return undefined;
  const type = momentType(axis);
  const wall = localWall(type, asOf, axis.timezone).subtract(toDuration(after));
  return wall.year < 1 ? undefined : localText(type, wall, axis.timezone);
}

function toDuration({ unit, count }: { unit: DurationUnit; count: number }): Temporal.DurationLike {
  return unit === "quarter" ? { months: 3 * count } : { [`${unit}s`]: count };
}

/** One rule of `lifecycle`. */
export interface Rule {
  after: Duration;
  tier: Tier;
}

/** A range that stays live while asOf is before `until` (no `until`: for ever), as moments. */
export interface Pin {
  from: string;
  to: string;
  until?: string;
}

/** Decides tiers at one `asOf`. */
export interface Lifecycle {
  /** Tier of the period between two moments, and the rule that puts it there. */
  tierOf(period: { from: string; to: string }): { tier: Tier; rule?: Rule };
}

/** Makes the decision table for one `asOf`: each period is then compared with a few texts or numbers. */
export function lifecycleAt(axis: Axis, asOf: string, rules: readonly Rule[], pins: readonly Pin[]): Lifecycle {
  const order = orderOf(axis);
  const reached = rules
    .flatMap((rule) => {
      const before = cutoff(axis, asOf, rule.after);
      return before === undefined ? [] : [{ rule, before }];
    })
    .sort((a, b) => tierRank(b.rule.tier) - tierRank(a.rule.tier));
  const held = pins.filter((pin) => pin.until === undefined || order(asOf, pin.until) < 0);
  return {
    tierOf({ from, to }) {
      if (held.some((pin) => order(from, pin.to) < 0 && order(pin.from, to) < 0)) return { tier: "live" };
      const rule = reached.find(({ before }) => order(to, before) <= 0)?.rule;
      return rule === undefined ? { tier: "live" } : { tier: rule.tier, rule };
    },
  };
}
