/** Puts right in which attributes a partition differs: one way for each attribute, with the lock that it takes. */
import { createHash } from "node:crypto";
import { ATTRIBUTES, type AttributeDifference, type ChildAttribute } from "../topology/attributes";
import type { RelationName } from "../topology/model";
import {
  createPolicy,
  createStatistics,
  type LockingSql,
  replicaIndexStatements,
  roleName,
  statementOnChild,
  statisticsDefinition,
} from "./childAttributes";
import { setExpression } from "./generated";
import { nameWithSuffix, qualified, quoteIdent, quoteLiteral } from "./identifiers";
import type { LockingStatement } from "./locks";
import type { ParentFacts } from "./parent";
import type { Statement } from "./statement";
import { parameterName } from "./storageParameters";

/** A trigger of a partition's own is only reported; indexes are built CONCURRENTLY, which is no part of a transaction. */
type Repairable = Exclude<ChildAttribute, "ownTriggers" | "indexes">;

interface Context {
  parent: ParentFacts;
  child: RelationName;
  name: string;
}

interface Repair {
  lock: LockingStatement;
  /** The table is written anew: committed by itself, so that nothing else is held locked for so long. */
  rewrites?: boolean;
  write(difference: AttributeDifference, context: Context): (string | LockingSql)[];
}

/** An action of ALTER TABLE; ONLY, because what is below a sub-partitioned child is compared with that child. */
function alter(action: (difference: AttributeDifference) => string): Repair["write"] {
  return (difference, { name }) => [`ALTER TABLE ONLY ${name} ${action(difference)}`];
}

function alterColumn(action: (difference: AttributeDifference) => string): Repair["write"] {
  return alter((difference) => `ALTER COLUMN ${quoteIdent(difference.column ?? "")} ${action(difference)}`);
}

const TRIGGER_STATES: Record<string, string> = {
  enabled: "ENABLE",
  disabled: "DISABLE",
  replica: "ENABLE REPLICA",
  always: "ENABLE ALWAYS",
};

const REPAIRS: Record<Repairable, Repair> = {
  owner: { lock: "alterChild", write: alter(({ expected = "" }) => `OWNER TO ${quoteIdent(expected)}`) },
  grants: { lock: "grantOnChild", write: grant },
  columnGrants: { lock: "grantOnChild", write: grant },
  policies: { lock: "alterChild", write: policy },
  rowSecurity: {
    lock: "alterChild",
    write: alter(({ expected }) => `${expected === "enabled" ? "ENABLE" : "DISABLE"} ROW LEVEL SECURITY`),
  },
  forceRowSecurity: {
    lock: "alterChild",
    write: alter(({ expected }) => `${expected === "forced" ? "FORCE" : "NO FORCE"} ROW LEVEL SECURITY`),
  },
  replicaIdentity: { lock: "alterChild", write: replicaIdentity },
  publications: {
    lock: "maintainChild",
    write: ({ name = "" }, context) => [`ALTER PUBLICATION ${quoteIdent(name)} DROP TABLE ONLY ${context.name}`],
  },
  triggers: {
    lock: "triggerOnChild",
    write: alter(({ name = "", expected = "" }) => `${TRIGGER_STATES[expected]} TRIGGER ${quoteIdent(name)}`),
  },
  statisticsTargets: {
    lock: "maintainChild",
    write: alterColumn(({ expected }) => `SET STATISTICS ${target(expected)}`),
  },
  columnOptions: {
    lock: "maintainChild",
    write: alterColumn(({ name = "", expected }) => setOrReset(quoteIdent(name), expected)),
  },
  indexStatisticsTargets: { lock: "statisticsOfChild", write: indexTarget },
  extendedStatistics: { lock: "maintainChild", write: addStatistics },
  extendedStatisticsTargets: {
    lock: "statisticsOfChild",
    write: ({ name = "", expected }, { child }) => [
      `ALTER STATISTICS ${qualified({ schema: child.schema, name })} SET STATISTICS ${target(expected)}`,
    ],
  },
  comment: {
    lock: "maintainChild",
    write: ({ expected }, { name }) => [`COMMENT ON TABLE ${name} IS ${textOrNull(expected)}`],
  },
  columnComments: {
    lock: "maintainChild",
    write: ({ column = "", expected }, { name }) => [
      `COMMENT ON COLUMN ${name}.${quoteIdent(column)} IS ${textOrNull(expected)}`,
    ],
  },
  columnDefaults: {
    lock: "alterChild",
    write: alterColumn(({ expected }) => (expected === undefined ? "DROP DEFAULT" : `SET DEFAULT ${expected}`)),
  },
  columnIdentity: { lock: "alterChild", write: alterColumn(() => "DROP IDENTITY") },
  generatedColumns: {
    lock: "alterChild",
    write: ({ column = "", expected = "" }, { name }) => [setExpression(`ONLY ${name}`, column, expected)],
  },
  columnStorage: { lock: "alterChild", write: alterColumn(({ expected = "" }) => `SET STORAGE ${expected}`) },
  columnCompression: {
    lock: "alterChild",
    write: alterColumn(({ expected = "DEFAULT" }) => `SET COMPRESSION ${expected}`),
  },
  storageParameters: {
    lock: "maintainChild",
    write: alter(({ name = "", expected }) => setOrReset(parameterName(name), expected)),
  },
  persistence: { lock: "rewriteChild", rewrites: true, write: alter(() => "SET LOGGED") },
  tablespace: {
    lock: "rewriteChild",
    rewrites: true,
    write: alter(({ expected = "" }) => `SET TABLESPACE ${quoteIdent(expected)}`),
  },
  accessMethod: {
    lock: "rewriteChild",
    rewrites: true,
    write: alter(({ expected = "" }) => `SET ACCESS METHOD ${quoteIdent(expected)}`),
  },
};

