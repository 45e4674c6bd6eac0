/** Reads the objects of an archive again, from the store, and compares them with what was written. */
import { faultPoint } from "../postgres/faults";
import { type ArchivedPart, type Manifest, partsIn } from "./manifest";
import { type Flow, measureRows } from "./object";
import { ProofError, type ProofFailure } from "./proofError";
import { addSums, sameRows } from "./rows";
import { type Store, type StoredObject, StoreError, type StoreFailure } from "./store";

/**
 * Reads every part of a manifest from its first byte to its last. `isProven`: those that the same run has read so already.
 * @throws ProofError for the first object that is not what the manifest says, StoreError when the store does not answer.
 */
export async function verifyObjects(
  store: Store,
  content: Pick<Manifest, "leaves" | "rows" | "hash">,
  options: Flow & { isProven?(part: ArchivedPart): boolean } = {},
): Promise<void> {
  for (const part of partsIn(content)) {
    options.signal?.throwIfAborted();
    faultPoint("archive");
    if (!options.isProven?.(part)) await verifyPart(store, part, options);
  }
  refuseOtherSum(content);
}

/** @throws ProofError when a manifest contradicts itself. */
export function refuseOtherSum(content: Pick<Manifest, "leaves" | "rows" | "hash">): void {
  if (!sameRows(addSums(partsIn(content)), content))
    throw new ProofError("corrupt", "the parts of the manifest do not add up to the rows that it says");
}

/** Reads one object from its first byte to its last. @throws as {@link verifyObjects}. */
export async function verifyPart(store: Store, part: ArchivedPart, flow: Flow = {}): Promise<void> {
  const name = `${store.url}/${part.key}`;
  await requireCurrent(store, part);
  const found = await measured(store, part, flow);
  const compared = ["bytes", "sha256", "textBytes", "rows", "hash"] as const;
  const other = compared.find((property) => found[property] !== part[property]);
  if (other === undefined) return;
  throw new ProofError("corrupt", `${name}: ${other} is ${found[other]}, and ${part[other]} was written`, part.key);
}

/** Older versions of a key are on their way out: what counts is the one that everybody is given. */
export async function requireCurrent(store: Store, { key, version }: StoredObject): Promise<void> {
  const name = `${store.url}/${key}`;
  const current = await store.find(key);
  if (current === undefined) throw new ProofError("missing", `${name} is not there, or was deleted`, key);
  if (version !== undefined && current.version !== version)
    throw new ProofError("replaced", `${name} is version ${current.version}, and ${version} was written`, key);
}

/** Whether an object is there as it was written, as far as the store's listing says. */
export async function isCurrent(store: Store, { key, version, bytes }: StoredObject): Promise<boolean> {
  const current = await store.find(key);
  return current?.bytes === bytes && (version === undefined || current.version === version);
}

/** Answers of a store that say something about the object, and not about the store. */
const PROVES: Partial<Record<StoreFailure, ProofFailure>> = { missing: "missing", corrupt: "corrupt" };

async function measured(store: Store, part: ArchivedPart, flow: Flow) {
  try {
    return await measureRows(store, part, flow);
  } catch (error) {
    const failure = error instanceof StoreError ? PROVES[error.failure] : undefined;
    if (failure === undefined || !(error instanceof StoreError)) throw error;
    throw new ProofError(failure, error.reason, part.key);
  }
}
