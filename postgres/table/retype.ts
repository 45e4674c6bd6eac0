/** Whether another type for a column concerns the catalog only, and what stands on the column. */
import type { ActualColumn, ActualTable, DeclaredTable } from "../../topology/table/model";
import { hasSqlstate, SQLSTATE } from "../errors";
import { quoteIdent } from "../identifiers";
import { pinSettings, type Queryable } from "./client";
import { lookupPath } from "./create";
import type { Difference } from "./difference";
import { DEPENDENTS } from "./queries";
import { fileOf } from "./scratch";

/** Adds to each difference of type what has to be known before the type can be changed in place. */
export async function withRetyping(
  client: Queryable,
  declared: DeclaredTable,
  actual: ActualTable,
  differences: Difference[],
): Promise<Difference[]> {
  const completed = [];
  for (const difference of differences) {
    const column = difference.position === undefined ? undefined : declared.columns?.[difference.position];
    const there = actual.columns.find(({ name }) => name === column?.name);
    completed.push(
      difference.kind !== "columnType" || there === undefined || difference.declared === undefined
        ? difference
        : {
            ...difference,
            instant: await keepsFile(client, declared.schema, there, difference.declared),
            dependents: await dependents(client, actual, there.name),
          },
    );
  }
  return completed;
}

/** A rewrite gives a table a new file, an empty one as well. A cast that PostgreSQL does not make by itself is no such change. */
async function keepsFile(client: Queryable, schema: string, there: ActualColumn, type: string): Promise<boolean> {
  const relation = 'pg_temp."pgpartition scratch type"';
  const collation = there.collation === undefined ? "" : ` COLLATE ${there.collation}`;
  await client.query("BEGIN");
  try {
    await pinSettings(client);
    await client.query(lookupPath(schema).sql);
    await client.query(`CREATE TABLE ${relation} (${quoteIdent(there.name)} ${there.type}${collation})`);
    const before = await fileOf(client, relation);
    await client.query(`ALTER TABLE ${relation} ALTER COLUMN ${quoteIdent(there.name)} TYPE ${type}`);
    return (await fileOf(client, relation)) === before;
  } catch (error) {
    if (hasSqlstate(error, SQLSTATE.datatypeMismatch, SQLSTATE.cannotCoerce)) return false;
    throw error;
  } finally {
    await client.query("ROLLBACK").catch(() => undefined);
  }
}

async function dependents(client: Queryable, actual: ActualTable, column: string): Promise<string[]> {
  const oids = [actual.oid, ...actual.descendants.map(({ oid }) => oid)];
  const { rows } = await client.query<{ dependent: string }>(DEPENDENTS, [oids, column]);
  return rows.map(({ dependent }) => dependent);
}