const ORDER = Object.keys(ATTRIBUTES);

/**
 * The statements that put differences right, in an order in which each finds what it needs: the owner first, since rights
 * are given by it; what rewrites the table last.
 */
export function adjustStatements(
  parent: ParentFacts,
  child: RelationName,
  differences: readonly AttributeDifference[],
): Statement[] {
  const context: Context = { parent, child, name: qualified(child) };
  const sorted = [...differences].sort((a, b) => ORDER.indexOf(a.attribute) - ORDER.indexOf(b.attribute));
  return sorted.flatMap((difference) => {
    if (!isRepairable(difference.attribute)) return [];
    const { lock, rewrites, write } = REPAIRS[difference.attribute];
    return write(difference, context).map((written): Statement => {
      const plain = statementOnChild(lock, parent, child, written);
      return rewrites ? { ...plain, alone: true } : plain;
    });
  });
}

function isRepairable(attribute: ChildAttribute): attribute is Repairable {
  return Object.hasOwn(REPAIRS, attribute);
}

/** Only the role that gave a right can take it back; the owner's own way would leave it there. */
function grant(difference: AttributeDifference, context: Context): (string | LockingSql)[] {
  const { name: privilege = "", column, role, grantor, expected, found } = difference;
  const { name } = context;
  const right = column === undefined ? privilege : `${privilege} (${quoteIdent(column)})`;
  const option = expected === "granted with grant option" ? " WITH GRANT OPTION" : "";
  if (expected !== undefined && (found === undefined || option !== "")) {
    return [`GRANT ${right} ON TABLE ${name} TO ${roleName(role)}${option}`];
  }
  const revoke = `REVOKE ${expected === undefined ? "" : "GRANT OPTION FOR "}${right} ON TABLE ${name} FROM ${roleName(role)}`;
  const as = (sql: string): LockingSql => ({ sql, locks: [], locksChild: false });
  const taken =
    grantor === undefined ? [revoke] : [as(`SET LOCAL ROLE ${quoteIdent(grantor)}`), revoke, as("RESET ROLE")];
  return column === undefined ? [...taken, ...columnGrantsAgain(difference, context)] : taken;
}

/** What is taken for the whole table PostgreSQL takes for its columns, too; some of those may have it from the parent. */
function columnGrantsAgain({ name: privilege = "", role }: AttributeDifference, { parent, name }: Context): string[] {
  return parent.attributes.grants.flatMap(({ grantee, privileges, column, grantable }) =>
    column !== undefined && grantee === role && privileges.includes(privilege)
      ? [
          `GRANT ${privilege} (${quoteIdent(column)}) ON TABLE ${name} TO ${roleName(role)}${grantable ? " WITH GRANT OPTION" : ""}`,
        ]
      : [],
  );
}

function policy({ name = "", expected, found }: AttributeDifference, context: Context): (string | LockingSql)[] {
  const wanted = context.parent.attributes.policies.find((candidate) => candidate.name === name);
  return [
    ...(found === undefined ? [] : [`DROP POLICY IF EXISTS ${quoteIdent(name)} ON ${context.name}`]),
    ...(expected === undefined || wanted === undefined ? [] : [createPolicy(wanted, context.parent, context.child)]),
  ];
}

function replicaIdentity({ expected = "default" }: AttributeDifference, { parent, child, name }: Context): string[] {
  if (expected === "index") return replicaIndexStatements(parent, child).map(({ sql }) => sql);
  return [`ALTER TABLE ONLY ${name} REPLICA IDENTITY ${expected.toUpperCase()}`];
}

/** Before 16 a statistics object needs a name; one made of the definition is taken only by the same definition. */
function addStatistics({ expected = "" }: AttributeDifference, { parent, child }: Context): (string | LockingSql)[] {
  const wanted = parent.attributes.extendedStatistics.filter((known) => statisticsDefinition(known) === expected);
  const hash = createHash("sha256").update(expected).digest("hex").slice(0, 8);
  return wanted.flatMap((statistics) =>
    createStatistics(statistics, nameWithSuffix(child.name, `_stat_${hash}`), child),
  );
}

function indexTarget({ name = "", column, expected }: AttributeDifference, { child }: Context): LockingSql[] {
  const index = qualified({ schema: child.schema, name });
  const sql = `ALTER INDEX ${index} ALTER COLUMN ${Number(column)} SET STATISTICS ${target(expected)}`;
  return [{ sql, locksChild: false, locks: [{ relation: index, mode: "SHARE UPDATE EXCLUSIVE", hold: "instant" }] }];
}

function setOrReset(parameter: string, value: string | undefined): string {
  return value === undefined ? `RESET (${parameter})` : `SET (${parameter} = ${quoteLiteral(value)})`;
}

/** -1 is PostgreSQL's word for the default. */
function target(expected: string | undefined): number {
  return expected === undefined ? -1 : Number(expected);
}

function textOrNull(text: string | undefined): string {
  return text === undefined ? "NULL" : quoteLiteral(text);
}
