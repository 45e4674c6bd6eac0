/** Gives a new child what its parent has and PostgreSQL does not hand down: owner, rights, policies, statistics. */
import type { RelationName } from "../topology/model";
import type { TierStorage } from "../topology/tierStorage";
import { expressionClause, SET_EXPRESSION_MAJOR, setExpression } from "./generated";
import { nameWithSuffix, qualified, quoteIdent, quoteLiteral } from "./identifiers";
import { type LockingStatement, locksOf, strongest } from "./locks";
import type { ExtendedStatistics, Grant, ParentFacts, Policy } from "./parent";
import { requalify } from "./requalify";
import type { Lock, Statement } from "./statement";
import { storageClauses } from "./storageParameters";

/** How the child was made: each way hands down other things by itself. */
export type Creation = "partitionOf" | "like";

interface Context {
  parent: ParentFacts;
  child: RelationName;
  name: string;
  creation: Creation;
  /** See {@link Declared}. */
  objects: string;
}

/** What is declared for a table beside what its parent has. */
interface Declared {
  /** Its own ` PARTITION BY …`. */
  divided?: string;
  storage?: TierStorage;
  /** Generation expressions of its own, by column. */
  generated?: Record<string, string>;
  /** Names of its statistics objects begin so, where another table may still have those of its name. Default: its name. */
  objects?: string;
}

/**
 * A table like the parent, with all that a child of it has; not attached yet. An identity column of the child's own would
 * be refused by ATTACH (17 on), or give numbers twice (up to 16).
 */
export function likeStatements(
  parent: ParentFacts,
  child: RelationName,
  { divided = "", storage: declared = {}, generated = {}, objects }: Declared = {},
): Statement[] {
  const { accessMethod, tablespace } = parent.attributes;
  const storage = storageClauses({ accessMethod, tablespace, ...declared });
  if (Object.keys(generated).length > 0 && parent.major < SET_EXPRESSION_MAJOR)
    return throughScratch(parent, child, { generated, objects }, divided + storage);
  const without = makesStatistics(parent, "like") ? " EXCLUDING STATISTICS" : "";
  const like = `LIKE ${qualified(parent)} INCLUDING ALL EXCLUDING IDENTITY${without}`;
  const sql = `CREATE TABLE ${qualified(child)} (${like})${divided}${storage}`;
  const locks = locksOf("like", parent, { child });
  const expressions = Object.entries(generated).map(([column, expression]) =>
    statementOnChild("alterChild", parent, child, setExpression(qualified(child), column, expression)),
  );
  return [{ sql, locks, transactional: true }, ...expressions, ...attributeStatements(parent, child, "like", objects)];
}

/**
 * Before 17 a column gets an expression of its own only by PARTITION OF, which would lock the parent ACCESS EXCLUSIVE: so it
 * is a partition of a table like the parent, which nobody else ever sees.
 */
function throughScratch(
  parent: ParentFacts,
  child: RelationName,
  { generated, objects }: Pick<Declared, "generated" | "objects">,
  clauses: string,
): Statement[] {
  const [key] = parent.keys;
  if (key === undefined) throw new RangeError(`The partition key of ${qualified(parent)} is not known.`);
  const scratch = { schema: child.schema, name: nameWithSuffix(child.name, SCRATCH_SUFFIX) };
  const [name, like] = [qualified(scratch), "INCLUDING ALL EXCLUDING IDENTITY EXCLUDING STATISTICS"];
  const exclusive = (relation: RelationName): Lock => ({
    relation: qualified(relation),
    mode: "ACCESS EXCLUSIVE",
    hold: "instant",
  });
  const both = [exclusive(scratch), exclusive(child)];
  const make = `CREATE TABLE ${name} (LIKE ${qualified(parent)} ${like}) PARTITION BY LIST (${key.sql})`;
  const own = `CREATE TABLE ${qualified(child)} PARTITION OF ${name}${expressionClause(generated)} DEFAULT${clauses}`;
  const statements: [string, Lock[]][] = [
    [make, locksOf("like", parent, { child: scratch })],
    [own, both],
    [`ALTER TABLE ${name} DETACH PARTITION ${qualified(child)}`, both],
    [`DROP TABLE ${name}`, [exclusive(scratch)]],
  ];
  return [
    ...statements.map(([sql, locks]): Statement => ({ sql, locks, transactional: true })),
    ...attributeStatements(parent, child, "partitionOf", objects),
  ];
}

/** A name that no partition is likely to have. */
const SCRATCH_SUFFIX = "_pgpartition_like";

/** Statements between the making of the child and its use, in order. */
export function attributeStatements(
  parent: ParentFacts,
  child: RelationName,
  creation: Creation,
  objects = child.name,
): Statement[] {
  const context: Context = { parent, child, name: qualified(child), creation, objects };
  return RULES.flatMap(({ kind, write }) =>
    write(context).map((written) => statementOnChild(kind, parent, child, written)),
  );
}

