/** Looks at a table in the database and describes it. Reads only. */
import { readSet } from "../postgres/catalog";
import { readLeftovers } from "../postgres/catalog/leftovers";
import type { Session, Sessions } from "../postgres/connection";
import { readDescribeOptions } from "../postgres/describeOptions";
import { errorCode, explainError } from "../postgres/errors";
import { readDefinition } from "../postgres/index/definition";
import { type Queryable, queryable } from "../postgres/table/client";
import { compareTable } from "../postgres/table/compare";
import { readTable } from "../postgres/table/read";
import { describeSet } from "../topology/describe/describe";
import type { Note, Properties } from "../topology/describe/model";
import { describeTable, type FoundIndex } from "../topology/describe/table";
import type { ActualSet, RelationName } from "../topology/model";
import type { ActualTable, DeclaredTable } from "../topology/table/model";
import { checkTable } from "../topology/table/validate";

/** What was found. */
export interface Look {
  /** Inputs of the PartitionSet. */
  set: Properties;
  /** Columns, keys, constraints and indexes; absent when they are not to be declared, or cannot be. */
  table?: Properties;
  notes: Note[];
}

/** Describes the table; reasons when that is not possible. `withTable`: its columns and keys, too. */
export async function look(
  sessions: Sessions,
  relation: RelationName,
  withTable: boolean,
): Promise<Look | { reasons: string[] }> {
  return sessions.withSession(async (session) => {
    const actual = await readSet(session, { schema: relation.schema, table: relation.name, names: [], known: {} });
    if (actual.parent === undefined)
      return { reasons: [`${relation.schema}.${relation.name} is not a partitioned table of ${sessions.target}.`] };
    const described = describeSet(actual, await readDescribeOptions(session));
    if ("reasons" in described) return described;
    const notes = [...described.notes, ...(await leftoverNotes(session, actual))];
    const table = withTable ? await tableOf(session, relation, described.inputs) : { notes: [] };
    return { set: described.inputs, ...table, notes: [...notes, ...table.notes] };
  });
}

/** Detached tables have nothing that says so; these have the columns and the beginning of a partition's name. */
async function leftoverNotes(session: Session, actual: ActualSet): Promise<Note[]> {
  const { parent, children, reorganizations = [] } = actual;
  if (parent === undefined) return [];
  const begins = new Set([`${parent.name}_`, ...children.map(({ name }) => name.replace(/\d.*$/s, ""))]);
  const ours = new Set(reorganizations.map(({ staging }) => staging.oid));
  const tables = (await readLeftovers(session, parent.oid)).filter(
    ({ name, oid }) => !ours.has(oid) && [...begins].some((begin) => begin !== "" && name.startsWith(begin)),
  );
  if (tables.length === 0) return [];
  const named = tables.map(
    ({ schema, name, rows }) => `${schema}.${name} (${rows < 0 ? "rows unknown" : `≈${rows} rows`})`,
  );
  const text =
    `Beside the table, with its columns and a name like a partition's: ${named.join(", ")}. Partitions detached earlier? ` +
    "They are left alone; one that is declared in partitions and named in adopt is attached.";
  return [{ severity: "info", text }];
}

async function tableOf(
  session: Session,
  relation: RelationName,
  set: Properties,
): Promise<{ table?: Properties; notes: Note[] }> {
  const client = queryable(session);
  const actual = await readTable(client, relation);
  if (actual === undefined) return { notes: [] };
  const { properties, notes } = describeTable(actual, await indexesOf(session, actual));
  const { schema, name } = relation;
  const { table, failures } = checkTable({ schema, name, partitionBy: set.partitionBy, ...properties });
  if (table === undefined) return undeclared(failures.map(({ property, reason }) => `${property}: ${reason}`));
  const differences = await changesOf(client, table, actual);
  if (differences.length > 0) return undeclared(differences);
  return { table: properties, notes };
}

/** SQLSTATE classes of a declaration that PostgreSQL does not understand, or has no feature for. */
const REFUSED = /^(0A|22|42)/;

/** What applying the declaration would change, in words: nothing, or it is none of this table. */
async function changesOf(client: Queryable, declared: DeclaredTable, actual: ActualTable): Promise<string[]> {
  try {
    const differences = await compareTable(client, declared, actual);
    return differences.filter(({ severity }) => severity === "change").map(({ reason }) => reason);
  } catch (error) {
    if (!REFUSED.test(errorCode(error) ?? "")) throw error;
    return [explainError(error)];
  }
}

async function indexesOf(session: Session, { schema, indexes }: ActualTable): Promise<FoundIndex[]> {
  const found: FoundIndex[] = [];
  for (const { name, valid } of indexes) {
    const definition = await readDefinition(session, { schema, name });
    if (definition !== undefined) found.push({ ...definition, valid });
  }
  return found;
}

function undeclared(reasons: readonly string[]): { notes: Note[] } {
  const text = `Columns and keys of the table are left undeclared, since no declaration comes to them: ${reasons.join(" ")}`;
  return { notes: [{ severity: "warning", text }] };
}
