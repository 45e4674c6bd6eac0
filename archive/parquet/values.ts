/**
 * Values between PostgreSQL's text and Parquet's physical types. Both ways are written apart, and a file is proven by the
 * text that its values have: a mistake in one of them is a difference, not a wrong value.
 */
import type { SchemaElement } from "hyparquet";
import { ArchiveError } from "../../postgres/errors";
import type { ParquetColumn, ParquetKind } from "../../topology/parquet";

export type PhysicalValue = boolean | number | bigint | string | Uint8Array;

/** How the values of a column are stored. */
export interface ValueCodec {
  /** @throws ValueRefused: Parquet cannot hold it. */
  toPhysical(text: Buffer): PhysicalValue;
  /** The text of a value as a reader of Parquet gives it, without logical types. */
  toText(value: unknown): Buffer | string;
  /** The one text among those that mean the same value. Default: the text as it is. */
  canonical?(text: Buffer): Buffer | string;
}

/** Why a value of PostgreSQL has no place in Parquet. */
export class ValueRefused extends ArchiveError {}

/** Of a decimal that is no 64-bit number: 38 digits and a sign. */
const DECIMAL_BYTES = 16;

const LONGEST_SHOWN = 40;

function refuse(text: Buffer, reason: string): never {
  const shown = text.length > LONGEST_SHOWN ? `${text.toString("latin1", 0, LONGEST_SHOWN)}…` : text.toString("latin1");
  throw new ValueRefused(`${shown}: ${reason}`);
}

// What a hash is made of must not depend on how a program spells a NaN.
const NOT_A_NUMBER = "NaN";

const floats = (rounded: (value: number) => number): ValueCodec => {
  const spell = (value: number) =>
    Number.isNaN(value) ? NOT_A_NUMBER : Object.is(value, -0) ? "-0" : String(rounded(value));
  return {
    toPhysical: (text) => rounded(Number(text.toString("latin1"))),
    toText: (value) => spell(Number(value)),
    canonical: (text) => spell(Number(text.toString("latin1"))),
  };
};

const integers = (physical: (text: string) => number | bigint): ValueCodec => ({
  toPhysical: (text) => physical(text.toString("latin1")),
  toText: String,
});

const DAY_MS = 86_400_000;
const DAY_US = 86_400_000_000n;
const OUT_OF_RANGE = "Parquet's readers know the years 1 to 9999 and no infinity";

/** Days since 1970, by the calendar that PostgreSQL uses for all times. Date.UTC takes the years before 100 for others. */
function daysOf(year: number, month: number, day: number): number {
  const shifted = month > 2 ? year : year - 1;
  const era = Math.floor(shifted / 400);
  const ofEra = shifted - era * 400;
  const ofYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  return era * 146_097 + ofEra * 365 + Math.floor(ofEra / 4) - Math.floor(ofEra / 100) + ofYear - 719_468;
}

const DATE = /^(\d{4})-(\d\d)-(\d\d)$/;

const dates: ValueCodec = {
  toPhysical(text) {
    const found = DATE.exec(text.toString("latin1"));
    if (found === null) return refuse(text, OUT_OF_RANGE);
    const [year = 0, month = 0, day = 0] = found.slice(1).map(Number);
    return daysOf(year, month, day);
  },
  toText: (value) => new Date(Number(value) * DAY_MS).toISOString().slice(0, 10),
};

const TIME = /^(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?(\+00)?$/;

const times = (zone: "" | "+00"): ValueCodec => ({
  toPhysical(text) {
    const found = TIME.exec(text.toString("latin1"));
    if (found === null || (found[8] ?? "") !== zone) return refuse(text, OUT_OF_RANGE);
    const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = found.slice(1, 7).map(Number);
    const seconds = (hour * 60 + minute) * 60 + second;
    return (
      BigInt(daysOf(year, month, day)) * DAY_US + BigInt(seconds) * 1_000_000n + BigInt((found[7] ?? "").padEnd(6, "0"))
    );
  },
  toText(value) {
    const micros = BigInt(value as bigint);
    const rest = Number(((micros % 1_000_000n) + 1_000_000n) % 1_000_000n);
    const [date, time = ""] = new Date(Number((micros - BigInt(rest)) / 1_000n)).toISOString().split("T");
    const fraction = rest === 0 ? "" : `.${String(rest).padStart(6, "0").replace(/0+$/, "")}`;
    return `${date} ${time.slice(0, 8)}${fraction}${zone}`;
  },
});

const NUMBER = /^(-?)(\d+)(?:\.(\d+))?$/;

function decimals({ precision, scale }: { precision: number; scale: number }): ValueCodec {
  const digitsOf = (text: Buffer): string => {
    const found = NUMBER.exec(text.toString("latin1"));
    if (found === null) return refuse(text, "a decimal of Parquet is a finite number");
    const [, sign = "", whole = "", fraction = ""] = found;
    const kept = fraction.slice(0, scale).padEnd(scale, "0");
    const digits = `${whole}${kept}`.replace(/^0+(?=\d)/, "");
    if (/[1-9]/.test(fraction.slice(scale)) || digits.length > precision)
      return refuse(text, `it does not fit into decimal(${precision},${scale})`);
    return sign + digits;
  };
  return {
    toPhysical: (text) => BigInt(digitsOf(text)),
    toText(value) {
      const unscaled =
        value instanceof Uint8Array
          ? BigInt.asIntN(DECIMAL_BYTES * 8, BigInt(`0x${hexOf(value)}`))
          : BigInt(value as bigint);
      const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, "0");
      const point = digits.length - scale;
      return `${unscaled < 0n ? "-" : ""}${digits.slice(0, point)}${scale === 0 ? "" : `.${digits.slice(point)}`}`;
    },
    // 1.5 and 1.50 are one value, of a numeric without a scale.
    canonical(text) {
      const [whole = "", fraction = ""] = text.toString("latin1").split(".");
      return scale === 0 ? whole : `${whole}.${fraction.slice(0, scale).padEnd(scale, "0")}`;
    },
  };
}

