/** `every`, `epoch`, `anchor`, `offset` and `changes`: the stretches of a RANGE policy. */
import { beginningOf, momentOf, numberText, orderOf } from "../axis";
import { digitsOf, parseDecimal } from "../decimals";
import type { Axis, Grid, Stretch } from "../grid";
import { parseAnchor, parseEvery } from "../intervals";
import { isMomentType, isNumberType, keyClass } from "../keys";
import { isPreset, resolveNaming } from "../names";
import { attempt } from "../values";
import type { ChangeInputs, Inputs, RangeInputs } from "./inputs";
import { fail, join, type Report } from "./reader";

const PATH = "partitionBy.range";
const GRID_TYPES = "date, timestamp, timestamptz, smallint, integer, bigint, numeric or uuid (v7)";

/** A stretch with the template of its partitions' names. */
export interface NamedStretch extends Stretch {
  naming: string;
}

/** The property path of a change of the interval. */
export function changePath(index: number): string {
  return `${PATH}.changes[${index}]`;
}

/** True when values of the key stand for instants, so that a time zone says where days begin. */
export function holdsInstants({ every, epoch }: Partial<RangeInputs>, type: string | undefined): boolean {
  const kind = keyClass(type);
  return kind === "timestamptz" || (kind === "uuid" && every !== undefined) || epoch !== undefined;
}

/** True when `epoch` is wrong or not known yet, so that nobody can tell instants from numbers. */
export function epochIsOpen({ failures, unknown }: Report): boolean {
  const path = join(PATH, "epoch");
  return unknown.includes(path) || failures.some(({ property }) => property === path);
}

/** The stretches of a policy with periods; undefined when there are none, or when something is wrong (then reported). */
export function resolveStretches(
  range: Partial<RangeInputs>,
  type: string | undefined,
  timezone: string,
  naming: Inputs["naming"] | undefined,
  report: Report,
): NamedStretch[] | undefined {
  if (range.every === undefined) {
    for (const key of ["anchor", "offset", "epoch", "changes"] as const)
      if (range[key] !== undefined) fail(report, join(PATH, key), "needs every");
    return undefined;
  }
  const axis = epochIsOpen(report) ? undefined : resolveAxis(range, type, timezone, report);
  if (axis === undefined) return undefined;
  const grid = resolveGrid(range, axis, PATH, report);
  const changes = resolveChanges(range.changes ?? [], axis, naming, report);
  if (grid === undefined || changes === undefined) return undefined;
  return [{ grid, naming: templateFor(naming, grid) }, ...changes];
}

/** What the key's values stand for; undefined when they cannot be stepped through (then reported). */
function resolveAxis(
  { epoch }: Partial<RangeInputs>,
  type: string | undefined,
  timezone: string,
  report: Report,
): Axis | undefined {
  if (type === undefined) return fail(report, `${PATH}.type`, `is required with every: one of ${GRID_TYPES}`);
  const kind = keyClass(type);
  const digits = kind === "numeric" ? digitsOf(type) : undefined;
  const modifiers = digits === undefined ? {} : { digits };
  if (epoch !== undefined) {
    if (kind === "integer" || kind === "bigint" || kind === "numeric")
      return { kind: "calendar", type: kind, epoch, timezone, ...modifiers };
    const rule = isMomentType(kind) || kind === "uuid" ? "leave it out" : "use one of those types";
    return fail(report, `${PATH}.epoch`, `is for integer, bigint and numeric keys, not for ${type}: ${rule}`);
  }
  if (isMomentType(kind) || kind === "uuid") return { kind: "calendar", type: kind, timezone };
  if (isNumberType(kind)) return { kind: "numeric", type: kind, ...modifiers };
  return fail(
    report,
    `${PATH}.type`,
    `every steps through ${GRID_TYPES}, not ${type}; list such partitions in partitions`,
  );
}

/** How one stretch is divided. */
type Division = Partial<Pick<RangeInputs, "every" | "anchor" | "offset">>;

function resolveGrid(
  { every: declared, anchor, offset }: Division,
  axis: Axis,
  path: string,
  report: Report,
): Grid | undefined {
  if (declared === undefined) return undefined;
  const every = attempt(() => parseEvery(declared, axis));
  if ("reason" in every) return fail(report, `${path}.every`, every.reason);
  if (axis.kind === "numeric" && every.value.kind === "numeric") {
    const { step } = every.value;
    if (anchor !== undefined) return fail(report, `${path}.anchor`, "is a date; keys of numbers take offset");
    const start = attempt(() => momentOf(axis, offset ?? 0));
    if ("reason" in start) return fail(report, `${path}.offset`, start.reason);
    const width = attempt(() => numberText(axis, parseDecimal(step)));
    if ("reason" in width) return fail(report, `${path}.every`, width.reason);
    return { ...axis, step, offset: start.value };
  }
  if (axis.kind === "numeric" || every.value.kind === "numeric") return undefined;
  const { unit, count } = every.value;
  if (offset !== undefined) return fail(report, `${path}.offset`, "is for keys of numbers; dates take anchor");
  const shift = attempt(() => (anchor === undefined ? {} : { anchor: parseAnchor(anchor, unit) }));
  if ("reason" in shift) return fail(report, `${path}.anchor`, shift.reason);
  return { ...axis, unit, count, ...shift.value };
}

function resolveChanges(
  changes: readonly Partial<ChangeInputs>[],
  axis: Axis,
  naming: Inputs["naming"] | undefined,
  report: Report,
): NamedStretch[] | undefined {
  const before = report.failures.length;
  const order = orderOf(axis);
  const stretches: (NamedStretch & { from: string })[] = [];
  for (const [index, change] of changes.entries()) {
    const path = changePath(index);
    const grid = resolveGrid(change, axis, path, report);
    const declared = change.from;
    if (declared === undefined || grid === undefined) continue;
    const from = attempt(() => beginningOf(axis, declared));
    if ("reason" in from) {
      fail(report, `${path}.from`, from.reason);
      continue;
    }
    const previous = stretches.at(-1);
    if (previous !== undefined && order(previous.from, from.value) >= 0)
      fail(report, `${path}.from`, `must be later than ${previous.from}, where the change before it begins`);
    stretches.push({ from: from.value, grid, naming: templateFor(change.naming ?? presetOf(naming), grid) });
  }
  return report.failures.length > before ? undefined : stretches;
}

/** A template is made for one interval; a preset has one for each. */
function presetOf(naming: Inputs["naming"] | undefined): string | undefined {
  const declared = typeof naming === "object" ? naming.partitions : naming;
  return declared !== undefined && isPreset(declared) ? declared : undefined;
}

function templateFor(naming: Inputs["naming"] | undefined, grid: Grid): string {
  return resolveNaming(naming, { strategy: "range", stretches: [{ grid }] }).partitions;
}

/** The properties of a grid as they go into the checked inputs. */
export function checkedGrid(grid: Grid): Record<string, unknown> {
  if (grid.kind === "numeric") return { every: grid.step, offset: grid.offset };
  const every = grid.count === 1 ? grid.unit : `${grid.count} ${grid.unit}s`;
  return grid.anchor === undefined ? { every } : { every, anchor: grid.anchor };
}
