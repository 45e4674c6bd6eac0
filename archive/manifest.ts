/** What an archive says of one partition: written last, so that a partition with a manifest is whole. */
import { hash } from "node:crypto";
import type { ChangeState } from "../postgres/archive/changes";
import type { RestoreText } from "../postgres/archive/definition";
import type { Blocks } from "../postgres/archive/rows";
import type { ArchivedColumn, KeyExtent } from "../postgres/archive/table";
import { ARCHIVE_DEFAULTS, ROW_FORMATS, type RowFormat } from "../topology/archive";
import type { PartitionBound, RelationName } from "../topology/model";
import {
  anything,
  choice,
  fail,
  flag,
  integer,
  list,
  object,
  optional,
  type Reader,
  type Report,
  required,
  scalar,
  text,
} from "../topology/policy/reader";
import type { Generation, Origin } from "./keys";
import type { RowsObject } from "./object";
import { type ParquetCopy, parquetCopy } from "./parquet/manifest";
import type { RowSum } from "./rows";

/** Raised when a manifest means something else than before. */
export const MANIFEST_FORMAT = 1;

/** Rows of some blocks of a leaf, in one object. */
export interface ArchivedPart extends RowsObject, Blocks {}

/** A table that holds rows: the partition itself, or one below it. */
export interface ArchivedLeaf extends RelationName {
  oid: number;
  changes: ChangeState;
  parts: ArchivedPart[];
}

/** The archived rows of one partition. */
export interface Manifest extends RowSum {
  format: number;
  origin: Origin & { parentOid: number };
  /** `under`: the partition that it is a partition of, when that is not the set's own table. */
  partition: RelationName & { oid: number; under?: string };
  generation: number;
  bound: PartitionBound;
  server: { version: number; encoding: string; extensions: Record<string, string> };
  /** Columns in the order in which rows are told; generated ones are computed by whoever loads them. */
  columns: ArchivedColumn[];
  textBytes: number;
  /** What the tables took in the database with their indexes, for people: what an archive saves. */
  tableBytes?: number;
  /** Least and greatest key in PostgreSQL's text, column by column; absent: there is no row, or the type has no order. */
  key?: KeyExtent[];
  leaves: ArchivedLeaf[];
  /** How the partition is made and filled without this product. */
  restore: RestoreText;
  /** A copy for queries; nothing is restored from it, or proven by it. */
  parquet?: ParquetCopy;
  /** now() of the server, for people. */
  exportedAt: string;
}

const digits = scalar("a number as text", (value): value is string => typeof value === "string" && /^\d+$/.test(value));
const hex = (length: number) =>
  scalar(
    `${length} hexadecimal digits`,
    (value): value is string => typeof value === "string" && new RegExp(`^[0-9a-f]{${length}}$`).test(value),
  );

const relation = { schema: required(text), name: required(text) };

const changes = object<ChangeState>({
  filenode: required(digits),
  inserted: required(digits),
  updated: required(digits),
  deleted: required(digits),
  since: optional(text),
});

const PART = {
  key: required(text),
  version: optional(text),
  bytes: required(integer(0)),
  sha256: required(hex(64)),
  encryptedWith: optional(text),
  plain: optional(flag),
  textBytes: required(integer(0)),
  format: required(choice(ROW_FORMATS)),
  rows: required(integer(0)),
  hash: required(hex(32)),
  from: required(integer(0)),
  to: optional(integer(1)),
};
const part = object<ArchivedPart>(PART);
const column = object<ArchivedColumn>({ name: required(text), type: required(text) }) as Reader<ArchivedColumn>;

const record = (value: unknown, path: string, report: Report): Record<string, string> | undefined => {
  const given = anything(value, path, report);
  if (given === undefined) return undefined;
  const texts = Object.entries(given).map(([key, item]): [string, string] => [key, String(item)]);
  return Object.fromEntries(texts);
};

const bound: Reader<PartitionBound> = (value, path, report) => {
  const given = anything(value, path, report);
  if (given === undefined) return undefined;
  const known = ["from", "values", "modulus", "default"].some((key) => key in given);
  return known ? (given as PartitionBound) : fail(report, path, "is no bound of a partition");
};

