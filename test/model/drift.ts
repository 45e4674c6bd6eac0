/** What people do by hand to a table that a program declares. */
import { type Client, DatabaseError } from "pg";
import { quoteIdent } from "../../postgres/identifiers";
import type { Choice } from "./generate";
import { ROLE } from "./table";

interface Leaf {
  name: string;
  parent: string;
  /** True when the partition above it has DEFAULT, which forbids DETACH CONCURRENTLY. */
  beside_default: boolean;
}

const LEAVES = `
SELECT t.relid::regclass::text AS name, t.parentrelid::regclass::text AS parent,
  EXISTS (SELECT FROM pg_partitioned_table p WHERE p.partrelid = t.parentrelid AND p.partdefid <> 0) AS beside_default
FROM pg_partition_tree($1::regclass) t WHERE t.parentrelid IS NOT NULL AND (t.isleaf OR NOT $2) ORDER BY t.relid`;

/** Leaves a partition half detached, as a time-out does. */
async function interrupt(client: Client, other: Client, { name, parent, beside_default }: Leaf): Promise<void> {
  if (beside_default) return;
  await other.query(`BEGIN; LOCK TABLE ${parent} IN ACCESS SHARE MODE`);
  await client.query("SET lock_timeout = '5ms'");
  await client.query(`ALTER TABLE ${parent} DETACH PARTITION ${name} CONCURRENTLY`).catch(() => undefined);
  await client.query("RESET lock_timeout");
  await other.query("ROLLBACK");
}

type Drift = (client: Client, leaf: Leaf, other: Client) => Promise<unknown>;

const alter =
  (action: string): Drift =>
  (client, { name }) =>
    client.query(`ALTER TABLE ${name} ${action}`);

const DRIFTS: Record<string, Drift> = {
  dropped: (client, { name }) => client.query(`DROP TABLE ${name}`),
  detached: (client, { name, parent }) => client.query(`ALTER TABLE ${parent} DETACH PARTITION ${name}`),
  renamed: (client, { name }) => client.query(`ALTER TABLE ${name} RENAME TO ${quoteIdent(`by hand ${name.length}`)}`),
  "half detached": (client, leaf, other) => interrupt(client, other, leaf),
  "granted to": (client, { name }) => client.query(`GRANT INSERT ON ${name} TO ${ROLE}`),
  "revoked from": (client, { name }) => client.query(`REVOKE SELECT ON ${name} FROM ${ROLE}`),
  "given to another owner": alter(`OWNER TO ${ROLE}`),
  "without row security": alter("DISABLE ROW LEVEL SECURITY"),
  "without its policy": (client, { name }) => client.query(`DROP POLICY IF EXISTS mine ON ${name}`),
  "with another replica identity": alter("REPLICA IDENTITY FULL"),
  "with another default": alter("ALTER amount SET DEFAULT 8"),
  "with another statistics target": alter("ALTER note SET STATISTICS 90"),
  "with another comment": (client, { name }) => client.query(`COMMENT ON COLUMN ${name}.note IS 'by hand'`),
  "with its trigger disabled": alter("DISABLE TRIGGER t_touched"),
};

/**
 * Does something to one of the partitions; gives back what, or nothing when there is none. `leavesOnly`: to none that is
 * partitioned itself. What a run makes below such a one is made like it was before it was put right, so that it takes
 * another run until all of it is.
 */
export async function drift(
  client: Client,
  other: Client,
  schema: string,
  { kind, a }: Choice,
  leavesOnly: boolean,
): Promise<string | undefined> {
  const { rows } = await client.query<Leaf>(LEAVES, [`${schema}.t`, leavesOnly]);
  const leaf = rows[a % Math.max(1, rows.length)];
  if (leaf === undefined) return undefined;
  const names = Object.keys(DRIFTS);
  const name = names[kind % names.length] ?? "";
  try {
    await DRIFTS[name]?.(client, leaf, other);
  } catch (error) {
    // A partition of a table that is referenced cannot be dropped.
    if (error instanceof DatabaseError && error.code === "2BP01") return undefined;
    throw error;
  }
  return `by hand: ${leaf.name} is ${name}`;
}
