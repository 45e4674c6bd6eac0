/** Names of partitions: templates with placeholders, the defaults, and pg_partman's own patterns. */
import { Temporal } from "temporal-polyfill";
import type { CalendarUnit, Grid } from "./grid";
import type { ClockReading } from "./intervals";
import type { Strategy } from "./model";
import { type Period, type Stretches, wallOf } from "./stretches";
import { nearest, ValueError } from "./values";

/** PostgreSQL cuts longer identifiers silently (NAMEDATALEN - 1, in bytes of UTF-8). */
export const MAX_NAME_BYTES = 63;

/** Templates of one set: for its partitions and for its DEFAULT partition. */
export interface Naming {
  partitions: string;
  default: string;
}

/** What the names of a set are made of; decides which placeholders there are. */
export interface NameSource {
  strategy: Strategy;
  /** Of a RANGE policy with periods. */
  stretches?: readonly { grid: Grid }[];
}

/** What is known about one partition when it is named. */
export type NameParts = { period: Period } | { value: string } | { remainder: number } | { default: true };

const pad = (value: number | undefined, digits: number): string => String(value ?? 0).padStart(digits, "0");

const dateOf = ({ year, month, day }: ClockReading) => new Temporal.PlainDate(year, month, day);

const CALENDAR: Record<string, (wall: ClockReading) => string> = {
  yyyy: (wall) => pad(wall.year, 4),
  mm: (wall) => pad(wall.month, 2),
  dd: (wall) => pad(wall.day, 2),
  hh: (wall) => pad(wall.hour, 2),
  q: (wall) => String(Math.ceil(wall.month / 3)),
  iyyy: (wall) => pad(dateOf(wall).yearOfWeek, 4),
  iw: (wall) => pad(dateOf(wall).weekOfYear, 2),
};

const DEFAULT_BY_UNIT: Record<CalendarUnit, string> = {
  hour: "{table}_{yyyy}_{mm}_{dd}_{hh}",
  day: "{table}_{yyyy}_{mm}_{dd}",
  week: "{table}_{iyyy}_w{iw}",
  month: "{table}_{yyyy}_{mm}",
  quarter: "{table}_{yyyy}_q{q}",
  year: "{table}_{yyyy}",
};

/** pg_partman 4: `weekly`, `quarterly` and the other special intervals by their own patterns. */
const PARTMAN4_BY_UNIT: Record<CalendarUnit, string> = {
  hour: "{table}_p{yyyy}_{mm}_{dd}_{hh}00",
  day: "{table}_p{yyyy}_{mm}_{dd}",
  week: "{table}_p{iyyy}w{iw}",
  month: "{table}_p{yyyy}_{mm}",
  quarter: "{table}_p{yyyy}q{q}",
  year: "{table}_p{yyyy}",
};

/** pg_partman 4 names a multiple of weeks or quarters by the days or months it consists of. */
const PARTMAN4_MULTIPLES: Partial<Record<CalendarUnit, CalendarUnit>> = { week: "day", quarter: "month" };

const PRESETS: Record<string, (grid: Grid) => string> = {
  pg_partman4: (grid) => {
    if (grid.kind === "numeric") return "{table}_p{from}";
    const unit = grid.count === 1 ? grid.unit : (PARTMAN4_MULTIPLES[grid.unit] ?? grid.unit);
    return PARTMAN4_BY_UNIT[unit];
  },
  pg_partman5: (grid) => {
    if (grid.kind === "numeric") return "{table}_p{from}";
    return grid.unit === "hour" ? "{table}_p{yyyy}{mm}{dd}_{hh}0000" : "{table}_p{yyyy}{mm}{dd}";
  },
};

const DEFAULT_NAME = "{table}_default";

/** The template that applies when none is declared. */
function defaultTemplate(source: NameSource): string {
  if (source.strategy === "hash") return "{table}_p{n}";
  if (source.strategy === "list") return "{table}_{value}";
  const grid = gridOf(source);
  return grid?.kind === "calendar" ? DEFAULT_BY_UNIT[grid.unit] : "{table}_{from}";
}

function gridOf({ stretches }: NameSource): Grid | undefined {
  return stretches?.[0]?.grid;
}

