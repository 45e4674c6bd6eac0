/**
 * Attributes in which a child differs from its direct parent, at every level, in one query. The comparison is made by the
 * server, so that ten thousand equal children give no row. Nothing in it waits for a lock that somebody holds on a child,
 * except where a child's columns stand in another order than its parent's.
 */
import { type AttributeDifference, type ChildAttribute, isAttribute } from "../../topology/attributes";
import type { StoredAttributes } from "../../topology/tierStorage";
import type { Session } from "../connection";
import { requalify } from "../requalify";
import {
  COLUMN_COMMENTS,
  COLUMN_OPTIONS,
  COLUMNS,
  COMMENTS,
  DEFAULTS,
  PARENT_DEFAULTS,
  REMARKABLE_COLUMNS,
} from "./differences/columns";
import { COLUMN_GRANTS, GRANTS, UNEQUAL } from "./differences/grants";
import { PARENT_POLICIES, POLICIES } from "./differences/policies";
import { PUBLICATIONS, RELATION, TRIGGERS } from "./differences/relation";
import {
  ABOVE_FOREIGN,
  CHILD_STATISTICS,
  EXTENDED_STATISTICS,
  INDEX_TARGETS,
  INDEXES,
  PARENT_STATISTICS,
  PARTNERS,
  PLACED_INDEXES,
} from "./differences/statistics";
import { STORED } from "./differences/storage";

interface Row extends Record<string, unknown> {
  child: number;
  attribute: string;
  name: string | null;
  column: string | null;
  role: string | null;
  grantor: string | null;
  expected: string | null;
  found: string | null;
  child_name: string | null;
  parent_name: string | null;
  columns: string[] | null;
}

/** The attributes of tables that are columns of pg_class. */
const OF_CLASS = `c.relname, c.relkind, c.relowner, c.relacl, c.relrowsecurity, c.relforcerowsecurity, c.relreplident,
    c.relpersistence, c.reltablespace, c.relam, c.reloptions, c.reltoastrelid`;

/**
 * `$1`, `$2`, `$4`: children, their parents, and whether they are attached; `$5`: the parents, each once; `$6`: the set's
 * own table. They are given, not found here: so PostgreSQL knows how many there are and chooses its joins by that; an inner
 * join with pg_class would let it expect fewer and look up thousands one by one. Rows of pg_class and pg_attribute are
 * fetched once for all rules.
 */
const PAIRS = `
pairs AS MATERIALIZED (
  SELECT j.child, j.parent, j.attached, ${OF_CLASS}
  FROM ROWS FROM (pg_catalog.unnest($1::oid[]), pg_catalog.unnest($2::oid[]), pg_catalog.unnest($4::bool[])) AS j(child, parent, attached)
  LEFT JOIN pg_catalog.pg_class c ON c.oid = j.child AND c.oid = ANY ($1::oid[])
), parents AS MATERIALIZED (
  SELECT c.oid, ${OF_CLASS} FROM pg_catalog.pg_class c WHERE c.oid = ANY ($5::oid[])
)`;

const WITH = [
  PAIRS,
  REMARKABLE_COLUMNS,
  COMMENTS,
  UNEQUAL,
  PARENT_POLICIES,
  PARENT_DEFAULTS,
  PARENT_STATISTICS,
  CHILD_STATISTICS,
  PARTNERS,
  PLACED_INDEXES,
  ABOVE_FOREIGN,
];

const RULES = [
  RELATION,
  GRANTS,
  COLUMN_GRANTS,
  POLICIES,
  PUBLICATIONS,
  TRIGGERS,
  COLUMNS,
  COLUMN_OPTIONS,
  COLUMN_COMMENTS,
  DEFAULTS,
  EXTENDED_STATISTICS,
  INDEX_TARGETS,
  INDEXES,
  STORED,
];

/** Names of both tables, which PostgreSQL prints inside the sub-queries of policies. */
const DIFFERENCES = `
WITH ${WITH.join(", ")}, found AS (${RULES.join(" UNION ALL ")})
SELECT r.*, p.relname::text AS child_name, u.relname::text AS parent_name,
  CASE WHEN r.attribute = 'policies' THEN ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = p.parent AND a.attnum > 0 AND NOT a.attisdropped) END AS columns
FROM found r LEFT JOIN pairs p ON p.child = r.child LEFT JOIN parents u ON u.oid = p.parent
ORDER BY r.child, r.attribute, r.name, r."column", r.role`;

/** A table and the one that it is, or may become, a partition of, by OID. */
export interface Pair {
  child: number;
  parent: number;
}

