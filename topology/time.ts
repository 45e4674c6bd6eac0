/**
 * Dates and instants as canonical text (what PostgreSQL prints with `TimeZone = 'UTC'` and `DateStyle = 'ISO'`), and the
 * way between that text and a wall clock. Years 0001 to 9999 only: within them canonical texts sort as the moments do.
 */
import { Temporal } from "temporal-polyfill";
import type { MomentType } from "./grid";
import { ValueError } from "./values";

const MOMENT =
  /^(\d{4})(?:-(\d{2})(?:-(\d{2})(?:[ T](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,6}))?)?\s?(Z|UTC|[+-]\d{2}(?::?\d{2})?)?)?)?)?$/i;

interface Moment {
  wall: Temporal.PlainDateTime;
  /** UTC offset as ISO text (`+05:30`), if one was written. */
  offset?: string;
  precision: "year" | "month" | "day" | "time";
}

function parse(text: string): Moment {
  const match = MOMENT.exec(text);
  if (match === null)
    throw new ValueError(
      `${JSON.stringify(text)} is not a date: write YYYY-MM-DD, YYYY-MM, YYYY or an ISO instant such as 2026-11-01T00:00:00Z ` +
        "(years 0001 to 9999, at most microseconds)",
    );
  const [, year, month, day, hour, minute, second, fraction, zone] = match;
  const iso = `${year}-${month ?? "01"}-${day ?? "01"}T${hour ?? "00"}:${minute ?? "00"}:${second ?? "00"}.${fraction ?? "0"}`;
  if (year === "0000" || second === "60") throw new ValueError(`${JSON.stringify(text)} does not exist in PostgreSQL`);
  try {
    return {
      wall: Temporal.PlainDateTime.from(iso, { overflow: "reject" }),
      offset: zone === undefined ? undefined : isoOffset(zone),
      precision: precisionOf(month, day, hour),
    };
  } catch {
    throw new ValueError(`${JSON.stringify(text)} is not a date of the calendar`);
  }
}

function precisionOf(month?: string, day?: string, hour?: string): Moment["precision"] {
  if (month === undefined) return "year";
  if (day === undefined) return "month";
  return hour === undefined ? "day" : "time";
}

function isoOffset(zone: string): string {
  if (/^(z|utc)$/i.test(zone)) return "+00:00";
  const digits = zone.slice(1).replace(":", "").padEnd(4, "0");
  return `${zone[0]}${digits.slice(0, 2)}:${digits.slice(2)}`;
}

function pad(value: number, digits: number): string {
  return String(value).padStart(digits, "0");
}

/** Canonical text of a wall clock reading, without a zone (for timestamptz: of the reading in UTC). */
function wallText(type: MomentType, wall: Temporal.PlainDateTime): string {
  if (wall.year < 1 || wall.year > 9999) throw new ValueError(`the year ${wall.year} is outside 0001 to 9999`);
  const date = `${pad(wall.year, 4)}-${pad(wall.month, 2)}-${pad(wall.day, 2)}`;
  if (type === "date") return date;
  const micros = wall.millisecond * 1000 + wall.microsecond;
  const fraction = micros === 0 ? "" : `.${pad(micros, 6).replace(/0+$/, "")}`;
  const time = `${pad(wall.hour, 2)}:${pad(wall.minute, 2)}:${pad(wall.second, 2)}${fraction}`;
  return `${date} ${time}${type === "timestamptz" ? "+00" : ""}`;
}

/** The same for a reading in whole hours that `Date` counts in UTC. */
export function clockText(type: MomentType, reading: Date): string {
  const year = reading.getUTCFullYear();
  if (year < 1 || year > 9999) throw new ValueError(`the year ${year} is outside 0001 to 9999`);
  const iso = reading.toISOString();
  const date = iso.slice(0, "0001-01-01".length);
  if (type === "date") return date;
  return `${date} ${iso.slice("0001-01-01T".length, "0001-01-01T00:00:00".length)}${type === "timestamptz" ? "+00" : ""}`;
}

/** True when a wall clock reading is written as it is, whatever the clocks of the zone do. */
export function isZoneless(type: MomentType, timezone: string): boolean {
  return type !== "timestamptz" || timezone === "UTC";
}

/**
 * The first instant at which clocks in `timezone` show `wall` or later, as a UTC wall clock. Readings that a clock change
 * leaves out all stand for the instant of the change, so that later readings never map to earlier instants.
 */
