/** What a RANGE policy steps through: the types of its key, what their values stand for, and the periods. Types only. */
import type { Digits } from "./decimals";

/** Key types that a RANGE policy can step through. Other types can still be declared with explicit `partitions`. */
export type RangeKeyType = MomentType | NumberType | "uuid";

/** Key types whose values are dates or instants. */
export type MomentType = "date" | "timestamp" | "timestamptz";

/** Key types whose values are exact numbers. */
export type NumberType = "smallint" | "integer" | "bigint" | "numeric";

/** What a number that stands for an instant counts since 1970-01-01 00:00 UTC. */
export type Epoch = "seconds" | "milliseconds";

export type CalendarUnit = "hour" | "day" | "week" | "month" | "quarter" | "year";

/**
 * What the values of a key stand for, which decides how people write them and how a bound is spelled: moments (dates, or
 * instants that a uuid v7 or a count of seconds holds), or plain numbers.
 */
export type Axis = MomentAxis | NumberAxis;

export interface MomentAxis {
  kind: "calendar";
  type: MomentType | "uuid" | "integer" | "bigint" | "numeric";
  /** For numbers: what they count. */
  epoch?: Epoch;
  /** Modifiers of a numeric type. */
  digits?: Digits;
  timezone: string;
}

export interface NumberAxis {
  kind: "numeric";
  type: NumberType;
  digits?: Digits;
}

/** The periods of a RANGE policy: calendar steps in a time zone, or numeric steps. */
export type Grid = CalendarGrid | NumericGrid;

export interface CalendarGrid extends MomentAxis {
  unit: CalendarUnit;
  count: number;
  anchor?: string;
}

export interface NumericGrid extends NumberAxis {
  step: string;
  offset: string;
}

/** A part of the key's range that one grid divides: from `from` (absent: from the beginning) to the next stretch. */
export interface Stretch {
  /** A moment (or number) as text of the axis. */
  from?: string;
  grid: Grid;
}