/** What is compared. */
export interface DifferencesRequest {
  /** The set's own table. */
  root: number;
  attached: Pair[];
  /** Tables that may be attached. */
  joining: Pair[];
  /** True when every right but the owner's is to be revoked on children. */
  revoked: boolean;
}

/** What was found of the children. */
export interface FoundAttributes {
  /** By OID; a child that has none is absent. */
  differences: Map<number, AttributeDifference[]>;
  /** What is compared with the declaration and not with the parent. */
  stored(child: number): StoredAttributes;
}

/** Attributes that a partition has for itself. */
const OF_ITS_OWN: ReadonlySet<string> = new Set<ChildAttribute>([
  "comment",
  "storageParameters",
  "tablespace",
  "accessMethod",
]);

export async function readDifferences(session: Session, request: DifferencesRequest): Promise<FoundAttributes> {
  const { root, attached, joining, revoked } = request;
  const pairs = [...attached, ...joining];
  const rows = await session.query<Row>(DIFFERENCES, [
    pairs.map(({ child }) => child),
    pairs.map(({ parent }) => parent),
    revoked,
    pairs.map((_, at) => at < attached.length),
    [...new Set(pairs.map(({ parent }) => parent))],
    root,
  ]);
  const differences = new Map<number, AttributeDifference[]>();
  for (const row of rows) {
    if (OF_ITS_OWN.has(row.attribute) || isSamePolicy(row)) continue;
    differences.set(row.child, [...(differences.get(row.child) ?? []), difference(row)]);
  }
  return { differences, stored: storedAttributes(rows, root) };
}

function difference(row: Row): AttributeDifference {
  const { attribute, name, column, role, grantor, expected, found } = row;
  if (!isAttribute(attribute)) throw new Error(`The attribute ${attribute} is not known.`);
  const given = Object.entries({ name, column, role, grantor, expected, found }).filter(([, value]) => value !== null);
  const plain: AttributeDifference = { attribute, ...Object.fromEntries(given) };
  return READ[attribute]?.(plain) ?? plain;
}

/** What the server says of these in a way of its own. */
const READ: Partial<Record<ChildAttribute, (difference: AttributeDifference) => AttributeDifference>> = {
  generatedColumns: generated,
  indexes: incompleteIndex,
};

/** The column says why a part cannot be built. */
function incompleteIndex({ column: obstacle, ...difference }: AttributeDifference): AttributeDifference {
  return obstacle === undefined ? difference : { ...difference, obstacle };
}

/** The server says by the name how the column is generated: a stored one has values in every row already. */
function generated({ name: kind, ...difference }: AttributeDifference): AttributeDifference {
  if (kind !== "s") return difference;
  const obstacle =
    "Its stored values were made by its own expression. Declare that, or the parent's, as generated of its entry in " +
    'partitions: by the latter it is made anew with its rows; or accept it by children.columns: "ignore".';
  return { ...difference, obstacle };
}

/** Where columns stand at other numbers, policies are printed with the child's own name in front of its columns. */
function isSamePolicy({ attribute, expected, found, columns, child_name: child, parent_name: parent }: Row): boolean {
  if (attribute !== "policies" || expected === null || found === null) return false;
  const known = columns ?? [];
  return requalify(found, child ?? "", parent ?? "", known) === requalify(expected, parent ?? "", parent ?? "", known);
}

function storedAttributes(rows: Row[], root: number): FoundAttributes["stored"] {
  const byChild = new Map<number, StoredAttributes>();
  const defaults = { tablespace: "", accessMethod: "" };
  const of = (child: number) => {
    const known = byChild.get(child) ?? { parameters: {}, ...defaults, inherited: { ...defaults } };
    byChild.set(child, known);
    return known;
  };
  const places = rows.filter(({ attribute }) => attribute === "tablespace" || attribute === "accessMethod");
  for (const { attribute, found } of places.filter(({ child }) => child === root)) {
    if (found !== null) defaults[attribute === "tablespace" ? "tablespace" : "accessMethod"] = found;
  }
  for (const { child, attribute, name, expected, found } of rows) {
    if (child === root || found === null || !OF_ITS_OWN.has(attribute)) continue;
    const stored = of(child);
    if (attribute === "comment") stored.comment = found;
    else if (attribute === "storageParameters") stored.parameters[name ?? ""] = found;
    else {
      const place = attribute === "tablespace" ? "tablespace" : "accessMethod";
      stored[place] = found;
      stored.inherited[place] = expected ?? found;
    }
  }
  // Of thousands nearly all are stored in the same way.
  const usual: StoredAttributes = { parameters: {}, ...defaults, inherited: defaults };
  return (child) => byChild.get(child) ?? usual;
}