/** A statement that locks other relations than the child, too; or instead of it. */
export interface LockingSql {
  sql: string;
  locks: Lock[];
  /** Default: true. */
  locksChild?: boolean;
}

/** A statement about a child, with its locks. */
export function statementOnChild(
  kind: LockingStatement,
  parent: ParentFacts,
  child: RelationName,
  written: string | LockingSql,
): Statement {
  const {
    sql,
    locks,
    locksChild = true,
  }: LockingSql = typeof written === "string" ? { sql: written, locks: [] } : written;
  const onChild = locksChild ? locksOf(kind, parent, { child }) : [];
  return { sql, locks: strongest([...onChild, ...locks]), transactional: true };
}

/**
 * What is about indexes of the child, whose names PostgreSQL chose: they are looked up when the statement runs, after the
 * child is attached.
 */
export function indexStatements(parent: ParentFacts, child: RelationName): Statement[] {
  const name = qualified(child);
  const { indexTargets } = parent.attributes;
  const targets = indexTargets.map(({ index, column, target }) => {
    const action = quoteLiteral(`ALTER INDEX %I.%I ALTER COLUMN ${column} SET STATISTICS ${target}`);
    const sql = `pg_catalog.format(${action}, ${quoteLiteral(child.schema)}, c.relname)`;
    return statementOnChild("maintainChild", parent, child, withPartOf(index, name, sql, true));
  });
  return [...replicaIndexStatements(parent, child), ...targets];
}

export function replicaIndexStatements(parent: ParentFacts, child: RelationName): Statement[] {
  const { replicaIdentity, replicaIndex } = parent.attributes;
  if (replicaIdentity !== "index" || replicaIndex === undefined) return [];
  const name = qualified(child);
  const sql = `pg_catalog.format('ALTER TABLE %s REPLICA IDENTITY USING INDEX %I', ${quoteLiteral(name)}, c.relname)`;
  return [statementOnChild("alterChild", parent, child, withPartOf(replicaIndex, name, sql))];
}

/**
 * Runs what the expression `sql` comes to for `c`, the child's part of an index of the parent. `locks`: the child as that
 * index is, whose name nobody can tell beforehand.
 */
function withPartOf(parentIndex: number, child: string, sql: string, locks = false): string {
  const body =
    `BEGIN ${locks ? `LOCK TABLE ONLY ${child} IN SHARE UPDATE EXCLUSIVE MODE; ` : ""}EXECUTE (SELECT ${sql} FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class c ON c.oid = x.indexrelid` +
    ` WHERE x.indrelid = ${quoteLiteral(child)}::pg_catalog.regclass AND ${parentIndex} IN` +
    " (SELECT relid FROM pg_catalog.pg_partition_ancestors(x.indexrelid) WHERE relid <> x.indexrelid)); END";
  return `DO ${quoteLiteral(body)}`;
}

/** The owner comes first: rights given before it would be given by the role that created the table. */
const RULES: { kind: LockingStatement; write(context: Context): (string | LockingSql)[] }[] = [
  { kind: "alterChild", write: owner },
  { kind: "grantOnChild", write: revokedDefaults },
  { kind: "grantOnChild", write: ownerRevokes },
  { kind: "grantOnChild", write: grants },
  { kind: "alterChild", write: rowSecurity },
  { kind: "alterChild", write: policies },
  { kind: "alterChild", write: replicaIdentity },
  { kind: "maintainChild", write: statisticsTargets },
  { kind: "maintainChild", write: columnOptions },
  { kind: "maintainChild", write: columnComments },
  { kind: "maintainChild", write: extendedStatistics },
];

function owner({ parent, name }: Context): string[] {
  return parent.attributes.owner === undefined
    ? []
    : [`ALTER TABLE ${name} OWNER TO ${quoteIdent(parent.attributes.owner)}`];
}

/** A right that the parent does not give would show rows of the child that the parent's policies hide. */
function revokedDefaults({ parent, name }: Context): string[] {
  return parent.attributes.defaultGrantees.map((grantee) => `REVOKE ALL ON TABLE ${name} FROM ${roleName(grantee)}`);
}

/** Rights that the owner of the parent has taken from itself, against mistakes. */
function ownerRevokes({ parent, name }: Context): string[] {
  const { owner: other, ownerLacks } = parent.attributes;
  if (ownerLacks.length === 0) return [];
  return [
    `REVOKE ${ownerLacks.join(", ")} ON TABLE ${name} FROM ${other === undefined ? "CURRENT_USER" : quoteIdent(other)}`,
  ];
}

function grants({ parent, name }: Context): string[] {
  return parent.attributes.grants.map((grant) => {
    const option = grant.grantable ? " WITH GRANT OPTION" : "";
    return `GRANT ${privileges(grant)} ON TABLE ${name} TO ${roleName(grant.grantee)}${option}`;
  });
}

