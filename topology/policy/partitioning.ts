/** `partitionBy`: which strategy, which keys, and the grid when there is one. */
import type { RawValue } from "../bounds";
import { isIntegerType, isTimeType, parseAnchor, parseEvery, parseOffset } from "../intervals";
import { keyClass } from "../keys";
import type { Grid, RangeKeyType, Strategy } from "../model";
import { zoneName } from "../time";
import { attempt } from "../values";
import { DEFAULTS, type HashInputs, type Inputs, type ListInputs, type RangeInputs } from "./inputs";
import { fail, join, type Report } from "./reader";

/** A partition key that can be worked with. */
export interface Partitioning {
  strategy: Strategy;
  keyColumns: string[];
  /** Types of the key columns as they were declared; empty when nothing was said. */
  keyTypes: string[];
  /** Time zone of declared timestamptz values. */
  timezone: string;
  grid?: Grid;
  lists?: Map<string, RawValue[]>;
  /** Number of HASH partitions. */
  modulus?: number;
  /** `partitionBy` with its defaults, as it goes into the checked inputs. */
  checked: Record<string, unknown>;
}

/** Resolves `partitionBy`; undefined when something it needs is wrong (then reported) or unknown. */
export function resolvePartitioning(inputs: Partial<Inputs>, report: Report): Partitioning | undefined {
  const by = inputs.partitionBy;
  if (by === undefined) return undefined;
  const unknown = report.unknown.some((path) => path.startsWith("partitionBy"));
  const failed = report.failures.some(({ property }) => property.startsWith("partitionBy"));
  const given = Object.keys(by);
  if (given.length !== 1) {
    if (!unknown && (given.length > 1 || !failed))
      fail(
        report,
        "partitionBy",
        `must have exactly one of range, list, hash; there ${given.length === 0 ? "is none" : `are ${given.join(", ")}`}`,
      );
    return undefined;
  }
  if (by.range !== undefined) return resolveRange(by.range, report, unknown);
  if (unknown || failed) return undefined;
  if (by.list !== undefined) return resolveList(by.list);
  return by.hash === undefined ? undefined : resolveHash(by.hash, report);
}

function resolveRange(range: Partial<RangeInputs>, report: Report, unknown: boolean): Partitioning | undefined {
  const before = report.failures.length;
  const path = "partitionBy.range";
  const columns = range.column !== undefined ? [range.column] : (range.columns ?? []);
  const several = range.columns !== undefined && range.columns.length > 1;
  const types = range.type !== undefined ? [range.type] : (range.types ?? []);
  if (!unknown && (range.column === undefined) === (range.columns === undefined))
    fail(report, `${path}.column`, "exactly one of column and columns is required");
  if (range.type !== undefined && range.types !== undefined)
    fail(report, `${path}.types`, "is for columns; with type it says the same twice");
  if (range.types !== undefined && range.types.length !== columns.length)
    fail(report, `${path}.types`, `must have as many types as there are key columns (${columns.length})`);
  repeated(columns, `${path}.columns`, report);
  if (range.every !== undefined && several)
    fail(report, `${path}.every`, "needs a key of one column; list the partitions of several columns in partitions");
  const timezone = resolveZone(range, types[0], report);
  const grid = several ? undefined : resolveGrid(range, types[0], timezone, report);
  if (unknown || report.failures.length > before) return undefined;
  return {
    strategy: "range",
    keyColumns: columns,
    keyTypes: types,
    timezone,
    grid,
    checked: { range: checkedRange(range, timezone, types[0], grid) },
  };
}

function resolveZone(range: Partial<RangeInputs>, type: string | undefined, report: Report): string {
  if (range.timezone === undefined) return DEFAULTS.timezone;
  const path = "partitionBy.range.timezone";
  const zone = attempt(() => zoneName(range.timezone ?? ""));
  if ("reason" in zone) {
    fail(report, path, zone.reason);
    return DEFAULTS.timezone;
  }
  const kind = keyClass(type);
  if (zone.value !== "UTC" && type !== undefined && kind !== "timestamptz")
    fail(report, path, `is for timestamptz keys; values of ${type} have no time zone`);
  return zone.value;
}

