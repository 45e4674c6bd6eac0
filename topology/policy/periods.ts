/** The periods of a RANGE policy at `asOf`: which of them there are, and the tier of each. */
import {
  isIntegerType,
  isPeriod,
  isTimeType,
  type Period,
  periodAfter,
  periodOf,
  periodStart,
  periods,
} from "../intervals";
import { canonicalValue, keyClass } from "../keys";
import {
  compareDurations,
  type Lifecycle,
  lifecycleAt,
  orderOf,
  type Pin,
  parseAfter,
  type Rule,
  TIER_RANK,
} from "../lifecycle";
import type { Grid, Tier } from "../model";
import { momentText } from "../time";
import { attempt } from "../values";
import { DEFAULTS, type Inputs, needsUnknown } from "./inputs";
import { fail, join, type Report } from "./reader";

/** More partitions than this are a mistake in the policy: PostgreSQL plans no query on them in useful time. */
export const MAX_PARTITIONS = 100_000;

/** The policy over periods, resolved at one `asOf`. */
export interface Schedule {
  grid: Grid;
  /** `asOf` as canonical text of the key type. */
  asOf: string;
  /** Canonical start of the first period. */
  from: string;
  ahead: number;
  first: number;
  last: number;
  rules: Rule[];
  pins: Pin[];
  lifecycle: Lifecycle;
}

/** A period with the tier that the lifecycle gives it. */
export interface AgedPeriod extends Period {
  tier: Tier;
}

/** A moment or number as people write it, as canonical text of the grid's key type. Throws ValueError. */
export function momentOf(grid: Grid, value: string | number): string {
  if (grid.kind === "numeric") return canonicalValue(grid.type, value, DEFAULTS.timezone);
  return momentText(grid.type, String(value), grid.timezone);
}

/** What the schedule is made from, read but not yet put together. */
interface Moments {
  asOf?: string;
  from?: string;
  rules: Rule[];
  pins: Pin[];
}

/** Reads asOf, window.from, lifecycle and pins for the keys of a grid, reporting what is wrong. */
export function readMoments(inputs: Partial<Inputs>, grid: Grid, report: Report): Moments {
  const from = inputs.window?.from;
  return {
    asOf: resolveAsOf(inputs, grid, report),
    from: from === undefined ? undefined : moment(grid, from, "window.from", report),
    rules: resolveRules(inputs, grid, report),
    pins: resolvePins(inputs, grid, report),
  };
}

/** Resolves window, asOf, lifecycle and pins; undefined when one of them is wrong (then reported) or unknown. */
export function resolveSchedule(
  inputs: Partial<Inputs>,
  grid: Grid,
  rememberedFrom: unknown,
  report: Report,
): Schedule | undefined {
  const before = report.failures.length;
  const { asOf, from, rules, pins } = readMoments(inputs, grid, report);
  if (asOf === undefined || report.failures.length > before || needsUnknown(report)) return undefined;
  const ahead = inputs.window?.ahead ?? DEFAULTS.ahead;
  const start = from ?? remembered(grid, rememberedFrom) ?? asOf;
  const span = resolveSpan(grid, start, asOf, ahead, report);
  if (span === undefined) return undefined;
  return { grid, asOf, ahead, ...span, rules, pins, lifecycle: lifecycleAt(grid, asOf, rules, pins) };
}

/** The grid of the nearest key type, with which the rest can be checked when the declared one is wrong. */
export function standInGrid(inputs: Partial<Inputs>): Grid | undefined {
  const range = inputs.partitionBy?.range;
  if (range?.every === undefined) return undefined;
  const kind = keyClass(range.type);
  if (isIntegerType(kind)) return { kind: "numeric", type: kind, step: "1", offset: "0" };
  const type = isTimeType(kind) ? kind : "timestamp";
  return { kind: "calendar", type, unit: "day", count: 1, timezone: DEFAULTS.timezone };
}

function moment(grid: Grid, value: string | number, path: string, report: Report): string | undefined {
  const text = attempt(() => momentOf(grid, value));
  return "reason" in text ? fail(report, path, text.reason) : text.value;
}

function resolveAsOf(inputs: Partial<Inputs>, grid: Grid, report: Report): string | undefined {
  if (inputs.asOf !== undefined) return moment(grid, inputs.asOf, "asOf", report);
  if (report.unknown.includes("asOf") || report.failures.some(({ property }) => property === "asOf")) return undefined;
  const kind = grid.kind === "calendar" ? 'a date such as "2026-11" or "2026-11-01"' : "a number of the key";
  return fail(report, "asOf", `is required with partitionBy.range.every: ${kind}, from which the window is counted`);
}