/** True for the word that stands for a template of each interval. */
export function isPreset(naming: string): boolean {
  return Object.hasOwn(PRESETS, naming);
}

/** Fills in defaults and presets. Throws ValueError for a preset that has no names for the strategy. */
export function resolveNaming(declared: string | Partial<Naming> | undefined, source: NameSource): Naming {
  const template = typeof declared === "string" ? declared : declared?.partitions;
  const defaults = typeof declared === "object" ? declared.default : undefined;
  return {
    partitions: template === undefined ? defaultTemplate(source) : presetOr(template, source),
    default: defaults ?? DEFAULT_NAME,
  };
}

function presetOr(template: string, source: NameSource): string {
  const preset = Object.hasOwn(PRESETS, template) ? PRESETS[template] : undefined;
  if (preset === undefined) return template;
  const grid = gridOf(source);
  if (grid === undefined)
    throw new ValueError(`the preset ${template} names the periods of a RANGE policy; there are none here`);
  return preset(grid);
}

/** Placeholders that a template of this set may use. */
export function placeholdersOf(source: NameSource): string[] {
  if (source.strategy === "hash") return ["table", "n"];
  if (source.strategy === "list") return ["table", "value"];
  if (gridOf(source)?.kind === "calendar") return ["table", ...Object.keys(CALENDAR)];
  return ["table", "from", "n"];
}

/** A template taken apart: literal text and placeholders in turn. */
export interface Template {
  text: string;
  parts: { literal?: string; placeholder?: string }[];
}

/** Reads a template. Throws ValueError for a brace that is not part of an allowed placeholder. */
export function parseTemplate(text: string, allowed: readonly string[]): Template {
  const rule = `the placeholders here are ${allowed.map((name) => `{${name}}`).join(", ")}`;
  if (text === "") throw new ValueError("a naming template must not be empty");
  const parts = text.split(/(\{[^{}]*\})/).flatMap((part): Template["parts"] => {
    if (part === "") return [];
    const placeholder = /^\{(.*)\}$/.exec(part)?.[1];
    if (placeholder === undefined) {
      if (/[{}]/.test(part)) throw new ValueError(`${JSON.stringify(text)} has a brace without its partner; ${rule}`);
      return [{ literal: part }];
    }
    if (!allowed.includes(placeholder)) {
      const near = nearest(placeholder, allowed);
      throw new ValueError(`{${placeholder}} is not known${near ? ` (did you mean {${near}}?)` : ""}; ${rule}`);
    }
    return [{ placeholder }];
  });
  return { text, parts };
}

/** Renders a template for one partition of `table`. Placeholders of the calendar are those of the policy's local time. */
export function render(template: Template, table: string, parts: NameParts, stretches: Stretches = []): string {
  const wall = "period" in parts ? wallOf(stretches, parts.period) : undefined;
  const fixed: Record<string, string | number | undefined> = {
    table,
    value: "value" in parts ? parts.value : undefined,
    n: "remainder" in parts ? parts.remainder : "period" in parts ? parts.period.number : undefined,
    from: "period" in parts ? parts.period.from : undefined,
  };
  return template.parts
    .map(({ literal, placeholder }) => {
      if (placeholder === undefined) return literal ?? "";
      const calendar = wall === undefined ? undefined : CALENDAR[placeholder];
      return calendar !== undefined && wall !== undefined ? calendar(wall) : String(fixed[placeholder] ?? "");
    })
    .join("");
}

/** Why a name cannot be that of a table, or undefined. */
export function nameProblem(name: string): string | undefined {
  if (name === "") return "the name must not be empty";
  if (name.includes("\0")) return "a name must not contain the character NUL";
  if (name === "__proto__") return 'the name "__proto__" cannot be a key of properties: they lose it on their way';
  const bytes = Buffer.byteLength(name);
  if (bytes <= MAX_NAME_BYTES) return undefined;
  return `the name ${JSON.stringify(name)} has ${bytes} bytes; PostgreSQL would cut it at ${MAX_NAME_BYTES}`;
}

/** Name of a strategy as PostgreSQL writes it. */
export function strategyWord(strategy: Strategy): string {
  return strategy.toUpperCase();
}