const GRID_TYPES = "date, timestamp, timestamptz, smallint, integer, bigint";

function resolveGrid(
  range: Partial<RangeInputs>,
  type: string | undefined,
  timezone: string,
  report: Report,
): Grid | undefined {
  const path = "partitionBy.range";
  if (range.every === undefined) {
    for (const key of ["anchor", "offset"] as const)
      if (range[key] !== undefined) fail(report, join(path, key), "needs every");
    return undefined;
  }
  const kind = keyClass(type);
  if (type === undefined) return fail(report, `${path}.type`, `is required with every: one of ${GRID_TYPES}`);
  if (!isIntegerType(kind) && !isTimeType(kind))
    return fail(
      report,
      `${path}.type`,
      `every steps through ${GRID_TYPES}, not ${type}; list such partitions in partitions`,
    );
  return buildGrid(range, range.every, kind, timezone, report);
}

function buildGrid(
  range: Partial<RangeInputs>,
  declared: string | number,
  type: RangeKeyType,
  timezone: string,
  report: Report,
): Grid | undefined {
  const path = "partitionBy.range";
  const every = attempt(() => parseEvery(declared, type));
  if ("reason" in every) return fail(report, `${path}.every`, every.reason);
  if (isIntegerType(type) && every.value.kind === "numeric") {
    if (range.anchor !== undefined) return fail(report, `${path}.anchor`, "is a date; keys of numbers take offset");
    const offset = attempt(() => parseOffset(range.offset ?? 0, type));
    if ("reason" in offset) return fail(report, `${path}.offset`, offset.reason);
    return { kind: "numeric", type, step: every.value.step, offset: offset.value };
  }
  if (isIntegerType(type) || every.value.kind === "numeric") return undefined;
  const { unit, count } = every.value;
  if (range.offset !== undefined) return fail(report, `${path}.offset`, "is for keys of numbers; dates take anchor");
  const anchor = attempt(() => (range.anchor === undefined ? undefined : parseAnchor(range.anchor, unit)));
  if ("reason" in anchor) return fail(report, `${path}.anchor`, anchor.reason);
  const shift = anchor.value === undefined ? {} : { anchor: anchor.value };
  return { kind: "calendar", type, unit, count, timezone, ...shift };
}

function checkedRange(
  range: Partial<RangeInputs>,
  timezone: string,
  type: string | undefined,
  grid: Grid | undefined,
): Record<string, unknown> {
  const every =
    grid?.kind === "calendar" ? (grid.count === 1 ? grid.unit : `${grid.count} ${grid.unit}s`) : range.every;
  return defined({
    ...range,
    every,
    timezone: keyClass(type) === "timestamptz" ? timezone : range.timezone,
    anchor: grid?.kind === "calendar" ? grid.anchor : undefined,
    offset: grid?.kind === "numeric" ? grid.offset : undefined,
  });
}

/** Without the properties that are undefined: what comes back from Pulumi's state has none. */
export function defined(properties: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(properties).filter(([, value]) => value !== undefined));
}

function resolveList({ column, type, values }: Partial<ListInputs>): Partitioning | undefined {
  if (column === undefined) return undefined;
  return {
    strategy: "list",
    keyColumns: [column],
    keyTypes: type === undefined ? [] : [type],
    timezone: DEFAULTS.timezone,
    lists: values,
    checked: { list: defined({ column, type, values: values && Object.fromEntries(values) }) },
  };
}

function resolveHash({ columns, partitions }: Partial<HashInputs>, report: Report): Partitioning | undefined {
  if (columns === undefined) return undefined;
  if (repeated(columns, "partitionBy.hash.columns", report)) return undefined;
  return {
    strategy: "hash",
    keyColumns: columns,
    keyTypes: [],
    timezone: DEFAULTS.timezone,
    modulus: partitions,
    checked: { hash: defined({ columns, partitions }) },
  };
}

function repeated(columns: readonly string[], path: string, report: Report): boolean {
  const twice = columns.find((column, index) => columns.indexOf(column) !== index);
  if (twice === undefined) return false;
  fail(report, path, `names the column ${JSON.stringify(twice)} twice`);
  return true;
}
