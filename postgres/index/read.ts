/** Reads an index with all its parts from the catalog, and what PostgreSQL makes of its declaration. */
import { sameSignature } from "../../topology/index/compare";
import {
  type IndexConstraint,
  type IndexDeclaration,
  type IndexSignature,
  type IndexTree,
  type TreeIndex,
  type TreeRelation,
  UNREAD,
} from "../../topology/index/model";
import { partNames, replacementName } from "../../topology/index/names";
import type { RelationName } from "../../topology/model";
import type { Session } from "../connection";
import { qualified } from "../identifiers";
import { EXPRESSIONS, INDEXES, RELATIONS, TAKEN } from "./queries";
import { createClause, searchPathFor } from "./render";

/** How long the few reads that may have to wait for somebody's ACCESS EXCLUSIVE lock do so, in milliseconds. */
const READ_LOCK_TIMEOUT_MS = 2_000;

/**
 * The table's tree with its indexes; the session must not be in a transaction.
 * @throws PostgreSQL's error when it refuses the declaration (a column that does not exist), or 55P03 when an expression
 * cannot be read because somebody keeps the table locked.
 */
export async function readIndexTree(session: Session, declared: IndexDeclaration, root: number): Promise<IndexTree> {
  const tree = await readTree(session, root);
  const wanted = await readWanted(
    session,
    declared,
    tree.relations[0] ?? { schema: declared.schema, name: declared.table },
  );
  const indexes = await withExpressions(session, tree.indexes, wanted, root);
  return { ...tree, indexes, wanted, taken: await readTaken(session, declared, tree.relations) };
}

/** The same for an index on columns that are still to come: nothing that is there can be equal to it. */
export async function readTreeBefore(session: Session, declared: IndexDeclaration, root: number): Promise<IndexTree> {
  const tree = await readTree(session, root);
  const { method, unique, nullsNotDistinct, columns, include } = declared;
  const names = [...columns.map(({ column }) => column ?? null), ...include];
  const unlike = { opclasses: "", collations: "", options: "", storage: [] };
  const wanted = { method, unique, nullsNotDistinct, keys: columns.length, columns: names, ...unlike };
  return { ...tree, wanted, taken: await readTaken(session, declared, tree.relations) };
}

/** The relations of a tree and their indexes, without their expressions. */
export async function readTree(
  session: Session,
  root: number,
): Promise<Pick<IndexTree, "relations" | "indexes" | "pending">> {
  const found = await session.query<RelationRow>(RELATIONS, [root]);
  const relations = found.filter(({ pending }) => !pending).map(relationFrom);
  const rows = await session.query<IndexRow>(INDEXES, [relations.map(({ oid }) => oid)]);
  return { relations, indexes: rows.map(indexFrom), pending: found.some(({ pending }) => pending) };
}

interface RelationRow extends Record<string, unknown>, Omit<TreeRelation, "parent"> {
  parent: number | null;
  pending: boolean;
}

function relationFrom({ pending: _, parent, ...relation }: RelationRow): TreeRelation {
  return { ...relation, parent: parent ?? undefined };
}

interface IndexRow extends Record<string, unknown> {
  oid: number;
  schema: string;
  name: string;
  table: number;
  attached_to: number | null;
  valid: boolean;
  method: string;
  unique: boolean;
  nulls_not_distinct: boolean;
  keys: number;
  columns: (string | null)[];
  opclasses: string;
  collations: string;
  options: string;
  has_expressions: boolean;
  has_predicate: boolean;
  constraint: string | null;
  deferrable: boolean | null;
  storage: string[];
  tablespace: string;
  comment: string | null;
  builder: number | null;
}

const CONSTRAINTS: Record<string, IndexConstraint> = { p: "primary key", u: "unique" };

function indexFrom(row: IndexRow): TreeIndex {
  const constraint = row.deferrable ? "other" : (CONSTRAINTS[row.constraint ?? ""] ?? "other");
  return {
    oid: row.oid,
    schema: row.schema,
    name: row.name,
    table: row.table,
    attachedTo: row.attached_to ?? undefined,
    valid: row.valid,
    method: row.method,
    unique: row.unique,
    nullsNotDistinct: row.nulls_not_distinct,
    keys: row.keys,
    columns: row.columns,
    opclasses: row.opclasses,
    collations: row.collations,
    options: row.options,
    expressions: row.has_expressions ? UNREAD : undefined,
    predicate: row.has_predicate ? UNREAD : undefined,
    constraint: row.constraint === null ? undefined : constraint,
    storage: row.storage,
    tablespace: row.tablespace,
    comment: row.comment ?? undefined,
    builder: row.builder ?? undefined,
  };
}