/** What was remembered may be of another key type by now: then it says nothing. */
function remembered(grid: Grid, from: unknown): string | undefined {
  if (typeof from !== "string" && typeof from !== "number") return undefined;
  const text = attempt(() => momentOf(grid, from));
  return "value" in text ? text.value : undefined;
}

function resolveSpan(
  grid: Grid,
  start: string,
  asOf: string,
  ahead: number,
  report: Report,
): { from: string; first: number; last: number } | undefined {
  const span = attempt(() => {
    const first = periodOf(grid, start);
    const current = periodOf(grid, asOf);
    const tooMany = current + ahead - first + 1 > MAX_PARTITIONS;
    return { first, last: tooMany ? current + ahead : periodAfter(grid, current, ahead), tooMany };
  });
  if ("reason" in span) return fail(report, "window", span.reason);
  const { first, last, tooMany } = span.value;
  if (tooMany)
    return fail(report, "window", `comes to ${last - first + 1} partitions; at most ${MAX_PARTITIONS} are possible`);
  if (last < first) return fail(report, "window.from", "lies after the last period that the window reaches at asOf");
  const ends = attempt(() => ({ from: periodStart(grid, first), end: periodStart(grid, last + 1) }));
  if ("value" in ends) return { from: ends.value.from, first, last };
  const edge = "the last period must end within the key type, so that its upper bound can be written";
  return fail(report, "window", `${ends.reason}; ${edge} (add the rest in partitions, TO MAXVALUE)`);
}

function resolveRules(inputs: Partial<Inputs>, grid: Grid, report: Report): Rule[] {
  const rules: Rule[] = [];
  for (const [index, { after, tier }] of (inputs.lifecycle ?? []).entries()) {
    if (after === undefined || tier === undefined) continue;
    const duration = attempt(() => parseAfter(after, grid));
    const path = join(`lifecycle[${index}]`, "after");
    if ("reason" in duration) {
      fail(report, path, duration.reason);
      continue;
    }
    const previous = rules.at(-1);
    if (previous !== undefined && compareDurations(previous.after, duration.value) >= 0)
      fail(report, path, `must be later than ${previous.after.text}, the age of the rule before`);
    if (previous !== undefined && TIER_RANK[previous.tier] >= TIER_RANK[tier])
      fail(report, join(`lifecycle[${index}]`, "tier"), `must come after ${previous.tier}: live, detached, dropped`);
    rules.push({ after: duration.value, tier });
  }
  return rules;
}

function resolvePins(inputs: Partial<Inputs>, grid: Grid, report: Report): Pin[] {
  const order = orderOf(grid);
  return (inputs.pins ?? []).flatMap((pin, index) => {
    const path = `pins[${index}]`;
    if (pin.from === undefined || pin.to === undefined) return [];
    const from = moment(grid, pin.from, `${path}.from`, report);
    const to = moment(grid, pin.to, `${path}.to`, report);
    const until = pin.until === undefined ? undefined : moment(grid, pin.until, `${path}.until`, report);
    if (from === undefined || to === undefined) return [];
    if (order(from, to) >= 0) {
      fail(report, `${path}.to`, "must be above from; it is not part of the pinned range");
      return [];
    }
    return [{ from, to, until }];
  });
}

/** Every period of the window with its tier, oldest first. Throws ValueError when a bound leaves the key type. */
export function agedPeriods({ grid, first, last, lifecycle }: Schedule): AgedPeriod[] {
  return periods(grid, first, last).map((period) => ({ ...period, tier: lifecycle.tierOf(period).tier }));
}

/** The range that the policy has given up: up to the end of the newest dropped period. */
export function retiredRange(
  schedule: Schedule,
  aged: readonly AgedPeriod[],
): { from: string; before: string; periods: Grid } | undefined {
  const newest = aged.findLast(({ tier }) => tier === "dropped");
  return newest && { from: schedule.from, before: newest.to, periods: schedule.grid };
}

/** The lifecycle rule that gave the bound the tier that it has, as people say it: `after 12 months: dropped`. */
export function tierReason({ grid, lifecycle }: Schedule, from: string, to: string, tier: Tier): string | undefined {
  if (!isPeriod(grid, { from, to })) return undefined;
  const decided = lifecycle.tierOf({ from, to });
  if (decided.tier !== tier || decided.rule === undefined) return undefined;
  return `after ${decided.rule.after.text}: ${tier}`;
}
