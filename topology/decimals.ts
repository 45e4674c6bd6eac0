/** Exact decimal numbers and their text as `numeric` prints it. */
import { ValueError } from "./values";

/** `units / 10 ** scale`; the scale is the number of digits after the point, as PostgreSQL's display scale is. */
export interface Decimal {
  units: bigint;
  /** 0 or above. */
  scale: number;
}

/** What `numeric(precision, scale)` allows; a scale below 0 rounds to tens, hundreds and so on. */
export interface Digits {
  precision: number;
  scale: number;
}

const DECIMAL = /^([+-]?)(\d*)\.?(\d*)(?:e([+-]?\d+))?$/i;

/** An exponent beyond this stands for a mistake, not for a bound. */
const MOST_DIGITS = 1000;

/** Reads a decimal, with or without an exponent. Throws ValueError for anything else. */
export function parseDecimal(text: string): Decimal {
  const [, sign, whole = "", fraction = "", power = "0"] = DECIMAL.exec(text) ?? [];
  const exponent = Number(power);
  if (sign === undefined || whole + fraction === "" || Math.abs(exponent) > MOST_DIGITS)
    throw new ValueError(`${JSON.stringify(text)} is not a number`);
  const units = BigInt(`${sign === "-" ? "-" : ""}${whole}${fraction}`);
  const scale = fraction.length - exponent;
  return scale < 0 ? { units: units * 10n ** BigInt(-scale), scale: 0 } : { units, scale };
}

/** The text that PostgreSQL prints. */
export function decimalText({ units, scale }: Decimal): string {
  const digits = (units < 0n ? -units : units).toString().padStart(scale + 1, "0");
  const sign = units < 0n ? "-" : "";
  return scale === 0 ? `${sign}${digits}` : `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

/** The same number counted in units of another scale; undefined when that would round it. */
export function unitsAt({ units, scale }: Decimal, wanted: number): bigint | undefined {
  if (wanted >= scale) return units * 10n ** BigInt(wanted - scale);
  const factor = 10n ** BigInt(scale - wanted);
  return units % factor === 0n ? units / factor : undefined;
}

/** Both numbers counted in units of the same scale. */
function aligned(a: Decimal, b: Decimal): [bigint, bigint, number] {
  const scale = Math.max(a.scale, b.scale);
  return [unitsAt(a, scale) ?? 0n, unitsAt(b, scale) ?? 0n, scale];
}

export function compareDecimals(a: Decimal, b: Decimal): number {
  const [left, right] = aligned(a, b);
  return left < right ? -1 : left > right ? 1 : 0;
}

export function subtract(a: Decimal, b: Decimal): Decimal {
  const [left, right, scale] = aligned(a, b);
  return { units: left - right, scale };
}

/** `base + step * count`. */
export function stepped(base: Decimal, step: Decimal, count: number): Decimal {
  const [start, width, scale] = aligned(base, step);
  return { units: start + width * BigInt(count), scale };
}

/** How many whole steps fit between, rounded down, below zero too. */
export function stepsBetween(base: Decimal, value: Decimal, step: Decimal): bigint {
  const distance = subtract(value, base);
  const [length, width] = aligned(distance, step);
  return length / width - (length % width < 0n ? 1n : 0n);
}

/** Without zeros at the end of the fraction. */
export function shortest({ units, scale }: Decimal): Decimal {
  let [rest, digits] = [units, scale];
  for (; digits > 0 && rest % 10n === 0n; digits--) rest /= 10n;
  return { units: rest, scale: digits };
}

/** The modifiers of `numeric(12,2)` or `decimal(12)`; undefined when the type keeps every digit. */
export function digitsOf(type: string): Digits | undefined {
  const match = /^[^()]*\(\s*(\d+)\s*(?:,\s*(-?\d+)\s*)?\)/.exec(type);
  return match === null ? undefined : { precision: Number(match[1]), scale: Number(match[2] ?? 0) };
}

/**
 * The number as a column of the type holds it: with exactly its digits after the point. PostgreSQL would round silently,
 * so a number that it would have to round is refused.
 */
export function fitted(value: Decimal, digits: Digits | undefined): Decimal {
  if (digits === undefined) return value;
  const { precision, scale } = digits;
  const type = `numeric(${precision},${scale})`;
  const least = scale < 0 ? unitsAt(shortest(value), scale) : unitsAt(value, scale);
  if (least === undefined) throw new ValueError(`${decimalText(value)} would be rounded by ${type}`);
  if (least >= 10n ** BigInt(precision) || -least >= 10n ** BigInt(precision))
    throw new ValueError(`${decimalText(value)} does not fit into ${type}; use MINVALUE or MAXVALUE at the ends`);
  return scale < 0 ? { units: least * 10n ** BigInt(-scale), scale: 0 } : { units: least, scale };
}