/** Fills in expressions where the decision depends on them: on the table, and of parts that look like what is wanted. */
async function withExpressions(
  session: Session,
  indexes: TreeIndex[],
  wanted: IndexSignature,
  root: number,
): Promise<TreeIndex[]> {
  const likely = (index: TreeIndex) =>
    sameSignature({ ...index, expressions: wanted.expressions, predicate: wanted.predicate }, wanted);
  const asked = indexes.filter(
    (index) =>
      (index.expressions === UNREAD || index.predicate === UNREAD) &&
      (index.table === root || (index.attachedTo === undefined && likely(index))),
  );
  const texts = await readExpressions(session, asked);
  return indexes.map((index) => ({ ...index, ...texts.get(index.oid) }));
}

type Texts = Pick<IndexSignature, "expressions" | "predicate">;

async function readExpressions(session: Session, indexes: { oid: number }[]): Promise<Map<number, Texts>> {
  if (indexes.length === 0) return new Map();
  return session.transaction(async () => {
    await session.query(`SET LOCAL lock_timeout = ${READ_LOCK_TIMEOUT_MS}`);
    return readTexts(session, indexes);
  });
}

async function readTexts(session: Session, indexes: { oid: number }[]): Promise<Map<number, Texts>> {
  const rows = await session.query<{ oid: number; expressions: string | null; predicate: string | null }>(EXPRESSIONS, [
    indexes.map(({ oid }) => oid),
  ]);
  return new Map(
    rows.map(({ oid, expressions, predicate }) => [
      oid,
      { expressions: expressions ?? undefined, predicate: predicate ?? undefined },
    ]),
  );
}

/** Every name that the plan may choose, by schema. */
async function readTaken(
  session: Session,
  declared: IndexDeclaration,
  relations: TreeRelation[],
): Promise<Set<string>> {
  const [root, ...below] = relations;
  const wanted = below.flatMap((relation) =>
    partNames(declared.name, declared.table, relation).map((name) => ({ schema: relation.schema, name })),
  );
  const schema = root?.schema ?? declared.schema;
  wanted.push({ schema, name: declared.name }, { schema, name: replacementName(declared.name) });
  const rows = await session.query<{ schema: string; name: string }>(TAKEN, [
    wanted.map((relation) => relation.schema),
    wanted.map(({ name }) => name),
  ]);
  return new Set(rows.map(({ schema: there, name }) => `${there}.${name}`));
}

/** A table that nobody else can see, with the columns of the real one. */
const SCRATCH: RelationName = { schema: "pg_temp", name: "pgpartition scratch" };

/** The declaration read back: the index is made on a temporary table like the real one, and rolled back. */
async function readWanted(
  session: Session,
  declared: IndexDeclaration,
  table: RelationName,
): Promise<IndexTree["wanted"]> {
  await session.query("BEGIN");
  try {
    await session.query(`SET LOCAL lock_timeout = ${READ_LOCK_TIMEOUT_MS}`);
    await session.query(`CREATE TEMPORARY TABLE ${qualified(SCRATCH)} (LIKE ${qualified(table)} INCLUDING GENERATED)`);
    await session.query(`SET LOCAL ${searchPathFor(declared)}`);
    const { tablespace: _, ...anywhere } = declared;
    await session.query(`CREATE ${createClause(anywhere, SCRATCH, { index: "pgpartition scratch index" })}`);
    await session.query("SET LOCAL search_path TO ''");
    const [scratch] = await session.query<{ oid: number }>("SELECT $1::pg_catalog.regclass::oid AS oid", [
      qualified(SCRATCH),
    ]);
    const [row] = await session.query<IndexRow>(INDEXES, [[scratch?.oid]]);
    if (row === undefined) throw new Error(`The scratch index for ${declared.name} cannot be read back.`);
    const index = indexFrom(row);
    return { ...index, ...(await readTexts(session, [index])).get(index.oid) };
  } finally {
    await session.query("ROLLBACK").catch(() => undefined);
  }
}