function firstInstant(wall: Temporal.PlainDateTime, timezone: string): Temporal.PlainDateTime {
  if (timezone === "UTC") return wall;
  const zoned = wall.toZonedDateTime(timezone, { disambiguation: "compatible" });
  if (zoned.toPlainDateTime().equals(wall)) return utcWall(zoned);
  const before = wall.toZonedDateTime(timezone, { disambiguation: "earlier" });
  return utcWall(before.getTimeZoneTransition("next") ?? zoned);
}

function utcWall(zoned: Temporal.ZonedDateTime): Temporal.PlainDateTime {
  return zoned.withTimeZone("UTC").toPlainDateTime();
}

/** Canonical text of the wall clock reading `wall` in `timezone` (which only timestamptz heeds). */
export function localText(type: MomentType, wall: Temporal.PlainDateTime, timezone: string): string {
  return wallText(type, type === "timestamptz" ? firstInstant(wall, timezone) : wall);
}

/** The wall clock reading of canonical text, for timestamptz in `timezone`. */
export function localWall(type: MomentType, canonical: string, timezone: string): Temporal.PlainDateTime {
  const wall = parse(canonical).wall;
  if (isZoneless(type, timezone)) return wall;
  return wall.toZonedDateTime("UTC").withTimeZone(timezone).toPlainDateTime();
}

/**
 * A moment as people write it (`asOf`, `window.from`, pins): a month or a year stands for its first day, a day for its midnight
 * in `timezone`; an instant with an offset is read in UTC by the key types that have no zone.
 */
export function momentText(type: MomentType, text: string, timezone: string): string {
  const { wall, offset } = parse(text);
  if (offset === undefined) return localText(type, wall, timezone);
  return wallText(type, shiftToUtc(wall, offset));
}

/** A declared bound: as exact as PostgreSQL takes it, so nothing is cut off or ignored silently. */
export function boundText(type: MomentType, text: string, timezone: string): string {
  const { wall, offset, precision } = parse(text);
  if (precision === "month" || precision === "year")
    throw new ValueError(`${JSON.stringify(text)} is a ${precision}, not a bound: write its first day`);
  if (type === "date" && precision === "time" && !wall.equals(wall.withPlainTime()))
    throw new ValueError(`${JSON.stringify(text)} has a time of day, which a date key would drop`);
  if (type !== "timestamptz" && offset !== undefined)
    throw new ValueError(`${JSON.stringify(text)} has a UTC offset, which a ${type} key would ignore`);
  return offset === undefined ? localText(type, wall, timezone) : wallText(type, shiftToUtc(wall, offset));
}

function shiftToUtc(wall: Temporal.PlainDateTime, offset: string): Temporal.PlainDateTime {
  return wall.toZonedDateTime(offset).withTimeZone("UTC").toPlainDateTime();
}

/** Where something begins: a bound, for which a month or a year stands for its first day. */
export function beginText(type: MomentType, text: string, timezone: string): string {
  const firstDay = { 4: `${text}-01-01`, 7: `${text}-01` }[text.length];
  return boundText(type, firstDay ?? text, timezone);
}

/** Microseconds since 1970 of an instant in canonical text of timestamptz. */
export function epochMicros(canonical: string): bigint {
  return parse(canonical).wall.toZonedDateTime("UTC").epochNanoseconds / 1000n;
}

const FIRST_INSTANT = epochMicros("0001-01-01 00:00:00+00");
const LAST_INSTANT = epochMicros("9999-12-31 23:59:59.999999+00");

/** The instant so many microseconds after 1970 as canonical text of timestamptz. */
export function instantText(micros: bigint): string {
  if (micros < FIRST_INSTANT || micros > LAST_INSTANT)
    throw new ValueError("the instant lies outside the years 0001 to 9999");
  const zoned = Temporal.Instant.fromEpochNanoseconds(micros * 1000n).toZonedDateTimeISO("UTC");
  return wallText("timestamptz", zoned.toPlainDateTime());
}

/** The zone's name as the IANA database spells it. Offsets are refused: PostgreSQL reads their sign the other way round. */
export function zoneName(timezone: string): string {
  const reason = `${JSON.stringify(timezone)} is not a time zone: write an IANA name such as UTC or America/New_York`;
  if (!/^[A-Za-z]/.test(timezone)) throw new ValueError(reason);
  try {
    return Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(timezone).timeZoneId;
  } catch {
    throw new ValueError(reason);
  }
}

/** A date without a time, as `anchor` takes it. */
export function plainDate(text: string): Temporal.PlainDate {
  const { wall, precision } = parse(text);
  if (precision !== "day") throw new ValueError(`${JSON.stringify(text)} is not a date: write YYYY-MM-DD`);
  return wall.toPlainDate();
}
