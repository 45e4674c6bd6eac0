/** `pgpartition archive cost`: what a store holds by storage class, and what it costs by declared prices. */
import { readFileSync } from "node:fs";
import { readCatalogue, type StoredPartition } from "../../archive/catalogue";
import { type Amount, type Cost, costOf, total, UNKNOWN_PRICE, volumeCost } from "../../archive/cost";
import { type ListedArchive, listArchives } from "../../archive/listing";
import { parsePrices } from "../../archive/prices";
import { parquetFolder, parquetPrefix } from "../../topology/parquet";
import { bytesText } from "../../topology/sizeText";
import { columns } from "../columns";
import { STATUS, type Streams } from "../streams";
import {
  type CompareOptions,
  isOf,
  isSelected,
  type SelectionOptions,
  type StoreOptions,
  withDatabase,
  withStore,
} from "./options";

export type CostOptions = StoreOptions & SelectionOptions & CompareOptions & { prices?: string };

/** Bytes of tables and indexes, and what a month of them costs in the database's volume. */
interface Volume {
  bytes: number | typeof UNKNOWN_PRICE;
  monthly: Amount;
}

interface Report extends Cost {
  store: string;
  compared: string | null;
  currency?: string;
  /** Everything that is archived, in the database, as it was when it was exported. */
  before: Volume;
  /** The store, and those of the tables that are still there. */
  now: { tables: Volume; monthly: Amount };
  /** Parquet copies in this store, which no restore reads. */
  parquet: { objects: number; bytes: number; monthly: Amount };
  /** Objects of the store that are no archive's; they are not counted. */
  others: { objects: number; bytes: number };
}

export function cost(options: CostOptions, { out }: Streams): Promise<number> {
  const prices = options.prices === undefined ? { classes: {} } : parsePrices(readJson(options.prices));
  return withStore(options, (store) =>
    withDatabase(options, 1, async (database) => {
      const { partitions, others } = await readCatalogue(store);
      const selected = partitions.filter(isSelected(options));
      const folders = selected.map(folderOf);
      const [copies, strange] = divided(others, ({ key }) => folders.some((folder) => key.startsWith(folder)));
      const parquet = costOf(copies, prices, new Date());
      const own = database && { ...database, isOf: (origin: Parameters<typeof isOf>[1]) => isOf(database, origin) };
      const listed = (await listArchives(store, selected, own)).filter(({ stored }) => stored.copies.length > 0);
      const stored = costOf(
        selected.flatMap(({ objects }) => objects),
        prices,
        new Date(),
      );
      const volume = (archives: readonly ListedArchive[]): Volume => {
        const bytes = tableBytes(archives);
        return { bytes: bytes ?? UNKNOWN_PRICE, monthly: volumeCost(bytes, prices) };
      };
      const tables = volume(listed.filter(({ presence }) => presence !== undefined && presence.kind !== "gone"));
      const report: Report = {
        store: store.url,
        compared: database?.sessions.target ?? null,
        ...(prices.currency !== undefined && { currency: prices.currency }),
        ...stored,
        before: volume(listed),
        now: { tables, monthly: total([stored.monthly, parquet.monthly, tables.monthly]) },
        parquet: { objects: copies.length, bytes: parquet.bytes, monthly: parquet.monthly },
        others: { objects: strange.length, bytes: strange.reduce((sum, { bytes }) => sum + bytes, 0) },
      };
      out(options.json ? `${JSON.stringify(report, undefined, 2)}\n` : text(report));
      return STATUS.done;
    }),
  );
}

/** Where the Parquet copy of a partition is, if there is one. */
function folderOf({ origin: { parent, ...origin }, partition }: StoredPartition): string {
  return parquetPrefix({ ...origin, schema: parent.schema, table: parent.name }) + parquetFolder(partition);
}

function divided<T>(all: readonly T[], isFirst: (one: T) => boolean): [T[], T[]] {
  return [all.filter(isFirst), all.filter((one) => !isFirst(one))];
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new RangeError(`${file} cannot be read as JSON: ${error instanceof Error ? error.message : error}`);
  }
}

/** Undefined as soon as one manifest does not say it, or cannot be read. */
function tableBytes(archives: readonly ListedArchive[]): number | undefined {
  let sum = 0;
  for (const { manifest } of archives) {
    if (manifest?.tableBytes === undefined) return undefined;
    sum += manifest.tableBytes;
  }
  return sum;
}

const HEAD = ["storage class", "objects", "stored", "a month", "if deleted now", "to read all", "until it can be read"];

function text(report: Report): string {
  const { classes, bytes, monthly, restore, before, now, parquet, others, compared, currency } = report;
  const money = (amount: Amount) => moneyText(amount, currency);
  const rows = classes.map((one) => [
    one.storageClass,
    one.objects.toLocaleString("en-US"),
    bytesText(one.bytes),
    money(one.monthly),
    money(one.early),
    money(one.restore),
    one.restoreTime,
  ]);
  const sum = ["all", "", bytesText(bytes), money(monthly), "", money(restore), ""];
  const volume = (of: Volume) => (of.bytes === UNKNOWN_PRICE ? UNKNOWN_PRICE : bytesText(of.bytes));
  const still =
    compared === null
      ? "not compared with a database: as if all tables were gone"
      : `with ${volume(now.tables)} of tables that are still in ${compared}`;
  const ignored =
    others.objects === 0 ? "" : `Not counted: ${others.objects} other objects, ${bytesText(others.bytes)}.\n`;
  const copies =
    parquet.objects === 0
      ? ""
      : `Parquet copies: ${money(parquet.monthly)} a month for ${bytesText(parquet.bytes)} in ${parquet.objects} objects.\n`;
  return [
    columns(HEAD, [...rows, sum], HEAD.slice(1, 6)),
    `Before: ${money(before.monthly)} a month for ${volume(before)} of tables and indexes in the database.\n`,
    copies,
    `Now: ${money(now.monthly)} a month (${still}).\n`,
    ignored,
  ].join("");
}

/** Cents, and what is less but not nothing. */
function moneyText(amount: Amount, currency: string | undefined): string {
  if (amount === UNKNOWN_PRICE) return amount;
  const number = amount > 0 && amount < 0.01 ? "<0.01" : amount.toFixed(2);
  return currency === undefined ? number : `${number} ${currency}`;
}
