/** Where the rows of archived partitions are, as a program declares it. Pure. */
import type { ArchiveEncryption } from "./encryption";
import { ValueError } from "./values";

/** Storage classes in which S3 takes new objects. */
export const STORAGE_CLASSES = [
  "STANDARD",
  "STANDARD_IA",
  "ONEZONE_IA",
  "INTELLIGENT_TIERING",
  "GLACIER_IR",
  "GLACIER",
  "DEEP_ARCHIVE",
] as const;

/** Formats of COPY in which rows are archived; they are written and read back by PostgreSQL itself. */
export const ROW_FORMATS = ["text", "csv"] as const;
export type RowFormat = (typeof ROW_FORMATS)[number];

/** Extensions by which a server writes rows into S3 itself. `aws_s3`: of RDS and Aurora. */
export const SERVER_SIDE_EXPORTS = ["aws_s3"] as const;

/** Where a server itself writes rows to. */
export interface ServerSideTarget {
  extension: (typeof SERVER_SIDE_EXPORTS)[number];
  bucket: string;
  /** As of {@link S3Location}. */
  prefix: string;
  /** Absent: that of the server. */
  region?: string;
  /** SSE-KMS with this key. Absent: what the extension does by itself. */
  kmsKeyId?: string;
}

/** What a set declares of its archive. */
export interface ArchiveSettings {
  /** `file:///directory`, or `s3://bucket/prefix?region=…&endpoint=…&pathStyle=true&profile=…`. */
  store: string;
  /** Of what is exported from now on; what is there already stays as it is. */
  format: RowFormat;
  /** Rows are encrypted before they leave for the store. Absent: the store may encrypt, and reads them. */
  encryption?: ArchiveEncryption;
  /** zstd, 1 to 19. */
  level: number;
  /** Partitions that are exported at a time. */
  parallel: number;
  /** COPY text that is read at most, by all of them. */
  bytesPerSecond?: number;
  /** Of each object in S3. Absent: what the bucket has set. */
  storageClass?: (typeof STORAGE_CLASSES)[number];
  /** SSE-KMS with this key. Absent: what the bucket has set. */
  kmsKeyId?: string;
  tags?: Record<string, string>;
  /** Object lock of each object, in days since it was written. Absent: what the bucket has set. */
  retention?: { mode: "GOVERNANCE" | "COMPLIANCE"; days: number };
  parquet?: ParquetSettings;
  /** Absent: rows go over the connection. */
  serverSideExport?: ServerSideTarget["extension"];
}

/** Storage classes from which an object can be read at once: Athena passes over all others without a word. */
export const QUERY_CLASSES = ["STANDARD", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR"] as const;

/** A copy of exported partitions in Parquet, for queries. */
export interface ParquetSettings {
  /** Absent: the archive's own. */
  store?: string;
  /** Absent: what the bucket has set. */
  storageClass?: (typeof QUERY_CLASSES)[number];
  /** By name of a column, how its values are stored when that is not by its type. */
  columns: Record<string, string>;
}

export const ARCHIVE_DEFAULTS = { format: "text", level: 3, parallel: 2 } as const;

export type StoreLocation = FileLocation | S3Location;

export interface FileLocation {
  kind: "file";
  directory: string;
}

/** Where a bucket is. */
export interface S3Location {
  kind: "s3";
  bucket: string;
  /** In front of every key, without a `/` at either end; empty: keys begin at the bucket's root. */
  prefix: string;
  /** Absent: what the SDK's chain finds (`AWS_REGION`, the profile). */
  region?: string;
  /** Of a server other than AWS, with its protocol. */
  endpoint?: string;
  /** The bucket in the path instead of the host name. Absent: with an endpoint of one's own only. */
  pathStyle?: boolean;
  /** Of the shared AWS configuration; a profile may assume a role. */
  profile?: string;
}

/** Where the server writes rows to; undefined: it does not. */
export function serverSideTarget(
  settings: Pick<ArchiveSettings, "store" | "serverSideExport" | "kmsKeyId">,
): ServerSideTarget | undefined {
  const { store, serverSideExport: extension, kmsKeyId } = settings;
  const location = parseStore(store);
  if (extension === undefined || location.kind === "file") return undefined;
  const { bucket, prefix, region } = location;
  return {
    extension,
    bucket,
    prefix,
    ...(region !== undefined && { region }),
    ...(kmsKeyId !== undefined && { kmsKeyId }),
  };
}

const PARAMETERS = ["region", "endpoint", "pathStyle", "profile"] as const;
const EXAMPLE = '"s3://bucket/prefix?region=eu-central-1" or "file:///var/archive"';

/**
 * Reads the URL of a store.
 * @throws ValueError with what is wrong.
 */
export function parseStore(text: string): StoreLocation {
  const url = parsedUrl(text);
  if (url.username !== "" || url.password !== "")
    throw new ValueError("holds credentials; they come from the environment or a profile, as for other tools of AWS");
  if (url.protocol === "file:") return fileLocation(url);
  if (url.protocol === "s3:") return s3Location(url);
  throw new ValueError(`begins with ${url.protocol}//; write ${EXAMPLE}`);
}

function parsedUrl(text: string): URL {
  try {
    return new URL(text);
  } catch {
    throw new ValueError(`is no URL; write ${EXAMPLE}`);
  }
}

function fileLocation(url: URL): FileLocation {
  if (url.host !== "") throw new ValueError(`names the host ${url.host}; a directory is written file:///directory`);
  if (url.search !== "") throw new ValueError("has parameters, which a directory does not have");
  const directory = decodeURIComponent(url.pathname);
  if (directory === "/") throw new ValueError("is the root of the file system; name a directory");
  return { kind: "file", directory };
}

function s3Location(url: URL): S3Location {
  if (url.host === "") throw new ValueError(`names no bucket; write ${EXAMPLE}`);
  const unknown = [...url.searchParams.keys()].find((key) => !PARAMETERS.some((known) => known === key));
  if (unknown !== undefined) throw new ValueError(`has the parameter ${unknown}; there are ${PARAMETERS.join(", ")}`);
  const [region, endpoint, pathStyle, profile] = PARAMETERS.map((name) => url.searchParams.get(name) ?? undefined);
  if (pathStyle !== undefined && pathStyle !== "true" && pathStyle !== "false")
    throw new ValueError(`says pathStyle=${pathStyle}; it is true or false`);
  if (endpoint !== undefined && !/^https?:\/\//.test(endpoint))
    throw new ValueError(`says endpoint=${endpoint}; it begins with https:// or http://`);
  return {
    kind: "s3",
    bucket: url.host,
    prefix: decodeURIComponent(url.pathname).replace(/^\/+|\/+$/g, ""),
    ...(region !== undefined && { region }),
    ...(endpoint !== undefined && { endpoint }),
    ...(pathStyle !== undefined && { pathStyle: pathStyle === "true" }),
    ...(profile !== undefined && { profile }),
  };
}

/** Names of PostgreSQL may hold every character but NUL; a part of a key may be no `.` or `..` and hold no `/`. */
export function encodeKeyPart(name: string): string {
  return encodeURIComponent(name).replace(
    /[.!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
