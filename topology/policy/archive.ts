/** What a program says of the archive of a set. */
import {
  ARCHIVE_DEFAULTS,
  type ArchiveSettings,
  parseStore,
  QUERY_CLASSES,
  ROW_FORMATS,
  type RowFormat,
  STORAGE_CLASSES,
} from "../archive";
import { record } from "../level";
import { requireMapping } from "../parquet";
import { needsArchive, TIERS } from "../tiers";
import { attempt } from "../values";
import { choice, fail, integer, join, map, object, optional, type Reader, type Report, required, text } from "./reader";

export interface ArchiveInputs {
  store: string;
  format: RowFormat;
  level: number;
  parallel: number;
  bytesPerSecond: number;
  storageClass: (typeof STORAGE_CLASSES)[number];
  kmsKeyId: string;
  tags: Map<string, string>;
  retention: Partial<NonNullable<ArchiveSettings["retention"]>>;
  parquet: Partial<ParquetInputs>;
}

export interface ParquetInputs {
  store: string;
  storageClass: (typeof QUERY_CLASSES)[number];
  columns: Map<string, string>;
}

/** zstd knows more levels, which take gigabytes of memory. */
const HIGHEST_LEVEL = 19;

const store: Reader<string> = (value, path, report) => {
  const given = text(value, path, report);
  if (given === undefined) return undefined;
  const parsed = attempt(() => parseStore(given));
  return "reason" in parsed ? fail(report, path, parsed.reason) : given;
};

const level: Reader<number> = (value, path, report) => {
  const given = integer(1)(value, path, report);
  if (given === undefined || given <= HIGHEST_LEVEL) return given;
  return fail(report, path, `must be at most ${HIGHEST_LEVEL}, not ${given}`);
};

const mapping: Reader<string> = (value, path, report) => {
  const given = text(value, path, report);
  if (given === undefined) return undefined;
  const parsed = attempt(() => requireMapping(given));
  return "reason" in parsed ? fail(report, path, parsed.reason) : given;
};

const FROZEN = "cannot be read without a restore, and Athena passes over such objects without a word";

const parquet = object<ParquetInputs>({
  store: optional(store),
  storageClass: optional(choice(QUERY_CLASSES, { GLACIER: FROZEN, DEEP_ARCHIVE: FROZEN })),
  columns: optional(map(mapping)),
});

const fields = object<ArchiveInputs>({
  store: required(store),
  format: optional(choice(ROW_FORMATS)),
  level: optional(level),
  parallel: optional(integer(1)),
  bytesPerSecond: optional(integer(1)),
  storageClass: optional(choice(STORAGE_CLASSES)),
  kmsKeyId: optional(text),
  tags: optional(map(text)),
  retention: optional(object({ mode: required(choice(["GOVERNANCE", "COMPLIANCE"])), days: required(integer(1)) })),
  parquet: optional(parquet),
});

/** Settings of S3 say nothing of a directory. */
const ONLY_S3 = ["storageClass", "kmsKeyId", "tags", "retention"] as const;

/** Reads `archive`; what S3 alone has is refused for a directory. */
export const archive: Reader<Partial<ArchiveInputs>> = (value, path, report) => {
  const read = fields(value, path, report);
  if (read?.store?.startsWith("file:"))
    for (const property of ONLY_S3)
      if (read[property] !== undefined)
        fail(report, `${path}.${property}`, "is a setting of S3, and the store is a directory");
  if (read?.parquet?.storageClass !== undefined && (read.parquet.store ?? read.store)?.startsWith("file:"))
    fail(report, `${path}.parquet.storageClass`, "is a setting of S3, and the store is a directory");
  if (read?.parquet !== undefined && read.format === "csv")
    fail(report, `${path}.format`, "is csv, and a Parquet copy is made from text; leave one of them out");
  return read;
};

/** The settings that stand for the inputs, with their defaults. */
export function archiveOfInputs(inputs: Partial<ArchiveInputs> | undefined): ArchiveSettings | undefined {
  if (inputs?.store === undefined) return undefined;
  const { store: url, tags, retention, parquet: queried, ...rest } = inputs;
  return {
    ...ARCHIVE_DEFAULTS,
    ...rest,
    store: url,
    ...(tags && { tags: Object.fromEntries(tags) }),
    ...(queried && { parquet: { ...queried, columns: Object.fromEntries(queried.columns ?? []) } }),
    ...(retention?.mode &&
      retention.days !== undefined && { retention: { mode: retention.mode, days: retention.days } }),
  };
}

/** Where a program declares a tier of which an archive has a copy, on any level. */
function archivingPlaces(raw: Record<string, unknown>, path = ""): string[] {
  const own = (["tier", "removed"] as const).filter((property) => isArchiving(raw[property]));
  const rules = Array.isArray(raw.lifecycle) ? raw.lifecycle : [];
  const inside: [string, unknown][] = [
    ...rules.map((rule, at): [string, unknown] => [`${join(path, "lifecycle")}[${at}]`, rule]),
    ...Object.entries(record(raw.partitions)).map(([name, entry]): [string, unknown] => [
      join(join(path, "partitions"), name),
      entry,
    ]),
    ...(raw.subPartitionBy === undefined
      ? []
      : [[join(path, "subPartitionBy"), raw.subPartitionBy] satisfies [string, unknown]]),
  ];
  return [
    ...own.map((property) => join(path, property)),
    ...inside.flatMap(([place, value]) => archivingPlaces(record(value), place)),
  ];
}

function isArchiving(tier: unknown): boolean {
  return TIERS.some((known) => known === tier && needsArchive(known));
}

/** What is wrong with a tier of which an archive has a copy, without one. */
export const NEEDS_ARCHIVE = 'needs an archive: declare archive: {store: "s3://bucket/prefix"} or "file:///directory"';

/** Rows can only go where the program says. */
export function refuseWithoutArchive(
  raw: Record<string, unknown>,
  declared: Partial<ArchiveInputs> | undefined,
  report: Report,
): void {
  if (declared !== undefined || raw.archive !== undefined) return;
  for (const place of archivingPlaces(raw)) fail(report, place, NEEDS_ARCHIVE);
}
