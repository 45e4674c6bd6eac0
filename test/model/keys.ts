/** The kinds of partition keys that the model declares, and what the rows of its tables have in them. */

/** Places on a key are whole numbers: days since 2026-01-01, or plain numbers. */
export type Place = number;

/** A row's place on one key, with a shift that matters where values are finer than a day. */
export interface At {
  place: Place;
  fine: number;
}

export interface RangeKey {
  type: string;
  epoch?: "seconds" | "milliseconds";
  timezone?: string;
  /** Lengths of periods. */
  every: readonly (string | number)[];
  /** What can be declared besides an interval for periods that begin elsewhere. */
  shift: Readonly<Record<string, { anchor?: string; offset?: number }>>;
  detached: readonly (string | number)[];
  dropped: readonly (string | number)[];
  naming: readonly (string | undefined)[];
  /** What begins with a place, as programs write it. */
  moment(place: Place): string | number;
  /** As a literal of the key's type. */
  value(at: At): string;
}

const DAY = 86_400_000;
const START = Date.UTC(2026, 0, 1);

/** Borders of days in several zones, and the last moment before them. */
const FINE = [0, -1000, 0.5 * DAY, DAY / 4.8, DAY / 4.8 - 1000, DAY / 6, -5.5 * 3_600_000, -1].map(Math.round);

const instant = ({ place, fine }: At): number => START + place * DAY + (FINE[fine % FINE.length] ?? 0);
const day = (place: Place): string => new Date(START + place * DAY).toISOString().slice(0, 10);

const CALENDAR = {
  every: ["month", "week", "10 days", "quarter", "2 weeks", "2 months"],
  shift: {
    "10 days": { anchor: "2026-01-04" },
    quarter: { anchor: "2026-02-01" },
    "2 weeks": { anchor: "2026-01-12" },
    "2 months": { anchor: "2025-12-01" },
  },
  detached: ["0 days", "3 weeks", "1 month"],
  dropped: ["5 weeks", "2 months", "10 weeks"],
  naming: [undefined, "{table}_{yyyy}{mm}{dd}", "pg_partman4", "pg_partman5"],
  moment: day,
} as const;

const NUMBERS = {
  every: [10, 5, 20, 15],
  shift: { 10: { offset: 3 }, 5: { offset: -1 }, 20: { offset: 7 } },
  detached: [0, 12, 20],
  dropped: [25, 40, 60],
  naming: [undefined, "{table}_n{from}", "pg_partman5"],
  moment: (place: Place) => place,
} as const;

/** An id of version 7 with zeros or ones after its time. */
function uuidOf(at: At): string {
  const hex = Math.max(0, instant(at)).toString(16).padStart(12, "0");
  const tail = at.place % 2 === 0 ? "7000-8000-000000000000" : "7fff-bfff-ffffffffffff";
  return `${hex.slice(0, 8)}-${hex.slice(8)}-${tail}`;
}

const zoned = (timezone: string): RangeKey => ({
  ...CALENDAR,
  type: "timestamptz",
  timezone,
  value: (at) => new Date(instant(at)).toISOString(),
});

/** RANGE keys by the word that a counterexample shows. */
export const RANGE_KEYS: Readonly<Record<string, RangeKey>> = {
  date: { ...CALENDAR, type: "date", value: ({ place }) => day(place) },
  timestamp: { ...CALENDAR, type: "timestamp", value: (at) => new Date(instant(at)).toISOString().slice(0, -1) },
  utc: zoned("UTC"),
  newYork: zoned("America/New_York"),
  kolkata: zoned("Asia/Kolkata"),
  uuid: { ...CALENDAR, type: "uuid", timezone: "America/New_York", value: uuidOf },
  seconds: { ...CALENDAR, type: "integer", epoch: "seconds", value: (at) => String(Math.floor(instant(at) / 1000)) },
  milliseconds: { ...CALENDAR, type: "bigint", epoch: "milliseconds", value: (at) => String(instant(at)) },
  smallint: { ...NUMBERS, type: "smallint", value: ({ place }) => String(place) },
  bigint: { ...NUMBERS, type: "bigint", value: ({ place }) => String(place) },
  numeric: { ...NUMBERS, type: "numeric(8,2)", value: ({ place, fine }) => `${place}.${fine % 2 === 0 ? "00" : "99"}` },
};

/** Values of LIST keys; the last one is NULL. */
export const WORDS: readonly (string | null)[] = ["de", "fr", "it's", "US", "jp", null];

/** The value of a row in a LIST key. */
export const wordAt = ({ place }: At): string | null => WORDS[Math.abs(place) % WORDS.length] ?? null;