const manifest = object<Manifest>({
  format: required(
    scalar(
      `${MANIFEST_FORMAT}, the format that this version knows`,
      (value): value is number => value === MANIFEST_FORMAT,
    ),
  ),
  origin: required(
    object({
      systemIdentifier: required(text),
      database: required(text),
      parent: required(object<RelationName>(relation)),
      parentOid: required(integer(1)),
    }) as Reader<Manifest["origin"]>,
  ),
  partition: required(
    object({ ...relation, oid: required(integer(1)), under: optional(text) }) as Reader<Manifest["partition"]>,
  ),
  generation: required(integer(1)),
  bound: required(bound),
  server: required(
    object({ version: required(integer(1)), encoding: required(text), extensions: required(record) }) as Reader<
      Manifest["server"]
    >,
  ),
  columns: required(list(object({ name: required(text), type: required(text) }) as Reader<ArchivedColumn>)),
  rows: required(integer(0)),
  hash: required(hex(32)),
  textBytes: required(integer(0)),
  tableBytes: optional(integer(0)),
  key: optional(
    list(object({ column: required(text), least: required(text), greatest: required(text) }) as Reader<KeyExtent>),
  ),
  leaves: required(
    list(
      object({
        ...relation,
        oid: required(integer(1)),
        changes: required(changes as Reader<ChangeState>),
        parts: required(list(part as Reader<ArchivedPart>, 1)),
      }) as Reader<ArchivedLeaf>,
      1,
    ),
  ),
  restore: required(
    object({
      create: required(list(text)),
      copy: required(list(text)),
      finish: required(list(text)),
    }) as Reader<RestoreText>,
  ),
  parquet: optional(parquetCopy),
  exportedAt: required(text),
});

/**
 * Reads a manifest, whoever wrote it.
 * @throws Error with everything that is wrong with it.
 */
export function parseManifest(json: string): Manifest {
  const report: Report = { failures: [], unknown: [] };
  const { sha256, ...content } = Object(JSON.parse(json)) as Record<string, unknown>;
  const read = manifest(content, "", report);
  const wrong = report.failures.map(({ property, reason }) => `${property} ${reason}`);
  if (read === undefined || wrong.length > 0) throw new Error(`this is no manifest: ${wrong.join("; ")}`);
  if (sha256 !== sumOf(content))
    throw new Error("this is not the manifest that was written: its SHA-256 is another one");
  return read as Manifest;
}

/** Of all that a manifest says: no object that it names tells whether bound or statements are still what was written. */
function sumOf(content: object): string {
  return hash("sha256", JSON.stringify(content));
}

/** A part as the note beside its object tells it, before there is a manifest. */
export interface PartNote extends ArchivedPart {
  /** OID of the table whose rows these are. */
  leaf: number;
  columns: ArchivedColumn[];
}

const note = object<PartNote>({ ...PART, leaf: required(integer(1)), columns: required(list(column)) });

/** Undefined: no such note. What it tells is compared with the table, and its object is read again, before it counts. */
export function parseNote(json: string): PartNote | undefined {
  const report: Report = { failures: [], unknown: [] };
  try {
    const read = note(JSON.parse(json), "", report);
    return report.failures.length === 0 ? (read as PartNote | undefined) : undefined;
  } catch {
    return undefined;
  }
}

/** Every object of rows, leaf by leaf. */
export function partsIn({ leaves }: { leaves: readonly Pick<ArchivedLeaf, "parts">[] }): ArchivedPart[] {
  return leaves.flatMap(({ parts }) => parts);
}

/** Bytes of all of them, as the store has them. */
export function storedBytes(manifest: Pick<Manifest, "leaves">): number {
  return partsIn(manifest).reduce((sum, { bytes }) => sum + bytes, 0);
}

export function manifestText(content: Manifest): string {
  return `${JSON.stringify({ ...content, sha256: sumOf(content) }, undefined, 2)}\n`;
}

/** How the rows are written, in all parts alike: only then do they add up to the rows of a table. */
export function formatOf({ leaves }: Pick<Manifest, "leaves">): RowFormat {
  return leaves[0]?.parts[0]?.format ?? ARCHIVE_DEFAULTS.format;
}

export function generationOf({ partition, generation }: Pick<Manifest, "partition" | "generation">): Generation {
  return { partition: partition.name, oid: partition.oid, generation };
}
