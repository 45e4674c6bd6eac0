/** The periods of a RANGE policy at `asOf`: which of them there are, and the tier of each. */
import { momentOf, orderOf } from "../axis";
import type { Axis, Stretch } from "../grid";
import { isNumberType, keyClass } from "../keys";
import { compareDurations, type Lifecycle, lifecycleAt, type Pin, parseAfter, type Rule } from "../lifecycle";
import type { DesiredSet, PartitionBound, Tier } from "../model";
import { axisOf, beginAt, countPeriods, endAfter, type Period, periodsFrom, periodWith } from "../stretches";
import { TIERS, tierRank } from "../tiers";
import { attempt } from "../values";
import { changePath, epochIsOpen } from "./grids";
import { DEFAULTS, type Inputs, needsUnknown } from "./inputs";
import { fail, join, type Report } from "./reader";

/** More partitions than this are a mistake in the policy: PostgreSQL plans no query on them in useful time. */
export const MAX_PARTITIONS = 100_000;

/** The policy over periods, resolved at one `asOf`. */
export interface Schedule {
  stretches: Stretch[];
  /** `asOf` as a moment. */
  asOf: string;
  /** The moment at which the first period begins. */
  from: string;
  ahead: number;
  rules: Rule[];
  pins: Pin[];
  lifecycle: Lifecycle;
}

/** A period with the tier that the lifecycle gives it. */
export interface AgedPeriod extends Period {
  tier: Tier;
}

/** What the schedule is made from, read but not yet put together. */
interface Moments {
  asOf?: string;
  from?: string;
  rules: Rule[];
  pins: DeclaredPin[];
}

/** A pin, and where the program declares it. */
interface DeclaredPin extends Pin {
  path: string;
}

/** Reads asOf, window.from, lifecycle and pins for the keys of an axis, reporting what is wrong. */
export function readMoments(inputs: Partial<Inputs>, axis: Axis, report: Report): Moments {
  const from = inputs.window?.from;
  return {
    asOf: resolveAsOf(inputs, axis, report),
    from: from === undefined ? undefined : moment(axis, from, "window.from", report),
    rules: resolveRules(inputs, axis, report),
    pins: resolvePins(inputs, axis, report),
  };
}

/** Resolves window, asOf, lifecycle and pins; undefined when one of them is wrong (then reported) or unknown. */
export function resolveSchedule(
  inputs: Partial<Inputs>,
  stretches: Stretch[],
  rememberedFrom: unknown,
  report: Report,
): Schedule | undefined {
  const before = report.failures.length;
  const axis = axisOf(stretches);
  const { asOf, from, rules, pins } = readMoments(inputs, axis, report);
  if (asOf === undefined || report.failures.length > before || needsUnknown(report)) return undefined;
  const ahead = inputs.window?.ahead ?? DEFAULTS.ahead;
  if (from !== undefined && refuseEarlyChange(stretches, from, report)) return undefined;
  const start = from ?? remembered(axis, rememberedFrom) ?? asOf;
  const begin = resolveStart({ stretches, asOf, ahead }, start, report);
  if (begin === undefined) return undefined;
  refuseIdlePins(pins, { axis, asOf, begin }, report);
  return { stretches, asOf, from: begin, ahead, rules, pins, lifecycle: lifecycleAt(axis, asOf, rules, pins) };
}

/** The axis of the nearest key type, with which the rest can be checked when the declared one is wrong. */
export function standInAxis(inputs: Partial<Inputs>, report: Report): Axis | undefined {
  const range = inputs.partitionBy?.range;
  if (range?.every === undefined || epochIsOpen(report)) return undefined;
  const kind = keyClass(range.type);
  if (isNumberType(kind) && range.epoch === undefined) return { kind: "numeric", type: kind };
  return { kind: "calendar", type: kind === "date" ? kind : "timestamptz", timezone: DEFAULTS.timezone };
}

function moment(axis: Axis, value: string | number, path: string, report: Report): string | undefined {
  const text = attempt(() => momentOf(axis, value));
  return "reason" in text ? fail(report, path, text.reason) : text.value;
}

function resolveAsOf(inputs: Partial<Inputs>, axis: Axis, report: Report): string | undefined {
  if (inputs.asOf !== undefined) return moment(axis, inputs.asOf, "asOf", report);
  if (report.unknown.includes("asOf") || report.failures.some(({ property }) => property === "asOf")) return undefined;
  const kind = axis.kind === "calendar" ? 'a date such as "2026-11" or "2026-11-01"' : "a number of the key";
  return fail(report, "asOf", `is required with partitionBy.range.every: ${kind}, from which the window is counted`);
}

/** What was remembered may be of another key type by now: then it says nothing. */
function remembered(axis: Axis, from: unknown): string | undefined {
  if (typeof from !== "string" && typeof from !== "number") return undefined;
  const text = attempt(() => momentOf(axis, from));
  return "value" in text ? text.value : undefined;
}

/** A window that is declared to begin after a change has no period of the interval before it: one of the two is wrong. */
function refuseEarlyChange(stretches: Stretch[], start: string, report: Report): boolean {
  const order = orderOf(axisOf(stretches));
  const early = stretches.findLastIndex(({ from }) => from !== undefined && order(from, start) <= 0);
  if (early <= 0) return false;
  const rule = "write the interval that holds there as every, and only later ones in changes";
  fail(report, `${changePath(early - 1)}.from`, `must be later than window.from, ${start}: ${rule}`);
  return true;
}

