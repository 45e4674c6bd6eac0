/** `partitionBy`: which strategy, which keys, and the grid when there is one. */
import type { RawValue } from "../bounds";
import type { Strategy } from "../model";
import { zoneName } from "../time";
import { attempt } from "../values";
import { checkedGrid, holdsInstants, type NamedStretch, resolveStretches } from "./grids";
import { DEFAULTS, type HashInputs, type Inputs, type ListInputs, type RangeInputs } from "./inputs";
import { fail, type Report } from "./reader";

/** A partition key that can be worked with. */
export interface Partitioning {
  strategy: Strategy;
  keyColumns: string[];
  /** Types of the key columns as they were declared; empty when nothing was said. */
  keyTypes: string[];
  /** Time zone of declared instants. */
  timezone: string;
  /** How a RANGE is divided into periods; absent when every partition is listed. */
  stretches?: NamedStretch[];
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
  if (by.range !== undefined) return resolveRange(by.range, inputs.naming, report, unknown || failed);
  if (unknown || failed) return undefined;
  if (by.list !== undefined) return resolveList(by.list);
  return by.hash === undefined ? undefined : resolveHash(by.hash, report);
}

function resolveRange(
  range: Partial<RangeInputs>,
  naming: Inputs["naming"] | undefined,
  report: Report,
  incomplete: boolean,
): Partitioning | undefined {
  const before = report.failures.length;
  const path = "partitionBy.range";
  const columns = range.column !== undefined ? [range.column] : (range.columns ?? []);
  const several = range.columns !== undefined && range.columns.length > 1;
  const types = range.type !== undefined ? [range.type] : (range.types ?? []);
  if (!incomplete && (range.column === undefined) === (range.columns === undefined))
    fail(report, `${path}.column`, "exactly one of column and columns is required");
  if (range.type !== undefined && range.types !== undefined)
    fail(report, `${path}.types`, "is for columns; with type it says the same twice");
  if (range.types !== undefined && range.types.length !== columns.length)
    fail(report, `${path}.types`, `must have as many types as there are key columns (${columns.length})`);
  repeated(columns, `${path}.columns`, report);
  if (range.every !== undefined && several)
    fail(report, `${path}.every`, "needs a key of one column; list the partitions of several columns in partitions");
  const timezone = resolveZone(range, types[0], report);
  const stretches = several ? undefined : resolveStretches(range, types[0], timezone, naming, report);
  if (incomplete || report.failures.length > before) return undefined;
  return {
    strategy: "range",
    keyColumns: columns,
    keyTypes: types,
    timezone,
    stretches,
    checked: { range: checkedRange(range, timezone, types[0], stretches) },
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
  if (zone.value !== "UTC" && type !== undefined && !holdsInstants(range, type))
    fail(
      report,
      path,
      `is for timestamptz keys, uuid keys with every and keys with epoch; values of ${type} have no time zone`,
    );
  return zone.value;
}

function checkedRange(
  range: Partial<RangeInputs>,
  timezone: string,
  type: string | undefined,
  stretches: readonly NamedStretch[] = [],
): Record<string, unknown> {
  const [first, ...changes] = stretches;
  return defined({
    ...range,
    ...(first === undefined ? {} : checkedGrid(first.grid)),
    timezone: holdsInstants(range, type) ? timezone : range.timezone,
    changes:
      changes.length === 0
        ? range.changes
        : changes.map(({ from, grid, naming }) => ({ from, ...checkedGrid(grid), naming })),
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
