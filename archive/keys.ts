/**
 * What things in an archive are called. A key says by itself to which table of which database it belongs, so that a listing
 * is an inventory:
 *
 *     <cluster>/<database>/<schema>/<table>/<partition>/<oid>.<generation>/manifest.json
 *                                                                         /<leaf>-<part>.copy.zst (or .csv.zst; .encrypted)
 *                                                                         /<leaf>-<part>.<token>.copy (written by the server)
 *                                                                         /<leaf>-<part>.json
 *                                                                         /dropped.<transaction>.json
 *
 * Generations are counted, not timed: no clock decides which of two is the newer one.
 */
import { encodeKeyPart, type RowFormat } from "../topology/archive";
import type { RelationName } from "../topology/model";
import type { StoredObject } from "./store";

/** The partitioned table whose partitions an archive holds. */
export interface Origin {
  /** pg_control_system().system_identifier. */
  systemIdentifier: string;
  database: string;
  parent: RelationName;
}

/** One export of one table. */
export interface Generation {
  /** Name of the partition when it was exported. */
  partition: string;
  /** OID of the table that was exported. */
  oid: number;
  generation: number;
}

/** An export that was finished: its manifest is there. */
export interface ListedCopy extends Generation {
  manifest: StoredObject;
}

/** An export with what was said before its table was dropped. */
export interface ListedExport extends ListedCopy {
  /** Transactions (`xid8`) that were about to drop the table, because the export had just been proven to hold its rows. */
  droppedBy: string[];
}

const MANIFEST = "manifest.json";

const EXTENSIONS: Record<RowFormat, string> = { text: "copy", csv: "csv" };

/** Where all partitions of a table are. Ends with `/`, so that no other table's name can begin with it. */
export function prefixOf({ systemIdentifier, database, parent }: Origin): string {
  return `${[systemIdentifier, database, parent.schema, parent.name].map(encodeKeyPart).join("/")}/`;
}

export function prefixOfPartition(origin: Origin, partition: string): string {
  return `${prefixOf(origin)}${encodeKeyPart(partition)}/`;
}

export function prefixOfGeneration(origin: Origin, { partition, oid, generation }: Generation): string {
  return `${prefixOfPartition(origin, partition)}${oid}.${generation}/`;
}

export function manifestKey(origin: Origin, generation: Generation): string {
  return prefixOfGeneration(origin, generation) + MANIFEST;
}

/**
 * What is written before a proven table is dropped. Whether that transaction was committed PostgreSQL knows, so that nobody has
 * to take it back: a run that was killed in between is told from one that was not.
 */
export function droppedKey(manifest: string, transaction: string): string {
  return `${manifest.slice(0, -MANIFEST.length)}dropped.${transaction}.json`;
}

/** Keys of one part of a leaf: its rows, and the note that says what they are. */
export function partKeys(
  origin: Origin,
  generation: Generation,
  leaf: number,
  part: number,
  { format, encrypted }: { format: RowFormat; encrypted: boolean },
): { rows: string; note: string } {
  const key = `${prefixOfGeneration(origin, generation)}${leaf}-${part}`;
  return { rows: `${key}.${EXTENSIONS[format]}.zst${encrypted ? ".encrypted" : ""}`, note: `${key}.json` };
}

/**
 * Keys of a part that the server writes, which replaces what is there: the token (letters and digits) makes the key one that
 * nobody else is given, not even a session that was left alone with an earlier attempt and ends it later.
 */
export function serverSideKeys(
  origin: Origin,
  generation: Generation,
  leaf: number,
  part: number,
  token: string,
): { rows: string; noteOf(file: number): string } {
  const key = `${prefixOfGeneration(origin, generation)}${leaf}-${part}`;
  return {
    rows: `${key}.${token}.${EXTENSIONS.text}`,
    noteOf: (file) => `${key}${file === 1 ? "" : `.${file}`}.json`,
  };
}

/** Objects are the manifest, what begins with the numbers of a leaf and a part, and what is said of a drop. */
const IN_TABLE = /^([^/]+)\/(\d+)\.(\d+)\/(manifest\.json|dropped\.\d+\.json|\d+-\d+(?:\.\w+)+)$/;

/**
 * The generation of a table's archive that a key belongs to, and which of its objects it is; undefined: none. What is only
 * written like such a key (a name that is encoded otherwise, a number with zeros in front) is somebody else's.
 */
export function parseKey(origin: Origin, key: string): (Generation & { object: string }) | undefined {
  const prefix = prefixOf(origin);
  const found = key.startsWith(prefix) ? IN_TABLE.exec(key.slice(prefix.length)) : null;
  const [, partition, oid, generation, object] = found ?? [];
  if (partition === undefined || object === undefined) return undefined;
  const name = decode(partition);
  if (name === undefined) return undefined;
  const parsed = { partition: name, oid: Number(oid), generation: Number(generation) };
  return prefixOfGeneration(origin, parsed) + object === key ? { ...parsed, object } : undefined;
}

/** The same without knowing the table: what a key of any table's archive says. Undefined: it is somebody else's object. */
export function identifyKey(key: string): (Generation & { origin: Origin; object: string }) | undefined {
  const parts = key.split("/", 4).map(decode);
  const [systemIdentifier, database, schema, name] = parts;
  if (systemIdentifier === undefined || database === undefined || schema === undefined || name === undefined)
    return undefined;
  const origin = { systemIdentifier, database, parent: { schema, name } };
  const found = parseKey(origin, key);
  return found && { ...found, origin };
}

/** The finished export that an object is the manifest of. */
export function parseManifestKey(origin: Origin, stored: StoredObject): ListedCopy | undefined {
  const parsed = parseKey(origin, stored.key);
  if (parsed?.object !== MANIFEST) return undefined;
  const { partition, oid, generation } = parsed;
  return { partition, oid, generation, manifest: stored };
}

/** The transaction that an object tells of, and the manifest of the export that it is about. */
export function parseDropped(
  origin: Origin,
  { key }: StoredObject,
): { manifest: string; transaction: string } | undefined {
  const parsed = parseKey(origin, key);
  const transaction = /^dropped\.(\d+)\.json$/.exec(parsed?.object ?? "")?.[1];
  if (parsed === undefined || transaction === undefined) return undefined;
  return { manifest: manifestKey(origin, parsed), transaction };
}

function decode(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}