const hexOf = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
const BYTES = /^\\x/;

// A byte order mark is a character like any other: it is part of the value.
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const CODECS: Record<Exclude<ParquetKind, "decimal">, ValueCodec> = {
  boolean: { toPhysical: (text) => text[0] === 0x74, toText: (value) => (value === true ? "t" : "f") },
  int16: integers(Number),
  int32: integers(Number),
  int64: integers(BigInt),
  float32: floats(Math.fround),
  float64: floats((value) => value),
  date: dates,
  timestamp: times(""),
  instant: times("+00"),
  bytes: {
    toPhysical: (text) =>
      BYTES.test(text.toString("latin1", 0, 2))
        ? Buffer.from(text.toString("latin1", 2), "hex")
        : refuse(text, "bytea_output has to be hex"),
    toText: (value) => `\\x${hexOf(value as Uint8Array)}`,
  },
  string: {
    toPhysical(text) {
      try {
        return utf8.decode(text);
      } catch {
        return refuse(text, "it is no UTF-8, which texts of Parquet are");
      }
    },
    toText: (value) => {
      const { buffer, byteOffset, byteLength } = value as Uint8Array;
      return Buffer.from(buffer, byteOffset, byteLength);
    },
  },
};

export function codecOf(column: ParquetColumn): ValueCodec {
  return column.kind === "decimal" ? decimals(column) : CODECS[column.kind];
}

/** Decimals up to here are 64-bit numbers. */
const DIGITS_OF_INT64 = 18;

const MICROS = { type: "TIMESTAMP", unit: "MICROS" } as const;

const ELEMENTS: Record<Exclude<ParquetKind, "decimal">, Omit<SchemaElement, "name">> = {
  boolean: { type: "BOOLEAN" },
  // Not its logical type as well: the writer gives that a width of 32 bits, which the format has as a byte (DuckDB refuses it).
  int16: { type: "INT32", converted_type: "INT_16" },
  int32: { type: "INT32" },
  int64: { type: "INT64" },
  float32: { type: "FLOAT" },
  float64: { type: "DOUBLE" },
  date: { type: "INT32", converted_type: "DATE", logical_type: { type: "DATE" } },
  timestamp: { type: "INT64", logical_type: { ...MICROS, isAdjustedToUTC: false } },
  instant: { type: "INT64", converted_type: "TIMESTAMP_MICROS", logical_type: { ...MICROS, isAdjustedToUTC: true } },
  bytes: { type: "BYTE_ARRAY" },
  string: { type: "BYTE_ARRAY", converted_type: "UTF8", logical_type: { type: "STRING" } },
};

/** A column as the schema of a file has it. Every column may hold NULL, since constraints change. */
export function elementOf(column: ParquetColumn): SchemaElement {
  const { name } = column;
  if (column.kind !== "decimal") return { name, repetition_type: "OPTIONAL", ...ELEMENTS[column.kind] };
  const { precision, scale } = column;
  const stored =
    precision <= DIGITS_OF_INT64
      ? ({ type: "INT64" } as const)
      : ({ type: "FIXED_LEN_BYTE_ARRAY", type_length: DECIMAL_BYTES } as const);
  const logical = {
    converted_type: "DECIMAL",
    precision,
    scale,
    logical_type: { type: "DECIMAL", precision, scale },
  } as const;
  return { name, repetition_type: "OPTIONAL", ...stored, ...logical };
}
