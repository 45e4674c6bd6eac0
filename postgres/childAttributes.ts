/** Gives a new child what its parent has and PostgreSQL does not hand down: owner, rights, policies, statistics. */
import type { RelationName } from "../topology/model";
import { nameWithSuffix, qualified, quoteIdent, quoteLiteral } from "./identifiers";
import { type LockingStatement, locksOf } from "./locks";
import type { Grant, ParentFacts, Policy } from "./parent";
import { requalify } from "./requalify";
import type { Statement } from "./statement";

/** How the child was made: each way hands down other things by itself. */
export type Creation = "partitionOf" | "like";

interface Context {
  parent: ParentFacts;
  child: RelationName;
  name: string;
  creation: Creation;
}

/**
 * A table like the parent, with all that a child of it has; not attached yet. `divided` is its own PARTITION BY. An identity column of the child's own would
 * be refused by ATTACH (17 on), or give numbers twice (up to 16).
 */
export function likeStatements(parent: ParentFacts, child: RelationName, divided = ""): Statement[] {
  const { accessMethod, tablespace } = parent.attributes;
  const using = accessMethod === undefined ? "" : ` USING ${quoteIdent(accessMethod)}`;
  const place = tablespace === undefined ? "" : ` TABLESPACE ${quoteIdent(tablespace)}`;
  const like = `LIKE ${qualified(parent)} INCLUDING ALL EXCLUDING IDENTITY`;
  const sql = `CREATE TABLE ${qualified(child)} (${like})${divided}${using}${place}`;
  const locks = locksOf("like", parent, { child });
  return [{ sql, locks, transactional: true }, ...attributeStatements(parent, child, "like")];
}

/** Statements between the making of the child and its use, in order. */
export function attributeStatements(parent: ParentFacts, child: RelationName, creation: Creation): Statement[] {
  const context: Context = { parent, child, name: qualified(child), creation };
  return RULES.flatMap(({ kind, write }) => write(context).map((sql) => statement(sql, context, kind)));
}

/**
 * `USING INDEX` names the child's own index, whose name PostgreSQL chose: it is looked up when the statement runs, after
 * the child is attached.
 */
export function replicaIndexStatements(parent: ParentFacts, child: RelationName): Statement[] {
  const { replicaIdentity, replicaIndex } = parent.attributes;
  if (replicaIdentity !== "index" || replicaIndex === undefined) return [];
  const name = qualified(child);
  const body =
    `BEGIN EXECUTE (SELECT pg_catalog.format('ALTER TABLE %s REPLICA IDENTITY USING INDEX %I', ${quoteLiteral(name)}, c.relname)` +
    " FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class c ON c.oid = x.indexrelid" +
    ` WHERE x.indrelid = ${quoteLiteral(name)}::pg_catalog.regclass AND ${replicaIndex} IN` +
    " (SELECT relid FROM pg_catalog.pg_partition_ancestors(x.indexrelid) WHERE relid <> x.indexrelid)); END";
  return [statement(`DO ${quoteLiteral(body)}`, { parent, child, name, creation: "like" }, "alterChild")];
}

function statement(sql: string, { parent, child }: Context, kind: LockingStatement): Statement {
  return { sql, locks: locksOf(kind, parent, { child }), transactional: true };
}

/** The owner comes first: rights given before it would be given by the role that created the table. */
const RULES: { kind: LockingStatement; write(context: Context): string[] }[] = [
  { kind: "alterChild", write: owner },
  { kind: "grantOnChild", write: revokedDefaults },
  { kind: "grantOnChild", write: grants },
  { kind: "alterChild", write: rowSecurity },
  { kind: "alterChild", write: policies },
  { kind: "alterChild", write: replicaIdentity },
  { kind: "commentOnChild", write: statisticsTargets },
  { kind: "commentOnChild", write: columnComments },
  { kind: "commentOnChild", write: extendedStatistics },
];

function owner({ parent, name }: Context): string[] {
  return parent.attributes.owner === undefined
    ? []
    : [`ALTER TABLE ${name} OWNER TO ${quoteIdent(parent.attributes.owner)}`];
}

/** A right that the parent does not give would show rows of the child that the parent's policies hide. */
function revokedDefaults({ parent, name }: Context): string[] {
  return parent.attributes.defaultGrantees.map((grantee) => `REVOKE ALL ON TABLE ${name} FROM ${role(grantee)}`);
}

function grants({ parent, name }: Context): string[] {
  return parent.attributes.grants.map((grant) => {
    const option = grant.grantable ? " WITH GRANT OPTION" : "";
    return `GRANT ${privileges(grant)} ON TABLE ${name} TO ${role(grant.grantee)}${option}`;
  });
}

function privileges({ privileges: names, column }: Grant): string {
  return names
    .map((privilege) => (column === undefined ? privilege : `${privilege} (${quoteIdent(column)})`))
    .join(", ");
}

function role(name: string | undefined): string {
  return name === undefined ? "PUBLIC" : quoteIdent(name);
}

function rowSecurity({ parent, name }: Context): string[] {
  const { enabled, forced } = parent.attributes.rowSecurity;
  return [
    ...(enabled ? [`ALTER TABLE ${name} ENABLE ROW LEVEL SECURITY`] : []),
    ...(forced ? [`ALTER TABLE ${name} FORCE ROW LEVEL SECURITY`] : []),
  ];
}

function policies(context: Context): string[] {
  return context.parent.attributes.policies.map((policy) => createPolicy(policy, context));
}

function createPolicy(policy: Policy, { parent, child, name }: Context): string {
  const columns = parent.attributes.columns.map((column) => column.name);
  const onChild = (expression: string) => requalify(expression, parent.name, child.name, columns);
  const roles = policy.roles.length === 0 ? "PUBLIC" : policy.roles.map(quoteIdent).join(", ");
  const using = policy.using === undefined ? "" : ` USING (${onChild(policy.using)})`;
  const check = policy.check === undefined ? "" : ` WITH CHECK (${onChild(policy.check)})`;
  const kind = policy.permissive ? "PERMISSIVE" : "RESTRICTIVE";
  return `CREATE POLICY ${quoteIdent(policy.name)} ON ${name} AS ${kind} FOR ${policy.command} TO ${roles}${using}${check}`;
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

function columnComments({ parent, name, creation }: Context): string[] {
  if (creation === "like") return [];
  return parent.attributes.columns.flatMap(({ name: column, comment }) =>
    comment === undefined ? [] : [`COMMENT ON COLUMN ${name}.${quoteIdent(column)} IS ${quoteLiteral(comment)}`],
  );
}

/** Statistics objects need a name before PostgreSQL 16. */
function extendedStatistics({ parent, child, name, creation }: Context): string[] {
  if (creation === "like") return [];
  return parent.attributes.extendedStatistics.map(({ kinds, on }, index) => {
    const object = qualified({ schema: child.schema, name: nameWithSuffix(child.name, `_stat${index + 1}`) });
    const kindList = kinds.length === 0 ? "" : ` (${kinds.join(", ")})`;
    return `CREATE STATISTICS ${object}${kindList} ON ${on} FROM ${name}`;
  });
}
