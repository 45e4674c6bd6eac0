/**
 * Reads a partitioned parent from the catalog. Only the parent's own definitions are printed by PostgreSQL's functions
 * (they wait behind ACCESS EXCLUSIVE on the relation they print); what is below it is read from plain catalog rows, so
 * that a locked partition never holds this up.
 */
import type { RelationName } from "../../topology/model";
import type { ActualTable, Descendant } from "../../topology/table/model";
import { inTransaction, pinSettings, type Queryable } from "./client";
import { type ColumnRow, columnFrom } from "./columns";
import { type ConstraintRow, constraintsFrom } from "./constraints";
import { type IndexRow, indexFrom } from "./indexes";
import { COLUMNS, CONSTRAINTS, DESCENDANTS, INDEXES, PRIMARY_KEY_COLUMNS, TABLE } from "./queries";

interface TableRow {
  oid: number;
  schema: string;
  name: string;
  owner: string;
  comment: string | null;
  default_tablespace: string;
  strategy: "range" | "list" | "hash";
  key_columns: (string | null)[];
  key_definition: string;
}

type DescendantRow = Omit<Descendant, "rows"> & { rows: number | null };

/**
 * The partitioned table of this name; undefined when there is none, or when something else has the name (an ordinary
 * table, a view). The client must not be in a transaction.
 */
export async function readTable(client: Queryable, { schema, name }: RelationName): Promise<ActualTable | undefined> {
  return inTransaction(client, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", async () => {
    await pinSettings(client);
    return readRelation(client, { schema, name });
  });
}

/** The same inside a transaction with {@link pinSettings}; the schema `pg_temp` is this session's own. */
export async function readRelation(
  client: Queryable,
  { schema, name }: RelationName,
): Promise<ActualTable | undefined> {
  const { rows } = await client.query<TableRow>(TABLE, [schema, name]);
  const table = rows[0];
  if (table === undefined) {
    return undefined;
  }
  const columns = await client.query<ColumnRow>(COLUMNS, [table.oid]);
  const constraints = await client.query<ConstraintRow>(CONSTRAINTS, [table.oid]);
  const indexes = await client.query<IndexRow>(INDEXES, [table.oid]);
  const descendants = await client.query<DescendantRow>(DESCENDANTS, [table.oid]);
  return {
    oid: table.oid,
    schema: table.schema,
    name: table.name,
    owner: table.owner,
    comment: table.comment ?? undefined,
    defaultTablespace: table.default_tablespace,
    partitionKey: { strategy: table.strategy, columns: table.key_columns, definition: table.key_definition },
    columns: columns.rows.map(columnFrom),
    ...constraintsFrom(constraints.rows),
    indexes: indexes.rows.map(indexFrom),
    descendants: descendants.rows.map(({ rows: estimate, ...row }) => ({ ...row, rows: estimate ?? undefined })),
  };
}

/** The columns of a table's primary key, in order; none when there is no such table or no key. */
export async function readPrimaryKeyColumns(client: Queryable, { schema, name }: RelationName): Promise<string[]> {
  const { rows } = await client.query<{ columns: string[] }>(PRIMARY_KEY_COLUMNS, [schema, name]);
  return rows[0]?.columns ?? [];
}
