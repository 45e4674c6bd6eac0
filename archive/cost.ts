/** What an archive costs, what it saves, and what bringing it back would take. Pure: prices are declared, none is known here. */

/** Not 0: nobody has said it. */
export const UNKNOWN_PRICE = "unknown";

export type Amount = number | typeof UNKNOWN_PRICE;

/** Of one storage class; what is absent is unknown. GB are those of the bills, 2^30 bytes. */
export interface ClassPrices {
  /** A month of one GB. */
  gbMonth?: number;
  /** Of one GB that is read. */
  retrievalGb?: number;
  /** Of 1,000 reads. */
  thousandReads?: number;
  /** Days that are paid for whatever is deleted before. */
  minimumDays?: number;
  /** Smaller objects are paid for as if they were so large. */
  minimumBytes?: number;
}

export interface Prices {
  /** For people, such as `USD`. */
  currency?: string;
  /** A month of one GB of the database's volume. */
  databaseGbMonth?: number;
  /** By storage class; `directory` for a store that knows none. */
  classes: Record<string, ClassPrices>;
}

/** Of a store that has no classes. */
export const DIRECTORY = "directory";

/** An object, as a listing tells it. */
export interface PricedObject {
  bytes: number;
  storageClass?: string;
  written?: Date;
}

export interface ClassCost {
  storageClass: string;
  objects: number;
  bytes: number;
  monthly: Amount;
  /** What would still have to be paid if everything were deleted now. */
  early: Amount;
  /** Of reading everything once. */
  restore: Amount;
  /** Until the first byte can be read. */
  restoreTime: string;
}

export interface Cost {
  classes: ClassCost[];
  bytes: number;
  monthly: Amount;
  restore: Amount;
}

/** As AWS documents them; a class that is not here is unknown. */
const RESTORE_TIMES: Record<string, string> = {
  [DIRECTORY]: "at once",
  STANDARD: "at once",
  STANDARD_IA: "at once",
  ONEZONE_IA: "at once",
  REDUCED_REDUNDANCY: "at once",
  EXPRESS_ONEZONE: "at once",
  GLACIER_IR: "at once",
  INTELLIGENT_TIERING: "at once, unless its archive tiers are in use",
  GLACIER: "1 to 5 minutes (expedited), 3 to 5 hours (standard), 5 to 12 hours (bulk)",
  DEEP_ARCHIVE: "12 hours (standard), 48 hours (bulk)",
};

const GB = 2 ** 30;
const DAY_MS = 86_400_000;
/** Of a month, as bills count it. */
const MONTH_DAYS = 30;

/** Sorted by storage class. `now` is what minimum days count to. */
export function costOf(objects: readonly PricedObject[], prices: Prices, now: Date): Cost {
  const classes = new Map<string, PricedObject[]>();
  for (const stored of objects) {
    const { storageClass = DIRECTORY } = stored;
    const others = classes.get(storageClass) ?? [];
    classes.set(storageClass, others);
    others.push(stored);
  }
  const costs = [...classes.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([storageClass, list]) => classCost(storageClass, list, prices.classes[storageClass] ?? {}, now));
  return {
    classes: costs,
    bytes: costs.reduce((sum, { bytes }) => sum + bytes, 0),
    monthly: total(costs.map(({ monthly }) => monthly)),
    restore: total(costs.map(({ restore }) => restore)),
  };
}

function classCost(storageClass: string, list: readonly PricedObject[], prices: ClassPrices, now: Date): ClassCost {
  const { gbMonth, retrievalGb, thousandReads, minimumDays, minimumBytes = 0 } = prices;
  const bytes = list.reduce((sum, one) => sum + one.bytes, 0);
  const paid = list.map((one) => Math.max(one.bytes, minimumBytes) / GB);
  const gbs = paid.reduce((sum, gb) => sum + gb, 0);
  const left = list.map(({ written }) => daysLeft(written, minimumDays, now));
  return {
    storageClass,
    objects: list.length,
    bytes,
    monthly: times(gbMonth, gbs),
    early: total(
      left.map((days, at) =>
        days === undefined ? UNKNOWN_PRICE : times(gbMonth, ((paid[at] ?? 0) * days) / MONTH_DAYS),
      ),
    ),
    restore: total([times(retrievalGb, bytes / GB), times(thousandReads, list.length / 1000)]),
    restoreTime: RESTORE_TIMES[storageClass] ?? "unknown",
  };
}

function daysLeft(written: Date | undefined, minimumDays: number | undefined, now: Date): number | undefined {
  if (minimumDays === undefined) return undefined;
  if (minimumDays === 0) return 0;
  if (written === undefined) return undefined;
  return Math.max(0, minimumDays - (now.getTime() - written.getTime()) / DAY_MS);
}

/** What so many bytes of tables and indexes cost in the database's volume. */
export function volumeCost(bytes: number | undefined, { databaseGbMonth }: Prices): Amount {
  return bytes === undefined ? UNKNOWN_PRICE : times(databaseGbMonth, bytes / GB);
}

/** Nothing of something costs nothing, whatever its price. */
function times(price: number | undefined, quantity: number): Amount {
  if (quantity === 0) return 0;
  return price === undefined ? UNKNOWN_PRICE : price * quantity;
}

export function total(amounts: readonly Amount[]): Amount {
  let sum = 0;
  for (const amount of amounts) {
    if (amount === UNKNOWN_PRICE) return UNKNOWN_PRICE;
    sum += amount;
  }
  return sum;
}
