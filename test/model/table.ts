/** The table whose partitions are declared: made by hand, so that only partitions are the provider's. */
import type { Client } from "pg";
import { MOVE_AT_ONCE_BYTES } from "../../topology/reorganization";
import { columnsOf, hasForeignKey, hasNulls, isReferenced, type Spec } from "./spec";

/** Somebody who may read the table. */
export const ROLE = "model_reader";

/** In every lane's database: the table under test, the model's own tables, and the same declaration made from nothing. */
export const SCHEMAS = { subject: "s", ledger: "s_model", fresh: "s_fresh" } as const;

/** Whatever was in them. A new schema has each session plan all of its statements again, so there is one for all sequences. */
export async function makeSchemas(client: Client): Promise<void> {
  const all = Object.values(SCHEMAS);
  await client.query(
    all.map((schema) => `DROP SCHEMA IF EXISTS ${schema} CASCADE; CREATE SCHEMA ${schema}`).join(";\n"),
  );
}

/** Drops all tables of the schemas: nothing else is left by a sequence that ends well. */
export async function empty(client: Client, schemas: readonly string[]): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT oid::regclass::text AS name FROM pg_class
     WHERE relnamespace = ANY ($1::regnamespace[]) AND relkind IN ('r', 'p') AND NOT relispartition`,
    [schemas],
  );
  if (rows.length > 0) await client.query(`DROP TABLE ${rows.map(({ name }) => name).join(", ")}`);
}

/** Key columns of all levels, with their types. */
export function keyColumns({ levels }: Spec): { name: string; type: string }[] {
  return levels.flatMap((level, depth) => columnsOf(level, depth));
}

/** Columns of the table in their order. */
function columnList(spec: Spec): string {
  const keys = keyColumns(spec).map(({ name, type }) => `${name} ${type}`);
  return ["id bigint NOT NULL", ...keys, "note text", "amount integer DEFAULT 7"].join(", ");
}

/**
 * A table `t` with most of what a partition may have from its parent. Everything that PostgreSQL would name after the
 * schema is left out, so that two schemas can be compared.
 */
export async function makeTable(client: Client, schema: string, spec: Spec): Promise<void> {
  const t = `${schema}.t`;
  const [top] = spec.levels;
  if (top === undefined) throw new Error("a declaration has a level");
  const columns = columnsOf(top, 0).map(({ name }) => name);
  const keys = keyColumns(spec).map(({ name }) => name);
  const foreign = hasForeignKey(spec)
    ? `ALTER TABLE ${t} ADD CONSTRAINT t_amount_known FOREIGN KEY (amount) REFERENCES ${AMOUNTS}`
    : "";
  const key = hasNulls(spec)
    ? `CREATE INDEX t_id ON ${t} (id)`
    : `ALTER TABLE ${t} ADD PRIMARY KEY (id, ${keys.join(", ")})`;
  await client.query(`CREATE TABLE ${t} (${columnList(spec)}, CONSTRAINT t_amount CHECK (amount > 0))
      PARTITION BY ${top.strategy.toUpperCase()} (${columns.join(", ")});
    ${key};
    ${foreign};
    CREATE INDEX t_note ON ${t} (note) WHERE amount > 3;
    COMMENT ON COLUMN ${t}.note IS 'what was said';
    ALTER TABLE ${t} ALTER note SET STATISTICS 50;
    GRANT SELECT ON ${t} TO ${ROLE};
    GRANT UPDATE (note) ON ${t} TO ${ROLE};
    CREATE POLICY mine ON ${t} FOR SELECT TO ${ROLE} USING (amount < 100);
    ALTER TABLE ${t} ENABLE ROW LEVEL SECURITY;
    CREATE TRIGGER t_touched BEFORE UPDATE ON ${t} FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()`);
}

/** What tables of every sequence reference. */
const AMOUNTS = "public.amounts";

/**
 * Once in a database: every amount that a row may have, and a size of tables that can be as large as a test wants.
 * PostgreSQL calls a function of its own without a look at its text, but for one that it can put in the place of the call.
 */
export async function makeSurroundings(client: Client): Promise<void> {
  await client.query(`CREATE TABLE ${AMOUNTS} (amount integer PRIMARY KEY);
    INSERT INTO ${AMOUNTS} SELECT generate_series(1, 9);
    CREATE TABLE public.more (bytes bigint);
    INSERT INTO public.more VALUES (0);
    CREATE FUNCTION public.more() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT bytes FROM public.more';
    CREATE OR REPLACE FUNCTION pg_catalog.pg_total_relation_size(regclass) RETURNS bigint LANGUAGE sql
      AS 'SELECT pg_catalog.pg_table_size($1) + pg_catalog.pg_indexes_size($1) + public.more()'`);
  await makeSchemas(client);
}

/** What the server says of tables from now on. */
export async function sayLarge(client: Client, { large }: Spec): Promise<void> {
  await client.query(`UPDATE public.more SET bytes = ${large ? MOVE_AT_ONCE_BYTES : 0}`);
}

/** Somebody who references rows of the table. */
export async function makeReferencing(client: Client, schema: string, own: string, spec: Spec): Promise<void> {
  if (!isReferenced(spec)) return;
  const columns = ["id bigint", ...keyColumns(spec).map(({ name, type }) => `${name} ${type}`)];
  const names = ["id", ...keyColumns(spec).map(({ name }) => name)].join(", ");
  await client.query(`CREATE TABLE ${own}.referencing (${columns.join(", ")},
    FOREIGN KEY (${names}) REFERENCES ${schema}.t (${names}))`);
}

/** Where the model keeps what the table was given: `rows`, those it did not take, and a partitioned table for each HASH level. */
export async function makeLedger(client: Client, schema: string, spec: Spec): Promise<void> {
  const hashes = spec.levels.flatMap((level, depth) =>
    level.strategy === "hash"
      ? `CREATE TABLE ${schema}.hash${depth} (LIKE ${schema}.rows) PARTITION BY HASH (${columnsOf(level, depth)
          .map(({ name }) => name)
          .join(", ")})`
      : [],
  );
  await client.query(
    [`CREATE TABLE ${schema}.rows (${columnList(spec)}); CREATE TABLE ${schema}.refused (id bigint)`, ...hashes].join(
      ";\n",
    ),
  );
}
