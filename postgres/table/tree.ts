/** What a change of a table has to know of its partitions and of the tables that it references. */
import type { RelationName } from "../../topology/model";
import type { ActualTable, DeclaredTable } from "../../topology/table/model";
import { qualified } from "../identifiers";
import { inTransaction, pinSettings, type Queryable } from "./client";
import { type ConstraintRow, type Constraints, constraintsFrom } from "./constraints";
import type { Difference } from "./difference";
import { BELOW, DESCENDANTS, NOT_NULL_COLUMNS, PARTITION_CONSTRAINTS } from "./queries";

export interface TreeFacts {
  /** Major version of the server. */
  major: number;
  /** By OID of a partition: its own constraints, those that are not validated, and all foreign keys. */
  constraints: Map<number, Constraints>;
  /** By OID of a partition: those columns that are to become NOT NULL and are so there. */
  notNull: Map<number, Set<string>>;
  below: Below;
}

/** Partitions of referenced tables, by the qualified name of the table: what locks the table mostly locks them, too. */
export type Below = ReadonlyMap<string, Referenced[]>;

export interface Referenced extends RelationName {
  /** `p` has partitions of its own. */
  relkind: string;
}

/** A tree of which nothing is known. */
export const NO_TREE: Omit<TreeFacts, "major"> = { constraints: new Map(), notNull: new Map(), below: new Map() };

/** Reads what the differences make necessary, in at most four queries whatever the number of partitions. */
export async function readTree(
  client: Queryable,
  declared: DeclaredTable,
  actual: ActualTable,
  differences: Difference[],
): Promise<TreeFacts> {
  const major = await readMajor(client);
  if (!differences.some(({ severity }) => severity === "change")) return { major, ...NO_TREE };
  // Those that are there matter too: one of them may have to go.
  const foreignKeys = [...declared.foreignKeys, ...actual.foreignKeys];
  if (actual.descendants.length === 0) {
    return { major, ...NO_TREE, below: await readBelow(client, foreignKeys) };
  }
  const oids = actual.descendants.map(({ oid }) => oid);
  const columns = differences.filter(({ kind }) => kind === "columnNullable").flatMap(columnOf(declared));
  return inTransaction(client, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", async () => {
    await pinSettings(client);
    const { rows } = await client.query<ConstraintRow>(PARTITION_CONSTRAINTS, [oids]);
    const constraints = new Map([...grouped(rows)].map(([oid, own]) => [oid, constraintsFrom(own)]));
    return {
      major,
      constraints,
      notNull: await readNotNull(client, oids, columns),
      below: await readBelow(client, foreignKeys),
    };
  });
}

/** The OIDs of everything below a table, in order. */
export async function readDescendants(client: Queryable, oid: number): Promise<number[]> {
  const { rows } = await client.query<{ oid: number }>(DESCENDANTS, [oid]);
  return rows.map((row) => row.oid).sort((one, other) => one - other);
}

export async function readMajor(client: Queryable): Promise<number> {
  const { rows } = await client.query<{ version: number }>(
    "SELECT pg_catalog.current_setting('server_version_num')::int AS version",
  );
  return Math.floor((rows[0]?.version ?? 0) / 10_000);
}

function columnOf({ columns }: DeclaredTable): (difference: Difference) => string[] {
  return ({ position }) => {
    const column = position === undefined ? undefined : columns?.[position];
    return column === undefined ? [] : [column.name];
  };
}

async function readNotNull(client: Queryable, oids: number[], columns: string[]): Promise<Map<number, Set<string>>> {
  if (columns.length === 0) return new Map();
  const { rows } = await client.query<{ relation: number; name: string }>(NOT_NULL_COLUMNS, [oids, columns]);
  return new Map([...grouped(rows)].map(([oid, found]) => [oid, new Set(found.map(({ name }) => name))]));
}

/** The partitions of the tables that foreign keys reference. */
export async function readBelow(
  client: Queryable,
  foreignKeys: { references: { schema: string; table: string } }[],
): Promise<Below> {
  if (foreignKeys.length === 0) return new Map();
  const { rows } = await client.query<Referenced & { root_schema: string; root_name: string }>(BELOW, [
    foreignKeys.map(({ references }) => references.schema),
    foreignKeys.map(({ references }) => references.table),
  ]);
  const below = new Map<string, Referenced[]>();
  for (const { root_schema, root_name, schema, name, relkind } of rows) {
    const root = qualified({ schema: root_schema, name: root_name });
    const known = below.get(root) ?? [];
    if (!known.some((other) => other.schema === schema && other.name === name)) known.push({ schema, name, relkind });
    below.set(root, known);
  }
  return below;
}

function grouped<R extends { relation: number }>(rows: R[]): Map<number, R[]> {
  const groups = new Map<number, R[]>();
  for (const row of rows) groups.set(row.relation, [...(groups.get(row.relation) ?? []), row]);
  return groups;
}