function privileges({ privileges: names, column }: Grant): string {
  return names
    .map((privilege) => (column === undefined ? privilege : `${privilege} (${quoteIdent(column)})`))
    .join(", ");
}

export function roleName(name: string | undefined): string {
  return name === undefined ? "PUBLIC" : quoteIdent(name);
}

function rowSecurity({ parent, name }: Context): string[] {
  const { enabled, forced } = parent.attributes.rowSecurity;
  return [
    ...(enabled ? [`ALTER TABLE ${name} ENABLE ROW LEVEL SECURITY`] : []),
    ...(forced ? [`ALTER TABLE ${name} FORCE ROW LEVEL SECURITY`] : []),
  ];
}

function policies(context: Context): LockingSql[] {
  return context.parent.attributes.policies.map((policy) => createPolicy(policy, context.parent, context.child));
}

/** A policy of the parent, for a child. */
export function createPolicy(policy: Policy, parent: ParentFacts, child: RelationName): LockingSql {
  const columns = parent.attributes.columns.map((column) => column.name);
  const onChild = (expression: string) => requalify(expression, parent.name, child.name, columns);
  const roles = policy.roles.length === 0 ? "PUBLIC" : policy.roles.map(quoteIdent).join(", ");
  const using = policy.using === undefined ? "" : ` USING (${onChild(policy.using)})`;
  const check = policy.check === undefined ? "" : ` WITH CHECK (${onChild(policy.check)})`;
  const kind = policy.permissive ? "PERMISSIVE" : "RESTRICTIVE";
  const sql = `CREATE POLICY ${quoteIdent(policy.name)} ON ${qualified(child)} AS ${kind} FOR ${policy.command} TO ${roles}${using}${check}`;
  // What its sub-queries read is locked as by a query.
  return {
    sql,
    locks: policy.reads.map((read) => ({ relation: qualified(read), mode: "ACCESS SHARE", hold: "instant" })),
  };
}

function replicaIdentity({ parent, name }: Context): string[] {
  const { replicaIdentity: identity } = parent.attributes;
  return identity === "full" || identity === "nothing"
    ? [`ALTER TABLE ${name} REPLICA IDENTITY ${identity.toUpperCase()}`]
    : [];
}

function statisticsTargets({ parent, name }: Context): string[] {
  const targets = parent.attributes.columns
    .filter((column) => column.statistics !== undefined)
    .map((column) => `ALTER COLUMN ${quoteIdent(column.name)} SET STATISTICS ${column.statistics}`);
  return targets.length === 0 ? [] : [`ALTER TABLE ${name} ${targets.join(", ")}`];
}

function columnOptions({ parent, name }: Context): string[] {
  return parent.attributes.columns.flatMap(({ name: column, options }) => {
    if (options === undefined) return [];
    const list = Object.entries(options).map(([option, value]) => `${quoteIdent(option)} = ${quoteLiteral(value)}`);
    return [`ALTER TABLE ${name} ALTER COLUMN ${quoteIdent(column)} SET (${list.join(", ")})`];
  });
}

function columnComments({ parent, name, creation }: Context): string[] {
  if (creation === "like") return [];
  return parent.attributes.columns.flatMap(({ name: column, comment }) =>
    comment === undefined ? [] : [`COMMENT ON COLUMN ${name}.${quoteIdent(column)} IS ${quoteLiteral(comment)}`],
  );
}

/** LIKE makes the statistics objects too, but not their targets: then they are made here, by names that are known. */
export function makesStatistics({ attributes }: ParentFacts, creation: Creation): boolean {
  return creation === "partitionOf" || attributes.extendedStatistics.some(({ target }) => target !== undefined);
}

/** Statistics objects need a name before PostgreSQL 16. */
function extendedStatistics({ parent, child, creation, objects }: Context): (string | LockingSql)[] {
  if (!makesStatistics(parent, creation)) return [];
  return parent.attributes.extendedStatistics.flatMap((statistics, index) =>
    createStatistics(statistics, nameWithSuffix(objects, `_stat${index + 1}`), child),
  );
}

/** Kinds and columns as CREATE STATISTICS takes them. */
export function statisticsDefinition({ kinds, on }: Pick<ExtendedStatistics, "kinds" | "on">): string {
  return `${kinds.length === 0 ? "" : `(${kinds.join(", ")}) `}ON ${on}`;
}

export function createStatistics(
  statistics: ExtendedStatistics,
  name: string,
  child: RelationName,
): (string | LockingSql)[] {
  const object = qualified({ schema: child.schema, name });
  const target = `ALTER STATISTICS ${object} SET STATISTICS ${statistics.target}`;
  return [
    `CREATE STATISTICS ${object} ${statisticsDefinition(statistics)} FROM ${qualified(child)}`,
    ...(statistics.target === undefined ? [] : [{ sql: target, locks: [], locksChild: false }]),
  ];
}
