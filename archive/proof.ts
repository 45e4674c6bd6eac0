/** The proof that stands before every deletion: what the store gives is what the table holds. */
import { refuseRowSecurity } from "../postgres/archive/rowSecurity";
import { COPYING, copyRowsOut } from "../postgres/archive/rows";
import { findWritable, readColumns, readKeyExtent, readLeaves } from "../postgres/archive/table";
import type { Session } from "../postgres/connection";
import { qualified } from "../postgres/identifiers";
import type { RelationName } from "../topology/model";
import { readManifest } from "./inventory";
import { formatOf, type Manifest } from "./manifest";
import { type Flow, sumOfText } from "./object";
import { ProofError } from "./proofError";
import { addSums, type RowSum, sameRows } from "./rows";
import type { Store, StoredObject } from "./store";
import { requireCurrent, verifyObjects } from "./verify";

/** What was proven. */
export interface Proof {
  manifest: Manifest;
  rows: number;
  hash: string;
}

/**
 * Reads manifest, table and objects, and compares them. Call it in a transaction that holds a lock on the table (and on the
 * tables below it) which excludes writes, and delete in the same transaction.
 * @throws ProofError: the table must stay. StoreError, or PostgreSQL's error: nothing is known.
 */
export async function proveTable(
  session: Session,
  store: Store,
  table: RelationName & { oid: number },
  claimed: { origin: Manifest["origin"]; manifest: StoredObject },
  options: Flow = {},
): Promise<Proof> {
  await requireCurrent(store, claimed.manifest);
  const manifest = await readManifest(store, claimed.manifest);
  refuseOther(manifest, table, claimed.origin);
  await refuseRowSecurity(session, table);
  await session.query(COPYING);
  await requireShape(session, table, manifest);
  await requireRows(session, table, manifest, options);
  await verifyObjects(store, manifest, options);
  return { manifest, rows: manifest.rows, hash: manifest.hash };
}

function refuseOther(
  { partition, origin }: Manifest,
  table: RelationName & { oid: number },
  own: Manifest["origin"],
): void {
  const differences: [string, unknown, unknown][] = [
    ["cluster", origin.systemIdentifier, own.systemIdentifier],
    ["database", origin.database, own.database],
    ["OID of the parent", origin.parentOid, own.parentOid],
    ["OID", partition.oid, table.oid],
  ];
  const other = differences.find(([, there, here]) => there !== here);
  if (other === undefined) return;
  const [what, there, here] = other;
  throw new ProofError("foreign", `the manifest of ${qualified(table)} says ${what} ${there}, and it is ${here}`);
}

/** A column that came after the export holds values that no archive has. */
async function requireShape(
  session: Session,
  table: RelationName & { oid: number },
  manifest: Manifest,
): Promise<void> {
  const columns = await readColumns(session, table.oid);
  if (JSON.stringify(columns) !== JSON.stringify(manifest.columns))
    throw new ProofError("stale", `the columns of ${qualified(table)} are not those that were exported`);
  const leaves = await readLeaves(session, table.oid);
  const oids = (list: readonly { oid: number }[]) => list.map(({ oid }) => oid).sort((a, b) => a - b);
  if (String(oids(leaves)) !== String(oids(manifest.leaves)))
    throw new ProofError("stale", `the tables below ${qualified(table)} are not those that were exported`);
  const free = await findWritable(
    session,
    leaves.map(({ oid }) => oid),
  );
  const open = leaves.find(({ oid }) => free.has(oid));
  if (open !== undefined)
    throw new ProofError("stale", `${qualified(open)} came below ${qualified(table)} just now: others may write to it`);
}

/** @throws ProofError unless the table holds exactly the rows of the manifest. */
export async function requireRows(
  session: Session,
  table: RelationName & { oid: number },
  manifest: Manifest,
  options: Flow = {},
): Promise<void> {
  const columns = manifest.columns.map(({ name }) => name);
  const text = { columns, format: formatOf(manifest), encoding: manifest.server.encoding };
  const strange = manifest.key?.find(({ column }) => !columns.includes(column));
  if (strange !== undefined)
    throw new ProofError("corrupt", `the manifest tells keys of ${strange.column}, which is none of its columns`);
  const sums: RowSum[] = [];
  for (const leaf of await readLeaves(session, table.oid))
    sums.push(await copyRowsOut(session, { ...leaf, ...text }, (rows) => sumOfText(rows, text.format, options)));
  const now = addSums(sums);
  if (!sameRows(now, manifest)) {
    const than = now.rows === manifest.rows ? "other rows" : `${now.rows} rows instead of ${manifest.rows}`;
    throw new ProofError("stale", `${qualified(table)} holds ${than} than were exported`);
  }
  const key =
    manifest.key &&
    (await readKeyExtent(
      session,
      table,
      manifest.key.map(({ column }) => column),
    ));
  if (JSON.stringify(key) !== JSON.stringify(manifest.key))
    throw new ProofError(
      "stale",
      `the least and greatest keys of ${qualified(table)} are not those that were exported`,
    );
}
