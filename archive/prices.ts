/** Reads declared prices. Pure. */
import { map, object, optional, type Reader, type Report, required, scalar, text } from "../topology/policy/reader";
import type { ClassPrices, Prices } from "./cost";

const amount = scalar(
  "a number of at least 0",
  (value): value is number => typeof value === "number" && Number.isFinite(value) && value >= 0,
);

const classPrices = object<ClassPrices>({
  gbMonth: optional(amount),
  retrievalGb: optional(amount),
  thousandReads: optional(amount),
  minimumDays: optional(amount),
  minimumBytes: optional(amount),
}) as Reader<ClassPrices>;

const prices = object<{ currency: string; databaseGbMonth: number; classes: Map<string, ClassPrices> }>({
  currency: optional(text),
  databaseGbMonth: optional(amount),
  classes: required(map(classPrices)),
});

/** @throws RangeError with everything that is wrong. */
export function parsePrices(json: unknown): Prices {
  const report: Report = { failures: [], unknown: [] };
  const read = prices(json, "", report);
  if (read === undefined || report.failures.length > 0) {
    const wrong = report.failures.map(({ property, reason }) => `${property} ${reason}`.trim());
    throw new RangeError(`The prices are none: ${wrong.join("; ")}.`);
  }
  const { classes = new Map(), ...rest } = read;
  return { ...rest, classes: Object.fromEntries(classes) };
}
