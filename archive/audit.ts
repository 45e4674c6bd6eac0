/** Reads archives again and grades them: for schedulers, which look at what nobody has asked for in years. */
import { explainError } from "../postgres/errors";
import type { StoredPartition } from "./catalogue";
import { type Finding, findingOf, type Grade, worst } from "./grade";
import { readManifest } from "./inventory";
import { type Manifest, partsIn } from "./manifest";
import { verifyParquet } from "./parquet/copy";
import type { QueryStore } from "./parquet/store";
import type { Store } from "./store";
import { refuseOtherSum, verifyPart } from "./verify";

/** What came of one archive. */
export interface Audited {
  stored: StoredPartition;
  grade: Grade;
  /** What is wrong, object by object. */
  findings: Finding[];
  /** Of the newest copy; absent when it cannot be read. */
  manifest?: Manifest;
}

export interface AuditOptions {
  /** Throws ProofError when the table is there and holds other rows; absent: nobody knows. */
  compare?(manifest: Manifest): Promise<void>;
  /** Whether the table of a partition without a finished copy is there, so that nothing is lost yet. */
  isThere?(stored: StoredPartition): Promise<boolean>;
  /** Where Parquet copies are read from; absent: they are not looked at. */
  queries?: QueryStore;
  signal?: AbortSignal;
}

/**
 * Reads every object of the newest copy, whatever is wrong with the ones before. Throws only when it is given up.
 * @returns undefined when there is no finished copy yet and the table is there.
 */
export async function auditArchive(
  store: Store,
  stored: StoredPartition,
  options: AuditOptions,
): Promise<Audited | undefined> {
  const [newest] = stored.copies;
  if (newest === undefined) {
    if (await options.isThere?.(stored)) return undefined;
    return { stored, ...graded([withoutManifest(store, stored)]) };
  }
  const findings: Finding[] = [];
  const attempt = async <T>(action: () => Promise<T>): Promise<T | undefined> => {
    options.signal?.throwIfAborted();
    try {
      return await action();
    } catch (error) {
      if (options.signal?.aborted) throw error;
      findings.push(findingOf(error, explainError));
      return undefined;
    }
  };
  const manifest = await attempt(() => readManifest(store, newest.manifest));
  if (manifest === undefined) return { stored, ...graded(findings) };
  for (const part of partsIn(manifest)) await attempt(() => verifyPart(store, part, { signal: options.signal }));
  await attempt(async () => refuseOtherSum(manifest));
  const { parquet } = manifest;
  const { queries } = options;
  if (parquet !== undefined && queries !== undefined)
    await attempt(() => verifyParquet(queries, { store: store.url, ...parquet }));
  if (options.compare !== undefined) await attempt(async () => options.compare?.(manifest));
  return { stored, manifest, ...graded(findings) };
}

function graded(findings: Finding[]): { grade: Grade; findings: Finding[] } {
  return { grade: worst(findings.map(({ grade }) => grade)), findings };
}

function withoutManifest(store: Store, { objects, partition }: StoredPartition): Finding {
  const reason =
    `${store.url} has ${objects.length} objects of ${partition} and no manifest: an export is under way, ` +
    "was broken off, or its manifest was deleted";
  return { grade: "MISSING", reason };
}
