/**
 * Attributes in which a child differs from its direct parent, at every level, in one query. The comparison is made by the
 * server, so that ten thousand equal children give no row. Nothing in it waits for a lock that somebody holds on a child,
 * except where a child's columns stand in another order than its parent's.
 */
import { type AttributeDifference, type ChildAttribute, isAttribute } from "../../topology/attributes";
import type { StoredAttributes } from "../../topology/storage";
import type { Session } from "../connection";
import { requalify } from "../requalify";
import { COLUMN_COMMENTS, COLUMN_OPTIONS, COLUMNS, DEFAULTS, PARENT_DEFAULTS } from "./differences/columns";
import { COLUMN_GRANTS, GRANTS, UNEQUAL } from "./differences/grants";
import { PARENT_POLICIES, POLICIES } from "./differences/policies";
import { PUBLICATIONS, RELATION, TRIGGERS } from "./differences/relation";
import {
  CHILD_STATISTICS,
  EXTENDED_STATISTICS,
  INDEX_TARGETS,
  INDEXES,
  PARENT_STATISTICS,
  PARTNERS,
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

/** `$2`: tables that are to become children of those in `$4`. A pending child is on its way out. */
const PAIRS = `
tree AS (
  SELECT inhrelid AS child, inhparent AS parent FROM pg_catalog.pg_inherits WHERE inhparent = $1 AND NOT inhdetachpending
  UNION ALL
  SELECT i.inhrelid, i.inhparent FROM tree JOIN pg_catalog.pg_inherits i ON i.inhparent = tree.child AND NOT i.inhdetachpending
), pairs AS MATERIALIZED (
  SELECT t.child, t.parent, true AS attached, c.relkind FROM tree t JOIN pg_catalog.pg_class c ON c.oid = t.child
  UNION ALL
  SELECT c.oid, j.parent, false, c.relkind FROM ROWS FROM (unnest($2::oid[]), unnest($4::oid[])) AS j(child, parent)
  JOIN pg_catalog.pg_class c ON c.oid = j.child AND c.relkind IN ('r', 'p', 'f')
)`;

const WITH = [PAIRS, UNEQUAL, PARENT_POLICIES, PARENT_DEFAULTS, PARENT_STATISTICS, CHILD_STATISTICS, PARTNERS];

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
WITH RECURSIVE ${WITH.join(", ")}, found AS (${RULES.join(" UNION ALL ")})
SELECT r.*, c.relname::text AS child_name, u.relname::text AS parent_name,
  CASE WHEN r.attribute = 'policies' THEN ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = p.parent AND a.attnum > 0 AND NOT a.attisdropped) END AS columns
FROM found r LEFT JOIN pairs p ON p.child = r.child
LEFT JOIN pg_catalog.pg_class c ON c.oid = p.child LEFT JOIN pg_catalog.pg_class u ON u.oid = p.parent
ORDER BY r.child, r.attribute, r.name, r."column", r.role`;

/** A table that may be attached to another one, by OID. */
export interface Joining {
  child: number;
  parent: number;
}

/** What is compared. */
export interface DifferencesRequest {
  /** OID of the partitioned table; everything below it is compared. */
  parent: number;
  joining: Joining[];
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
  const { parent, joining, revoked } = request;
  const places = [joining.map(({ child }) => child), joining.map((one) => one.parent)];
  const rows = await session.query<Row>(DIFFERENCES, [parent, places[0], revoked, places[1]]);
  const differences = new Map<number, AttributeDifference[]>();
  for (const row of rows) {
    if (OF_ITS_OWN.has(row.attribute) || isSamePolicy(row)) continue;
    differences.set(row.child, [...(differences.get(row.child) ?? []), difference(row)]);
  }
  return { differences, stored: storedAttributes(rows, request.parent) };
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
    "Its stored values were made by its own expression: ALTER TABLE … ALTER COLUMN … SET EXPRESSION (17 and later) " +
    'rewrites the partition under ACCESS EXCLUSIVE. Do that by hand, or accept it by children.columns: "ignore".';
  return { ...difference, obstacle };
}

/** Where columns stand at other numbers, policies are printed with the child's own name in front of its columns. */
function isSamePolicy({ attribute, expected, found, columns, child_name: child, parent_name: parent }: Row): boolean {
  if (attribute !== "policies" || expected === null || found === null) return false;
  const known = columns ?? [];
  return requalify(found, child ?? "", parent ?? "", known) === requalify(expected, parent ?? "", parent ?? "", known);
}

function storedAttributes(rows: Row[], parent: number): FoundAttributes["stored"] {
  const byChild = new Map<number, StoredAttributes>();
  const defaults = { tablespace: "", accessMethod: "" };
  const of = (child: number) => {
    const known = byChild.get(child) ?? { parameters: {}, ...defaults, inherited: { ...defaults } };
    byChild.set(child, known);
    return known;
  };
  const places = rows.filter(({ attribute }) => attribute === "tablespace" || attribute === "accessMethod");
  for (const { attribute, found } of places.filter(({ child }) => child === parent)) {
    if (found !== null) defaults[attribute === "tablespace" ? "tablespace" : "accessMethod"] = found;
  }
  for (const { child, attribute, name, expected, found } of rows) {
    if (child === parent || found === null || !OF_ITS_OWN.has(attribute)) continue;
    const stored = of(child);
    if (attribute === "comment") stored.comment = found;
    else if (attribute === "storageParameters") stored.parameters[name ?? ""] = found;
    else {
      const place = attribute === "tablespace" ? "tablespace" : "accessMethod";
      stored[place] = found;
      stored.inherited[place] = expected ?? found;
    }
  }
  return of;
}
