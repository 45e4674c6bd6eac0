/** What a program says of the archive of a set. */
import {
  ARCHIVE_DEFAULTS,
  type ArchiveSettings,
  parseStore,
  QUERY_CLASSES,
  ROW_FORMATS,
  type RowFormat,
  SERVER_SIDE_EXPORTS,
  STORAGE_CLASSES,
} from "../archive";
import { type ArchiveEncryption, type ArchiveKey, regionOfKey } from "../encryption";
import { record } from "../level";
import { requireMapping } from "../parquet";
import { needsArchive, TIERS } from "../tiers";
import { attempt } from "../values";
import {
  choice,
  fail,
  integer,
  join,
  list,
  map,
  object,
  optional,
  type Reader,
  type Report,
  required,
  text,
} from "./reader";

interface KeyInputs {
  kmsKeyId: string;
  keyFile: string;
}

interface EncryptionInputs extends KeyInputs {
  former: Partial<KeyInputs>[];
}

export interface ArchiveInputs {
  store: string;
  format: RowFormat;
  encryption: Partial<EncryptionInputs>;
  level: number;
  parallel: number;
  bytesPerSecond: number;
  storageClass: (typeof STORAGE_CLASSES)[number];
  kmsKeyId: string;
  tags: Map<string, string>;
  retention: Partial<NonNullable<ArchiveSettings["retention"]>>;
  parquet: Partial<ParquetInputs>;
  serverSideExport: (typeof SERVER_SIDE_EXPORTS)[number];
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

const kmsKeyId: Reader<string> = (value, path, report) => {
  const given = text(value, path, report);
  if (given === undefined || regionOfKey(given) !== undefined) return given;
  return fail(report, path, "must be the ARN of a KMS key (arn:aws:kms:region:account:key/…): other names may move");
};

const keyFile: Reader<string> = (value, path, report) => {
  const given = text(value, path, report);
  if (given === undefined || given.startsWith("/")) return given;
  return fail(report, path, "must be an absolute path: the provider runs in a directory of its own");
};

const KEY = { kmsKeyId: optional(kmsKeyId), keyFile: optional(keyFile) };

/** Exactly one kind of key; one that is not known yet is one. */
function single<T>(read: Reader<T>): Reader<T> {
  return (value, path, report) => {
    const given = read(value, path, report);
    const named = Object.keys(KEY).filter((kind) => record(value)[kind] !== undefined).length;
    if (given === undefined || named === 1) return given;
    return fail(report, path, `names ${named === 0 ? "no key" : "two keys"}: give either kmsKeyId or keyFile`);
  };
}

const encryption = single(object<EncryptionInputs>({ ...KEY, former: optional(list(single(object<KeyInputs>(KEY)))) }));

const MOST_TAGS = 10;
const LONGEST_TAG = { name: 128, value: 256 } as const;

/** What S3 takes as a tag, so that it is refused before the first object. */
const tags: Reader<Map<string, string>> = (value, path, report) => {
  const given = map(text)(value, path, report);
  const refuse = (place: string, what: keyof typeof LONGEST_TAG, one: string) => {
    if (!/^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u.test(one))
      fail(
        report,
        place,
        `its ${what} has other characters than S3 allows in tags: letters, digits, spaces and _.:/=+-@`,
      );
    if ([...one].length > LONGEST_TAG[what])
      fail(report, place, `its ${what} is longer than the ${LONGEST_TAG[what]} characters that S3 allows`);
  };
  for (const [name, one] of given ?? []) {
    const place = join(path, name);
    refuse(place, "name", name);
    refuse(place, "value", one);
    if (name === "" || name.startsWith("aws:")) fail(report, place, "is a name that S3 keeps for itself");
  }
  if (given !== undefined && given.size > MOST_TAGS)
    return fail(report, path, `has ${given.size} tags; S3 allows ${MOST_TAGS} for an object`);
  return given;
};

const fields = object<ArchiveInputs>({
  store: required(store),
  format: optional(choice(ROW_FORMATS)),
  encryption: optional(encryption),
  level: optional(level),
  parallel: optional(integer(1)),
  bytesPerSecond: optional(integer(1)),
  storageClass: optional(choice(STORAGE_CLASSES)),
  kmsKeyId: optional(text),
  tags: optional(tags),
  retention: optional(object({ mode: required(choice(["GOVERNANCE", "COMPLIANCE"])), days: required(integer(1)) })),
  parquet: optional(parquet),
  serverSideExport: optional(choice(SERVER_SIDE_EXPORTS)),
});

/** Settings of S3 say nothing of a directory. */
const ONLY_S3 = ["storageClass", "kmsKeyId", "tags", "retention", "serverSideExport"] as const;

/** What happens where Pulumi runs, or is said with each PUT, and what is to be declared instead where the server writes. */
const NOT_SERVER_SIDE = {
  level: "compresses nothing with serverSideExport, since aws_s3 writes rows as they are; leave it out",
  encryption:
    "encrypts where Pulumi runs, and with serverSideExport rows do not come by there; leave one of them out (kmsKeyId is " +
    "SSE-KMS, which S3 does)",
  bytesPerSecond: "limits nobody with serverSideExport, since the server sends the rows; leave one of them out",
  storageClass: "cannot be told to aws_s3; leave it out, and have the lifecycle of the bucket move the objects",
  tags: "cannot be told to aws_s3; leave them out, or leave out serverSideExport",
  retention:
    "cannot be told to aws_s3; leave it out, and give the bucket a default retention (objectLock of ArchiveBucket)",
} as const satisfies Partial<Record<keyof ArchiveInputs, string>>;

function refuseServerSide(read: Partial<ArchiveInputs>, path: string, report: Report): void {
  if (read.serverSideExport === undefined) return;
  for (const [property, reason] of Object.entries(NOT_SERVER_SIDE))
    if (read[property as keyof typeof NOT_SERVER_SIDE] !== undefined) fail(report, join(path, property), reason);
  if (read.format === "csv")
    fail(
      report,
      join(path, "format"),
      "is csv, and with serverSideExport rows are written as text; leave one of them out",
    );
}

/** Reads `archive`; what S3 alone has is refused for a directory. */
export const archive: Reader<Partial<ArchiveInputs>> = (value, path, report) => {
  const read = fields(value, path, report);
  if (read?.store?.startsWith("file:"))
    for (const property of ONLY_S3)
      if (read[property] !== undefined)
        fail(report, `${path}.${property}`, "is a setting of S3, and the store is a directory");
  if (read !== undefined) refuseServerSide(read, path, report);
  if (read?.parquet?.storageClass !== undefined && (read.parquet.store ?? read.store)?.startsWith("file:"))
    fail(report, `${path}.parquet.storageClass`, "is a setting of S3, and the store is a directory");
  if (read?.parquet !== undefined && read.format === "csv")
    fail(report, `${path}.format`, "is csv, and a Parquet copy is made from text; leave one of them out");
  if (read?.parquet !== undefined && read.encryption !== undefined)
    fail(
      report,
      `${path}.encryption`,
      "is declared, and a Parquet copy would hold the same rows unencrypted; leave one of them out",
    );
  return read;
};

/** The settings that stand for the inputs, with their defaults. */
export function archiveOfInputs(inputs: Partial<ArchiveInputs> | undefined): ArchiveSettings | undefined {
  if (inputs?.store === undefined) return undefined;
  const { store: url, tags, retention, parquet: queried, encryption: keys, ...rest } = inputs;
  const encrypted = encryptionOf(keys);
  return {
    ...ARCHIVE_DEFAULTS,
    ...rest,
    store: url,
    ...(encrypted && { encryption: encrypted }),
    ...(tags && { tags: Object.fromEntries(tags) }),
    ...(queried && { parquet: { ...queried, columns: Object.fromEntries(queried.columns ?? []) } }),
    ...(retention?.mode &&
      retention.days !== undefined && { retention: { mode: retention.mode, days: retention.days } }),
  };
}

function encryptionOf({ former, ...key }: Partial<EncryptionInputs> = {}): ArchiveEncryption | undefined {
  const current = keyOf(key);
  return current && { ...current, ...(former && { former: former.flatMap((other) => keyOf(other) ?? []) }) };
}

function keyOf({ kmsKeyId: arn, keyFile: path }: Partial<KeyInputs>): ArchiveKey | undefined {
  if (arn !== undefined) return { kmsKeyId: arn };
  return path === undefined ? undefined : { keyFile: path };
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
