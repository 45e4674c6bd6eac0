/** Whether somebody may have changed a table since it was looked at. */
import type { Session } from "../connection";

/**
 * What PostgreSQL knows of changes of a table's rows: equal states mean that nobody has changed it, different ones that
 * somebody may have (statistics can be reset, and a crash forgets them; a writer reports up to a minute late). It saves
 * reading; nothing is ever deleted because of it.
 */
export interface ChangeState {
  /** pg_relation_filenode(): another one after TRUNCATE, VACUUM FULL and everything else that rewrites. */
  filenode: string;
  inserted: string;
  updated: string;
  deleted: string;
  /** pg_stat_database.stats_reset; absent: never. */
  reset?: string;
}

/** Columns of {@link ChangeState} for the relation `c`. */
export const CHANGE_COLUMNS = `
  coalesce(pg_catalog.pg_relation_filenode(c.oid), 0)::text AS filenode,
  pg_catalog.pg_stat_get_tuples_inserted(c.oid)::text AS inserted,
  pg_catalog.pg_stat_get_tuples_updated(c.oid)::text AS updated,
  pg_catalog.pg_stat_get_tuples_deleted(c.oid)::text AS deleted,
  (SELECT d.stats_reset::text FROM pg_catalog.pg_stat_database d WHERE d.datname = pg_catalog.current_database()) AS reset`;

export interface ChangeRow extends Record<string, unknown> {
  filenode: string;
  inserted: string;
  updated: string;
  deleted: string;
  reset: string | null;
}

export function changeState({ filenode, inserted, updated, deleted, reset }: ChangeRow): ChangeState {
  return { filenode, inserted, updated, deleted, ...(reset !== null && { reset }) };
}

/** True when nobody has changed the table between the two. */
export function isUnchanged(before: ChangeState, after: ChangeState): boolean {
  return (["filenode", "inserted", "updated", "deleted", "reset"] as const).every((key) => before[key] === after[key]);
}

interface RootChangeRow extends ChangeRow {
  root: number;
  oid: number;
}

const OF_ROOTS = `
WITH RECURSIVE tree AS (
  SELECT oid AS root, oid FROM pg_catalog.unnest($1::oid[]) AS wanted(oid) UNION ALL
  SELECT tree.root, i.inhrelid FROM tree JOIN pg_catalog.pg_inherits i ON i.inhparent = tree.oid
)
SELECT tree.root, c.oid, ${CHANGE_COLUMNS}
FROM tree JOIN pg_catalog.pg_class c ON c.oid = tree.oid WHERE c.relkind <> 'p' ORDER BY tree.root, c.oid`;

/** States of the tables below some relations (or of these themselves) that hold rows: by OID of the relation, then of the table. One query. */
export async function readChanges(
  session: Session,
  oids: readonly number[],
): Promise<Map<number, Map<number, ChangeState>>> {
  const found = new Map<number, Map<number, ChangeState>>();
  if (oids.length === 0) return found;
  for (const { root, oid, ...row } of await session.query<RootChangeRow>(OF_ROOTS, [oids])) {
    const leaves = found.get(root) ?? new Map<number, ChangeState>();
    found.set(root, leaves.set(oid, changeState(row)));
  }
  return found;
}
