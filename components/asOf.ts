/** The period that a moment falls into, written as short as it can be, so that `asOf` changes once a period. */
import { Temporal } from "temporal-polyfill";
import type { RangeBy } from "../resources";

const monthText = (date: Temporal.PlainDate, months: number): string => {
  const first = date.month - ((date.month - 1) % months);
  return date.with({ month: first }).toPlainYearMonth().toString();
};

const PERIODS: { matches: RegExp; text: (now: Temporal.ZonedDateTime) => string }[] = [
  {
    matches: /hour/i,
    text: (now) => now.round({ smallestUnit: "hour", roundingMode: "floor" }).toString({ timeZoneName: "never" }),
  },
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
 * Undefined for steps of numbers, whose `asOf` only the program can know.
 */
export function currentPeriod({ every, changes, timezone }: RangeBy, now: Date): string | undefined {
  const zoned = Temporal.Instant.fromEpochMilliseconds(now.getTime()).toZonedDateTimeISO(timezone ?? "UTC");
  const today = zoned.toPlainDate().toString();
  const changed = changes?.findLast(({ from }) => typeof from === "string" && from.slice(0, today.length) <= today);
  const interval = changed?.every ?? every;
  if (typeof interval !== "string") return undefined;
  const text = PERIODS.find(({ matches }) => matches.test(interval))?.text(zoned);
  // The period that a change cuts begins at the change: an earlier date would name the one before.
  const begin = changed === undefined ? undefined : String(changed.from);
  return text !== undefined && begin !== undefined && text < begin ? begin : text;
}
