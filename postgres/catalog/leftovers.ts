/** Tables beside a partitioned one that look as if they had been partitions of it. */
import type { Session } from "../connection";

/** A table that is no partition, with the same columns. */
export interface Leftover extends Record<string, unknown> {
  oid: number;
  schema: string;
  name: string;
  /** PostgreSQL's estimate, -1 when there is none. */
  rows: number;
}

/** $1 the partitioned table. Catalog rows only, so that no lock on any of the tables holds it up. */
const LEFTOVERS = `
WITH shape AS (
  SELECT a.attrelid, pg_catalog.array_agg(ROW (a.attname, a.atttypid, a.atttypmod)::text ORDER BY a.attname) AS columns
  FROM pg_catalog.pg_attribute a WHERE a.attnum > 0 AND NOT a.attisdropped GROUP BY a.attrelid
), places AS (
  SELECT relnamespace FROM pg_catalog.pg_class WHERE oid = $1
  UNION
  SELECT c.relnamespace FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = $1
)
SELECT c.oid, n.nspname::text AS schema, c.relname::text AS name, c.reltuples::float8 AS rows
FROM places p
JOIN pg_catalog.pg_class c ON c.relnamespace = p.relnamespace AND c.relkind IN ('r', 'p', 'f') AND c.oid <> $1
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN shape own ON own.attrelid = c.oid
JOIN shape parent ON parent.attrelid = $1 AND parent.columns = own.columns
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid)
ORDER BY n.nspname, c.relname`;

/** Tables of the same shape in the schemas of the table and its partitions, by name. */
export async function readLeftovers(session: Session, parent: number): Promise<Leftover[]> {
  return session.query<Leftover>(LEFTOVERS, [parent]);
}
