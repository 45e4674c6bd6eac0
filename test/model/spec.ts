/** Declarations as few words as can be changed at random, and what they stand for in a program. */
import type { Properties } from "../../provider/values";
import { type At, type Place, RANGE_KEYS, type RangeKey, WORDS, wordAt } from "./keys";

/** A level divided into periods. Numbers that choose from a list of {@link RangeKey} are taken modulo its length. */
export interface RangeLevel {
  strategy: "range";
  key: string;
  every: number;
  /** Whether periods begin elsewhere than by the key's own origin. */
  shifted: boolean;
  /** An explicit partition for everything long before the window. */
  oldest: boolean;
  /** Another interval from a place on. */
  change?: { from: Place; every: number };
  from: Place;
  ahead: number;
  asOf: Place;
  detached?: number;
  dropped?: number;
  /** The month (or thirty numbers) from there on stays. */
  pin?: Place;
  naming: number;
  fallback: boolean;
}

export interface ListLevel {
  strategy: "list";
  /** The group of each of {@link WORDS}; the last group stands for "in none". */
  groups: number[];
  naming: number;
  fallback: boolean;
}

export interface HashLevel {
  strategy: "hash";
  columns: 1 | 2;
  partitions: number;
  naming: number;
}

export type Level = RangeLevel | ListLevel | HashLevel;

/** One declaration: the levels from the top, and what holds for the whole set. */
export interface Spec {
  levels: Level[];
  reorganize: "online" | "refuse";
  /** Whether partitions have comments and storage of their own. */
  described: boolean;
  /** Foreign keys of the table to another one, and of another one to it. */
  references: "nothing" | "out" | "in" | "both";
  /** Whether PostgreSQL says that its tables are large, so that rows are copied beside the application. */
  large: boolean;
}

export const GROUPS = ["eu", "world", "rest", "extra"];
const LIST_NAMES = [undefined, "{table}_of_{value}"];
const HASH_NAMES = [undefined, "{table}_b{n}"];

export function pick<T>(list: readonly T[], at: number): T {
  const chosen = list[at % list.length];
  if (chosen === undefined && !(at % list.length in list)) throw new Error("nothing to pick from");
  return chosen as T;
}

export function keyOf({ key }: RangeLevel): RangeKey {
  const found = RANGE_KEYS[key];
  if (found === undefined) throw new Error(`no RANGE key is called ${key}`);
  return found;
}

/** Key columns of a level by its depth, with their types. */
export function columnsOf(level: Level, depth: number): { name: string; type: string }[] {
  const name = `k${depth}`;
  if (level.strategy === "range") return [{ name, type: keyOf(level).type }];
  if (level.strategy === "list") return [{ name, type: "text" }];
  const columns = [{ name, type: "bigint" }];
  return level.columns === 1 ? columns : [...columns, { name: `${name}b`, type: "text" }];
}

/** Values of a row in the key columns of a level. */
export function valuesOf(level: Level, at: At): (string | null)[] {
  if (level.strategy === "range") return [keyOf(level).value(at)];
  if (level.strategy === "list") return [wordAt(at)];
  return level.columns === 1 ? [String(at.place)] : [String(at.place), `x${at.fine}`];
}

/** True when rows may have no value in a key, so that the table can have no primary key. */
export function hasNulls({ levels }: Spec): boolean {
  return levels.some(({ strategy }) => strategy === "list");
}

export function hasForeignKey({ references }: Spec): boolean {
  return references === "out" || references === "both";
}

/** What is referenced has a key. */
export function isReferenced(spec: Spec): boolean {
  return (spec.references === "in" || spec.references === "both") && !hasNulls(spec);
}

/** The inputs of a PartitionSet. */
export function program({ levels, reorganize, described }: Spec, schema: string): Properties {
  const [top, ...below] = levels.map((level, depth) => levelInputs(level, depth));
  const subPartitionBy = below.reduceRight<Properties | undefined>(
    (inside, level) => ({ ...level, ...(inside && { subPartitionBy: inside }) }),
    undefined,
  );
  const oldest = levels[0]?.strategy === "range" && levels.length === 1 && levels[0].oldest ? levels[0] : undefined;
  return {
    schema,
    table: "t",
    ...top,
    reorganize,
    ...(subPartitionBy && { subPartitionBy }),
    ...(oldest && { partitions: { t_oldest: { from: "MINVALUE", to: keyOf(oldest).moment(LONG_AGO) } } }),
    ...(described && describedAs(levels)),
  };
}

/** Before every window; no row of the model is that old by itself. */
const LONG_AGO = -120;

/** Only periods can be closed. */
function describedAs(levels: readonly Level[]): Properties {
  const closed = levels.some(({ strategy }) => strategy === "range")
    ? { closed: { parameters: { autovacuum_enabled: false } } }
    : {};
  return {
    children: { comment: "{table}: {bound}" },
    storage: { live: { parameters: { fillfactor: 90 } }, ...closed },
  };
}

function levelInputs(level: Level, depth: number): Properties {
  const columns = columnsOf(level, depth);
  const [{ name: column, type } = { name: "", type: "" }] = columns;
  if (level.strategy === "range") return rangeInputs(level, column);
  if (level.strategy === "hash") {
    const hash = { columns: columns.map(({ name }) => name), partitions: level.partitions };
    return defined({ partitionBy: { hash }, naming: pick(HASH_NAMES, level.naming) });
  }
  return defined({
    partitionBy: { list: { column, type, values: groupsOf(level) } },
    naming: pick(LIST_NAMES, level.naming),
    defaultPartition: level.fallback,
  });
}

function groupsOf({ groups }: ListLevel): Record<string, (string | null)[]> {
  const lists = GROUPS.map((name, group): [string, (string | null)[]] => [
    name,
    WORDS.filter((_, at) => groups[at] === group),
  ]);
  return Object.fromEntries(lists.filter(([, values]) => values.length > 0));
}

function rangeInputs(level: RangeLevel, column: string): Properties {
  const { type, epoch, timezone, every, moment, detached, dropped, naming } = keyOf(level);
  const rules = [
    level.detached === undefined ? [] : [{ after: pick(detached, level.detached), tier: "detached" }],
    level.dropped === undefined ? [] : [{ after: pick(dropped, level.dropped), tier: "dropped" }],
  ].flat();
  const { change, pin } = level;
  const changes = change && [{ from: moment(change.from), every: pick(every, change.every) }];
  return defined({
    partitionBy: {
      range: defined({ column, type, epoch, timezone, every: pick(every, level.every), ...shiftOf(level), changes }),
    },
    window: { from: moment(level.from), ahead: level.ahead },
    asOf: moment(level.asOf),
    lifecycle: rules,
    pins: pin === undefined ? [] : [{ from: moment(pin), to: moment(pin + 30) }],
    naming: pick(naming, level.naming),
    defaultPartition: level.fallback,
  });
}

/** `anchor` or `offset`, where the interval has one. */
function shiftOf(level: RangeLevel): Properties {
  const { every, shift } = keyOf(level);
  const shifted = level.shifted ? shift[String(pick(every, level.every))] : undefined;
  return shifted ?? {};
}

function defined(properties: Properties): Properties {
  return Object.fromEntries(Object.entries(properties).filter(([, value]) => value !== undefined));
}
