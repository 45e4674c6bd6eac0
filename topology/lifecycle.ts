/**
 * Which tier a partition is in at `asOf`. The age of a partition counts from its upper bound: it is past `after` when
 * even its newest possible row is.
 */
import type { Temporal } from "temporal-polyfill";
import { INTEGER_LIMITS, integerText } from "./keys";
import type { Grid, Tier } from "./model";
import { localText, localWall } from "./time";
import { compareText, ValueError } from "./values";

/** `after` as it was declared: calendar units, or a distance in units of a numeric key. */
export type Duration = { unit: DurationUnit; count: number; text: string } | { distance: string; text: string };

type DurationUnit = keyof typeof AVERAGE_HOURS;

/** Average lengths; they only decide whether rules are declared in the order of their age, never the age itself. */
const AVERAGE_HOURS = { hour: 1, day: 24, week: 168, month: 730.485, quarter: 2191.455, year: 8765.82 } as const;

/** Reads `after` for the keys of a grid. */
export function parseAfter(after: string | number, grid: Grid): Duration {
  const text = String(after).trim();
  if (grid.kind === "numeric") {
    if (!/^\d+$/.test(text) || (typeof after === "number" && !Number.isSafeInteger(after)))
      throw new ValueError(
        `${JSON.stringify(after)} is not a distance: on a ${grid.type} key, after is a whole number of key units below asOf`,
      );
    return { distance: BigInt(text).toString(), text };
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

/** Order of two ages of one grid. */
export function compareDurations(a: Duration, b: Duration): number {
  if ("distance" in a && "distance" in b) {
    const difference = BigInt(a.distance) - BigInt(b.distance);
    return difference < 0n ? -1 : difference > 0n ? 1 : 0;
  }
  return "unit" in a && "unit" in b ? a.count * AVERAGE_HOURS[a.unit] - b.count * AVERAGE_HOURS[b.unit] : 0;
}

/** The moment (or number) that lies `after` before `asOf`, by the calendar of the grid's time zone; undefined before all time. */
function cutoff(grid: Grid, asOf: string, after: Duration): string | undefined {
  if ("distance" in after) {
    if (grid.kind !== "numeric") return undefined;
    const value = BigInt(asOf) - BigInt(after.distance);
    return value < INTEGER_LIMITS[grid.type].min ? undefined : integerText(grid.type, value.toString());
  }
  if (grid.kind !== "calendar") return undefined;
  const wall = localWall(grid.type, asOf, grid.timezone).subtract(toDuration(after));
  return wall.year < 1 ? undefined : localText(grid.type, wall, grid.timezone);
}

function toDuration({ unit, count }: { unit: DurationUnit; count: number }): Temporal.DurationLike {
  return unit === "quarter" ? { months: 3 * count } : { [`${unit}s`]: count };
}

/** One rule of `lifecycle`. */
export interface Rule {
  after: Duration;
  tier: Tier;
}

/** Tiers in the order in which a partition goes through them. */
export const TIER_RANK: Record<Tier, number> = { live: 0, detached: 1, dropped: 2 };

/** A range that stays live while asOf is before `until` (no `until`: for ever), as canonical text. */
export interface Pin {
  from: string;
  to: string;
  until?: string;
}

/** Decides tiers at one `asOf`. */
export interface Lifecycle {
  /** Tier of the period, and the rule that puts it there. */
  tierOf(period: { from: string; to: string }): { tier: Tier; rule?: Rule };
}

/** Makes the decision table for one `asOf`: each period is then compared with a few texts or numbers. */
export function lifecycleAt(grid: Grid, asOf: string, rules: readonly Rule[], pins: readonly Pin[]): Lifecycle {
  const below = orderOf(grid);
  const reached = rules
    .flatMap((rule) => {
      const before = cutoff(grid, asOf, rule.after);
      return before === undefined ? [] : [{ rule, before }];
    })
    .sort((a, b) => TIER_RANK[b.rule.tier] - TIER_RANK[a.rule.tier]);
  const held = pins.filter((pin) => pin.until === undefined || below(asOf, pin.until) < 0);
  return {
    tierOf({ from, to }) {
      if (held.some((pin) => below(from, pin.to) < 0 && below(pin.from, to) < 0)) return { tier: "live" };
      const rule = reached.find(({ before }) => below(to, before) <= 0)?.rule;
      return rule === undefined ? { tier: "live" } : { tier: rule.tier, rule };
    },
  };
}

/** Order of canonical texts of the grid's key type. */
export function orderOf(grid: Grid): (a: string, b: string) => number {
  if (grid.kind === "calendar") return compareText;
  return (a, b) => {
    const difference = BigInt(a) - BigInt(b);
    return difference < 0n ? -1 : difference > 0n ? 1 : 0;
  };
}