/** The moment at which the first period begins. */
function resolveStart(
  { stretches, asOf, ahead }: Pick<Schedule, "stretches" | "asOf" | "ahead">,
  start: string,
  report: Report,
): string | undefined {
  const order = orderOf(axisOf(stretches));
  const future = order(start, asOf) > 0;
  const span = attempt(() => ({
    from: beginAt(stretches, start),
    count: ahead + (future ? 1 : countPeriods(stretches, start, asOf)),
  }));
  if ("reason" in span) return fail(report, "window", span.reason);
  const { from, count } = span.value;
  if (count > MAX_PARTITIONS)
    return fail(report, "window", `comes to ${count} partitions; at most ${MAX_PARTITIONS} are possible`);
  if (future && !reaches(stretches, asOf, ahead, from))
    return fail(report, "window.from", "lies after the last period that the window reaches at asOf");
  return from;
}

/** Who pins a range wants to see its rows: no partition is declared there, so that none would ever be kept or restored. */
function refuseIdlePins(
  pins: readonly DeclaredPin[],
  { axis, asOf, begin }: { axis: Axis; asOf: string; begin: string },
  report: Report,
): void {
  const order = orderOf(axis);
  for (const { path, from, to, until } of pins) {
    if (order(to, begin) > 0 || (until !== undefined && order(asOf, until) >= 0)) continue;
    const rule = `nothing is declared there, so nothing would be kept or restored. Let window.from be ${from}, or take the pin out`;
    fail(report, path, `ends before the first period of the window, which begins at ${begin}: ${rule}`);
  }
}

/** True unless the moment lies after the `ahead` periods that follow the one of asOf. */
function reaches(stretches: Stretch[], asOf: string, ahead: number, moment: string): boolean {
  const end = attempt(() => endAfter(stretches, asOf, ahead));
  return "reason" in end || orderOf(axisOf(stretches))(moment, end.value) < 0;
}

function resolveRules(inputs: Partial<Inputs>, axis: Axis, report: Report): Rule[] {
  const rules: Rule[] = [];
  for (const [index, { after, tier }] of (inputs.lifecycle ?? []).entries()) {
    if (after === undefined || tier === undefined) continue;
    const duration = attempt(() => parseAfter(after, axis));
    const path = join(`lifecycle[${index}]`, "after");
    if ("reason" in duration) {
      fail(report, path, duration.reason);
      continue;
    }
    const previous = rules.at(-1);
    if (previous !== undefined && compareDurations(previous.after, duration.value) >= 0)
      fail(report, path, `must be later than ${previous.after.text}, the age of the rule before`);
    if (previous !== undefined && tierRank(previous.tier) >= tierRank(tier))
      fail(report, join(`lifecycle[${index}]`, "tier"), `must come after ${previous.tier}: ${TIERS.join(", ")}`);
    rules.push({ after: duration.value, tier });
  }
  return rules;
}

function resolvePins(inputs: Partial<Inputs>, axis: Axis, report: Report): DeclaredPin[] {
  const order = orderOf(axis);
  return (inputs.pins ?? []).flatMap((pin, index) => {
    const path = `pins[${index}]`;
    if (pin.from === undefined || pin.to === undefined) return [];
    const from = moment(axis, pin.from, `${path}.from`, report);
    const to = moment(axis, pin.to, `${path}.to`, report);
    const until = pin.until === undefined ? undefined : moment(axis, pin.until, `${path}.until`, report);
    if (from === undefined || to === undefined) return [];
    if (order(from, to) >= 0) {
      fail(report, `${path}.to`, "must be above from; it is not part of the pinned range");
      return [];
    }
    return [{ path, from, to, until }];
  });
}

/** Every period of the window with its tier, oldest first; none when a bound leaves the key type (then reported). */
export function agedPeriods(schedule: Schedule, report: Report): AgedPeriod[] {
  const aged = attempt(() => windowed(schedule));
  if ("value" in aged) return aged.value;
  const edge = "the last period must end within the key type, so that its upper bound can be written";
  fail(report, "window", `${aged.reason}; ${edge} (add the rest in partitions, TO MAXVALUE)`);
  return [];
}

function windowed({ stretches, from, asOf, ahead, lifecycle }: Schedule): AgedPeriod[] {
  const order = orderOf(axisOf(stretches));
  const aged: AgedPeriod[] = [];
  let left = ahead;
  for (const period of periodsFrom(stretches, order(from, asOf) < 0 ? from : asOf)) {
    const later = order(period.from, asOf) > 0;
    if (later && left === 0) break;
    if (later) left--;
    if (order(period.from, from) >= 0) aged.push({ ...period, tier: lifecycle.tierOf(period).tier });
    if (left === 0 && order(period.to, asOf) > 0) break;
  }
  return aged;
}

/** The range that the policy has given up: up to the end of the newest dropped period. */
export function retiredRange({ stretches, from }: Schedule, aged: readonly AgedPeriod[]): DesiredSet["retired"] {
  const newest = aged.findLast(({ tier }) => tier === "dropped");
  return newest && { from, before: newest.to, periods: stretches };
}

/** The lifecycle rule that gave the bound the tier that it has, as people say it: `after 12 months: dropped`. */
export function tierReason({ stretches, lifecycle }: Schedule, bound: PartitionBound, tier: Tier): string | undefined {
  const period = periodWith(stretches, bound);
  if (period === undefined) return undefined;
  const decided = lifecycle.tierOf(period);
  if (decided.tier !== tier || decided.rule === undefined) return undefined;
  return `after ${decided.rule.after.text}: ${tier}`;
}

/** From where on partitions are not closed yet. */
export function closedAt({ stretches, asOf }: Schedule): NonNullable<DesiredSet["closedAt"]> {
  return { axis: axisOf(stretches), asOf };
}
