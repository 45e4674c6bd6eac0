/** The period that a moment falls into, written as short as it can be, so that `asOf` changes once a period. */
import { Temporal } from "temporal-polyfill";

const monthText = (date: Temporal.PlainDate, months: number): string => {
  const first = date.month - ((date.month - 1) % months);
  return date.with({ month: first }).toPlainYearMonth().toString();
};

const PERIODS: { matches: RegExp; text: (now: Temporal.ZonedDateTime) => string }[] = [
  { matches: /hour/i, text: (now) => `${now.round({ smallestUnit: "hour", roundingMode: "floor" }).toInstant()}` },
  { matches: /day/i, text: (now) => now.toPlainDate().toString() },
  {
    matches: /week/i,
    text: (now) =>
      now
        .toPlainDate()
        .subtract({ days: now.dayOfWeek - 1 })
        .toString(),
  },
  { matches: /month/i, text: (now) => monthText(now.toPlainDate(), 1) },
  { matches: /quarter/i, text: (now) => monthText(now.toPlainDate(), 3) },
  { matches: /year/i, text: (now) => monthText(now.toPlainDate(), 12) },
];

/**
 * `asOf` for a policy that does not name one: the current month for monthly partitions, the Monday for weekly ones.
 * Undefined for intervals without a calendar (integer keys), whose `asOf` only the program can know.
 */
export function currentPeriod(every: string | number | undefined, timezone: string, now: Date): string | undefined {
  if (typeof every !== "string") return undefined;
  const zoned = Temporal.Instant.fromEpochMilliseconds(now.getTime()).toZonedDateTimeISO(timezone);
  return PERIODS.find(({ matches }) => matches.test(every))?.text(zoned);
}
