/** Objects of rows that the server writes itself: read again from the store before anything is said of them. */
import { randomBytes } from "node:crypto";
import { refusingOtherBytes } from "../postgres/archive/characters";
import type { Blocks, RowsTable } from "../postgres/archive/rows";
import { exportToS3, filesOf, type ServerSideExport } from "../postgres/archive/serverSide";
import type { Session } from "../postgres/connection";
import { faultPoint } from "../postgres/faults";
import type { ServerSideTarget } from "../topology/archive";
import { type Flow, measureRows, type RowsObject } from "./object";
import { ProofError } from "./proofError";
import { addSums } from "./rows";
import { type Store, StoreError } from "./store";

const TOKEN_BYTES = 8;

/** Of a key that nobody else is given. */
export function newToken(): string {
  return randomBytes(TOKEN_BYTES).toString("hex");
}

export interface ServerSideOptions extends Flow {
  store: Store;
  target: ServerSideTarget;
  /** Of the first object; it must be one that was never given to anybody. */
  key: string;
}

/**
 * Has the server write rows of a table, and gives what the store then holds. Empty: there was no row, and no object.
 * @throws ProofError when it is not what the server says; ArchiveError when the server refuses; StoreError.
 */
export async function writeServerSide(
  session: Session,
  table: RowsTable,
  blocks: Blocks,
  { store, target, key, ...flow }: ServerSideOptions,
): Promise<RowsObject[]> {
  const said = await exportToS3(session, table, target, key, blocks);
  faultPoint("archive");
  const there = new Set<string>();
  for await (const object of store.list(key, flow.signal)) there.add(object.key);
  const wanted = filesOf(key, said.files);
  const lost = wanted.find((one) => !there.has(one));
  if (lost !== undefined)
    throw new ProofError(
      "missing",
      `${store.url}/${lost} is not there, and ${target.extension} says that it wrote it`,
      lost,
    );
  const more = [...there].find((one) => !wanted.includes(one));
  if (more !== undefined)
    throw new ProofError("replaced", `${store.url}/${more} is there, and ${target.extension} does not say so`, more);
  const found: RowsObject[] = [];
  for (const one of wanted) {
    flow.signal?.throwIfAborted();
    found.push(await measured(store, one, table, flow));
  }
  refuseOther(store, key, target, said, found);
  return found;
}

async function measured(store: Store, key: string, table: RowsTable, flow: Flow): Promise<RowsObject> {
  const current = await store.find(key);
  if (current === undefined) throw new ProofError("missing", `${store.url}/${key} is not there any more`, key);
  try {
    const see = refusingOtherBytes(table);
    return await measureRows(store, { ...current, format: "text", plain: true }, { ...flow, see });
  } catch (error) {
    if (error instanceof StoreError && error.failure === "corrupt")
      throw new ProofError("corrupt", `${error.reason}; the server has just written it`, key);
    throw error;
  }
}

/** What the server counted and what the store gives are told by two who do not know of each other. */
function refuseOther(
  store: Store,
  key: string,
  { extension }: ServerSideTarget,
  said: ServerSideExport,
  found: readonly RowsObject[],
): void {
  const sums = { rows: addSums(found).rows, bytes: found.reduce((sum, { bytes }) => sum + bytes, 0) };
  const other = (["rows", "bytes"] as const).find((property) => sums[property] !== said[property]);
  if (other === undefined) return;
  const what = `${store.url}/${key} holds ${sums[other]} ${other} in ${found.length} objects`;
  throw new ProofError("corrupt", `${what}, and ${extension} says that it wrote ${said[other]}`, key);
}
