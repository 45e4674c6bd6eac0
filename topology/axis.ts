/**
 * The two ways of writing a place in a key's range. A *moment* is what people read and what periods are counted in: a
 * date, an instant, or a number. A *key* is canonical text of the key's own type, which bounds are made of. They differ
 * where a uuid v7 or a count of seconds holds an instant; its moment is then written as a timestamptz.
 */
import { compareDecimals, type Decimal, decimalText, fitted, parseDecimal, shortest } from "./decimals";
import type { Axis, MomentAxis, MomentType, NumberAxis } from "./grid";
import { canonicalValue, integerText, isMomentType } from "./keys";
import { beginText, epochMicros, instantText, momentText } from "./time";
import { attempt, compareText, ValueError } from "./values";

/** The type as which moments of the axis are written. */
export function momentType({ type }: MomentAxis): MomentType {
  return type === "date" || type === "timestamp" ? type : "timestamptz";
}

/** A moment or number as people write it (`asOf`, `window.from`, pins), as canonical text. Throws ValueError. */
export function momentOf(axis: Axis, value: string | number): string {
  if (axis.kind === "numeric") return numberOf(axis, value);
  return momentText(momentType(axis), String(value), axis.timezone);
}

/** The moment at which something begins: refused when the key could not hold it exactly. Throws ValueError. */
export function beginningOf(axis: Axis, value: string | number): string {
  if (axis.kind === "numeric") return numberOf(axis, value);
  const moment = beginText(momentType(axis), String(value), axis.timezone);
  keyOf(axis, moment);
  return moment;
}

function numberOf({ type, digits }: NumberAxis, value: string | number): string {
  const canonical = canonicalValue(type, value, "UTC");
  return type === "numeric" ? decimalText(shortest(fitted(finite(canonical), digits))) : canonical;
}

function finite(text: string): Decimal {
  const number = attempt(() => parseDecimal(text));
  if ("value" in number) return number.value;
  throw new ValueError(`${JSON.stringify(text)} is not a finite number`);
}

/** Order of two moments. */
export function orderOf(axis: Axis): (a: string, b: string) => number {
  // Canonical texts of years 0001 to 9999 sort as the moments do.
  return axis.kind === "calendar" ? compareText : (a, b) => compareDecimals(parseDecimal(a), parseDecimal(b));
}

/** Canonical text of a number in the key's type. Throws ValueError when the type cannot hold it exactly. */
export function numberText({ type, digits }: Pick<NumberAxis, "type" | "digits">, value: Decimal): string {
  const short = shortest(value);
  return type === "numeric" ? decimalText(fitted(short, digits)) : integerText(type, decimalText(short));
}

/** Canonical text of the key at a moment. Throws ValueError when the key's type cannot hold it. */
export function keyOf(axis: Axis, moment: string): string {
  if (axis.kind === "numeric") return numberText(axis, parseDecimal(moment));
  const { type, epoch } = axis;
  if (type === "uuid") return leastUuid(moment);
  if (isMomentType(type)) return moment;
  const micros = { units: epochMicros(moment), scale: 6 };
  return numberText({ ...axis, type }, epoch === "milliseconds" ? { ...micros, scale: 3 } : micros);
}

/** A declared bound, which may be written as a date where keys hold instants in a form that people cannot read. */
export function keyOfDate<T>(axis: Axis | undefined, value: T): T | string {
  if (axis?.kind !== "calendar" || isMomentType(axis.type)) return value;
  return typeof value === "string" && /^\d{4}-\d{2}(-\d{2}|$)/.test(value)
    ? keyOf(axis, beginningOf(axis, value))
    : value;
}

/** The least uuid v7 of an instant: its milliseconds in 48 bits, then zeros. */
function leastUuid(moment: string): string {
  const micros = epochMicros(moment);
  if (micros < 0n) throw new ValueError(`${moment} lies before 1970, where the times of uuid v7 begin`);
  if (micros % 1000n !== 0n) throw new ValueError(`${moment} lies between two milliseconds, which a uuid v7 counts`);
  const time = (micros / 1000n).toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-0000-0000-000000000000`;
}

/** Bounds of the catalog may also be MINVALUE, infinity, or a year that no period reaches. */
const REACHABLE = /^\d{4}-\d{2}-\d{2}(?!.*BC)/;

/** The moment of a key in canonical text, rounded down where keys are finer; undefined when no period reaches it. */
export function momentOfKey(axis: Axis, key: string): string | undefined {
  const moment = attempt(() => decoded(axis, key));
  return "value" in moment ? moment.value : undefined;
}

function decoded(axis: Axis, key: string): string | undefined {
  if (axis.kind === "numeric") return decimalText(shortest(parseDecimal(key)));
  const { type, epoch } = axis;
  if (type === "uuid") {
    const time = /^([0-9a-f]{8})-([0-9a-f]{4})-/.exec(key);
    return time === null ? undefined : instantText(BigInt(`0x${time[1]}${time[2]}`) * 1000n);
  }
  if (isMomentType(type)) return REACHABLE.test(key) ? key : undefined;
  const { units, scale } = parseDecimal(key);
  const finer = scale - (epoch === "milliseconds" ? 3 : 6);
  const factor = 10n ** BigInt(Math.abs(finer));
  return instantText(finer < 0 ? units * factor : floorDivide(units, factor));
}

function floorDivide(a: bigint, b: bigint): bigint {
  return a / b - (a % b < 0n ? 1n : 0n);
}
