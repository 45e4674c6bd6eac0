/** Which of the archived tables are in a database, and whether they may have changed since. */
import { isUnchanged, readChanges } from "../postgres/archive/changes";
import { refuseRowSecurity } from "../postgres/archive/rowSecurity";
import { COPYING } from "../postgres/archive/rows";
import { readColumns } from "../postgres/archive/table";
import type { Session } from "../postgres/connection";
import { qualified } from "../postgres/identifiers";
import type { RelationName } from "../topology/model";
import type { Manifest } from "./manifest";
import { requireRows } from "./proof";
import { ProofError } from "./proofError";

/** The table of an archive, as its database has it. */
export type Presence =
  | { kind: "gone" }
  /** `restored`: another table, which is a partition of the same parent under the same name. */
  | { kind: "unchanged" | "changed" | "restored"; table: RelationName & { oid: number } };

interface FoundRow extends RelationName, Record<string, unknown> {
  oid: number;
  root: number | null;
}

/** By OID; and by name what is attached below the same parent. Waits for no lock. */
const FIND = `
SELECT c.oid, n.nspname::text AS schema, c.relname::text AS name, pg_catalog.pg_partition_root(c.oid)::pg_catalog.oid AS root
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'f') AND (c.oid = ANY ($1::oid[]) OR (n.nspname, c.relname) IN (
  SELECT wanted.schema, wanted.name FROM ROWS FROM (pg_catalog.unnest($2::text[]), pg_catalog.unnest($3::text[])) AS wanted(schema, name)))`;

/** In the order of the manifests, which are all of the session's database. */
export async function readPresence(session: Session, manifests: readonly Manifest[]): Promise<Presence[]> {
  if (manifests.length === 0) return [];
  const oids = manifests.map(({ partition }) => partition.oid);
  const rows = await session.query<FoundRow>(FIND, [
    oids,
    manifests.map(({ partition }) => partition.schema),
    manifests.map(({ partition }) => partition.name),
  ]);
  const changes = await readChanges(session, oids);
  return manifests.map(({ partition, origin, leaves }): Presence => {
    const own = rows.find(({ oid }) => oid === partition.oid);
    if (own !== undefined) {
      const now = changes.get(own.oid) ?? new Map();
      const same =
        now.size === leaves.length &&
        leaves.every((leaf) => {
          const state = now.get(leaf.oid);
          return state !== undefined && isUnchanged(leaf.changes, state);
        });
      return { kind: same ? "unchanged" : "changed", table: own };
    }
    const other = rows.find(
      ({ schema, name, root }) => schema === partition.schema && name === partition.name && root === origin.parentOid,
    );
    return other === undefined ? { kind: "gone" } : { kind: "restored", table: other };
  });
}

/**
 * Compares a table that is there with its archive, row by row. What PostgreSQL counts proves nothing: whoever may switch
 * `track_counts` off changes rows unseen.
 * @throws ProofError `stale` when it holds other rows.
 */
export async function requireSame(
  session: Session,
  presence: Presence,
  manifest: Manifest,
  { trustCounters = false, signal }: { trustCounters?: boolean; signal?: AbortSignal } = {},
): Promise<void> {
  if (presence.kind === "gone" || (trustCounters && presence.kind === "unchanged")) return;
  const { table } = presence;
  await refuseRowSecurity(session, table);
  const columns = (list: Manifest["columns"]) => list.map(({ name, type }) => `${name} ${type}`).sort();
  const now = columns(await readColumns(session, table.oid));
  if (JSON.stringify(now) !== JSON.stringify(columns(manifest.columns)))
    throw new ProofError("stale", `the columns of ${qualified(table)} are not those that were exported`);
  await session.transaction(async () => {
    await session.query(COPYING);
    await requireRows(session, table, manifest, { signal });
  });
}
