/** What has to be known of the parent before rows of its children can be copied, and the copies that are under way. */

import { parseBound } from "../../topology/bounds";
import type { RelationName } from "../../topology/model";
import type { Step } from "../../topology/steps";
import { boundPredicate, hashPredicate } from "../boundSql";
import type { Session } from "../connection";
import { quoteIdent } from "../identifiers";
import { type CatalogParent, type CopyFacts, tableOfStep } from "../parent";
import { RESERVED_PREFIX } from "../reorganize/names";
import { type Unfinished, unfinishedFrom } from "../reorganize/record";

/** A partitioned table whose key is known. */
type Keyed = Pick<CatalogParent, "oid" | "major" | "strategy" | "keys">;

export interface Copying {
  facts: CopyFacts;
  /** Of every table of the database that this role owns. */
  unfinished: Unfinished[];
}

/** A bound that every row of the parent is within: that of the parent, or of a parent of it, below `above`. */
interface Level {
  bound: string;
  above: string;
  /** Key of the table above; null stands for an expression. */
  keys: { sql: string | null; type: string | null }[];
}

interface Row extends Record<string, unknown> {
  /** What stands behind each column of the partition key: a collation and an operator class that are not the usual ones. */
  key_options: string[];
  levels: Level[];
  columns: { name: string; generated: boolean }[];
  encoding: string;
  key: { column: string; schema: string; operator: string }[] | null;
  foreign_keys: { name: string; definition: string; references: RelationName[]; valid: boolean }[];
  unvalidated: { name: string; definition: string }[];
  self_referenced: boolean;
  publications_of_all: string[];
  publications_of_leaves: string[];
  publications: { name: string; viaRoot: boolean }[];
  row_security_applies: boolean;
  stagings: { oid: string; schema: string; name: string; comment: string | null }[];
}

const PUBLISHED_SCHEMA = `OR EXISTS (
      SELECT FROM pg_catalog.pg_publication_namespace s WHERE s.pnpubid = b.oid AND s.pnnspid = c.relnamespace)`;

/**
 * The key is the primary key or another unique index that a row and its copy can be told by: checked at once, whole,
 * valid, and of columns that are never NULL. `pg_get_partkeydef` and
 * `pg_get_partition_constraintdef` are not used: they wait for whoever locks the parent. Whole schemas can be published from 15 on.
 */
const copying = (major: number) => `
WITH RECURSIVE parent AS (
  SELECT c.* FROM pg_catalog.pg_class c WHERE c.oid = $1
), levels AS (
  SELECT i.inhrelid AS oid, i.inhparent AS above, 1 AS level FROM pg_catalog.pg_inherits i WHERE i.inhrelid = $1
  UNION ALL
  SELECT i.inhrelid, i.inhparent, levels.level + 1 FROM levels JOIN pg_catalog.pg_inherits i ON i.inhrelid = levels.above
), referenced AS (
  SELECT DISTINCT k.confrelid AS root, k.confrelid AS oid, 0 AS level FROM pg_catalog.pg_constraint k
  WHERE k.conrelid = $1 AND k.contype = 'f'
  UNION ALL
  SELECT r.root, i.inhrelid, r.level + 1 FROM referenced r JOIN pg_catalog.pg_inherits i ON i.inhparent = r.oid
), unique_key AS (
  SELECT x.indrelid, x.indkey, x.indclass, x.indnkeyatts FROM pg_catalog.pg_index x
  WHERE x.indrelid = $1 AND x.indisunique AND x.indimmediate AND x.indisvalid AND x.indpred IS NULL AND x.indexprs IS NULL
    AND NOT EXISTS (SELECT FROM pg_catalog.unnest(x.indkey::int2[]) WITH ORDINALITY k(attribute, position)
      JOIN pg_catalog.pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.attribute
      WHERE k.position <= x.indnkeyatts AND NOT a.attnotnull)
  ORDER BY x.indisprimary DESC, x.indexrelid LIMIT 1
)
SELECT (SELECT json_agg(
      CASE WHEN l.collname IS NOT NULL AND l.oid IS DISTINCT FROM a.attcollation
        THEN pg_catalog.format(' COLLATE %I.%I', ln.nspname, l.collname) ELSE '' END ||
      CASE WHEN o.opcdefault THEN '' ELSE pg_catalog.format(' %I.%I', n.nspname, o.opcname) END ORDER BY k.position)
    FROM pg_catalog.pg_partitioned_table p
    CROSS JOIN ROWS FROM (pg_catalog.unnest(p.partattrs::int2[]), pg_catalog.unnest(p.partclass::oid[]),
      pg_catalog.unnest(p.partcollation::oid[])) WITH ORDINALITY AS k(attribute, opclass, coll, position)
    JOIN pg_catalog.pg_opclass o ON o.oid = k.opclass JOIN pg_catalog.pg_namespace n ON n.oid = o.opcnamespace
    LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attribute
    LEFT JOIN pg_catalog.pg_collation l ON l.oid = k.coll LEFT JOIN pg_catalog.pg_namespace ln ON ln.oid = l.collnamespace
    WHERE p.partrelid = c.oid) AS key_options,
  (SELECT coalesce(json_agg(json_build_object('bound', pg_catalog.pg_get_expr(b.relpartbound, 0),
      'above', pg_catalog.format('%I.%I', n.nspname, a.relname), 'keys', (
        SELECT json_agg(json_build_object('sql', pg_catalog.quote_ident(t.attname),
          'type', pg_catalog.format_type(t.atttypid, t.atttypmod)) ORDER BY k.position)
        FROM pg_catalog.pg_partitioned_table p
        CROSS JOIN pg_catalog.unnest(p.partattrs::int2[]) WITH ORDINALITY AS k(attribute, position)
        LEFT JOIN pg_catalog.pg_attribute t ON t.attrelid = p.partrelid AND t.attnum = k.attribute
        WHERE p.partrelid = a.oid)) ORDER BY l.level), '[]')
    FROM levels l JOIN pg_catalog.pg_class b ON b.oid = l.oid JOIN pg_catalog.pg_class a ON a.oid = l.above
    JOIN pg_catalog.pg_namespace n ON n.oid = a.relnamespace) AS levels,
  (SELECT json_agg(json_build_object('name', a.attname, 'generated', a.attgenerated <> '') ORDER BY a.attnum)
    FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
  pg_catalog.current_setting('server_encoding') AS encoding,
  (SELECT json_agg(json_build_object('column', a.attname, 'schema', n.nspname, 'operator', o.oprname) ORDER BY k.position)
    FROM unique_key x
    CROSS JOIN ROWS FROM (pg_catalog.unnest(x.indkey::int2[]), pg_catalog.unnest(x.indclass::oid[]))
      WITH ORDINALITY AS k(attribute, opclass, position)
    JOIN pg_catalog.pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.attribute
    JOIN pg_catalog.pg_opclass p ON p.oid = k.opclass
    JOIN pg_catalog.pg_amop m ON m.amopfamily = p.opcfamily AND m.amoplefttype = p.opcintype
      AND m.amoprighttype = p.opcintype AND m.amopstrategy = 3
    JOIN pg_catalog.pg_operator o ON o.oid = m.amopopr JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
    WHERE k.position <= x.indnkeyatts) AS key,
  (SELECT coalesce(json_agg(json_build_object('name', k.conname, 'definition', pg_catalog.pg_get_constraintdef(k.oid),
      'valid', k.convalidated, 'references', (
        SELECT json_agg(json_build_object('schema', n.nspname, 'name', r.relname) ORDER BY t.level, n.nspname, r.relname)
        FROM referenced t JOIN pg_catalog.pg_class r ON r.oid = t.oid
        JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace WHERE t.root = k.confrelid)) ORDER BY k.conname), '[]')
    FROM pg_catalog.pg_constraint k LEFT JOIN pg_catalog.pg_constraint up ON up.oid = k.conparentid
    WHERE k.conrelid = c.oid AND k.contype = 'f' AND (up.oid IS NULL OR up.conrelid <> k.conrelid)) AS foreign_keys,
  (SELECT coalesce(json_agg(json_build_object('name', k.conname, 'definition', pg_catalog.pg_get_constraintdef(k.oid))
      ORDER BY k.conname), '[]')
    FROM pg_catalog.pg_constraint k WHERE k.conrelid = c.oid AND k.contype IN ('c', 'n') AND NOT k.convalidated) AS unvalidated,
  EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.contype = 'f' AND k.conrelid = c.oid AND k.confrelid = c.oid)
    AS self_referenced,
  (SELECT coalesce(json_agg(b.pubname ORDER BY b.pubname), '[]') FROM pg_catalog.pg_publication b
    WHERE b.puballtables ${major < 15 ? "" : PUBLISHED_SCHEMA}) AS publications_of_all,
  (SELECT coalesce(json_agg(b.pubname ORDER BY b.pubname), '[]') FROM pg_catalog.pg_publication b
    JOIN pg_catalog.pg_publication_rel r ON r.prpubid = b.oid
    WHERE (r.prrelid = c.oid OR r.prrelid IN (SELECT above FROM levels)) AND NOT b.pubviaroot) AS publications_of_leaves,
  (SELECT coalesce(json_agg(DISTINCT jsonb_build_object('name', b.pubname, 'viaRoot', b.pubviaroot)), '[]')
    FROM pg_catalog.pg_publication b JOIN pg_catalog.pg_publication_rel r ON r.prpubid = b.oid
    WHERE r.prrelid = c.oid OR r.prrelid IN (SELECT above FROM levels)) AS publications,
  pg_catalog.row_security_active(c.oid) AS row_security_applies,
  (SELECT coalesce(json_agg(json_build_object('oid', s.oid, 'schema', n.nspname, 'name', s.relname,
      'comment', pg_catalog.obj_description(s.oid, 'pg_class')) ORDER BY s.oid), '[]')
    FROM pg_catalog.pg_class s JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace
    WHERE s.relkind = 'p' AND s.relname LIKE $2
      AND pg_catalog.pg_has_role(s.relowner, 'USAGE')) AS stagings
FROM parent c`;

export async function readCopying(session: Session, parent: Keyed): Promise<Copying | undefined> {
  const [row] = await session.query<Row>(copying(parent.major), [
    parent.oid,
    `${RESERVED_PREFIX.replaceAll("_", "\\_")}%`,
  ]);
  if (row === undefined) return undefined;
  const keys = parent.keys.map(({ sql }, at) => sql + (row.key_options[at] ?? ""));
  return {
    facts: {
      partitionKey: `${parent.strategy.toUpperCase()} (${keys.join(", ")})`,
      columns: row.columns,
      encoding: row.encoding,
      key: (row.key ?? []).map(({ column, schema, operator }) => ({
        column,
        equals: `OPERATOR(${quoteIdent(schema)}.${operator})`,
      })),
      foreignKeys: row.foreign_keys,
      unvalidated: row.unvalidated,
      condition: conditionOf(row.levels),
      provable: row.levels.every(isProvable),
      selfReferenced: row.self_referenced,
      publicationsOfAll: row.publications_of_all,
      publicationsOfLeaves: row.publications_of_leaves,
      publications: row.publications,
      rowSecurityApplies: row.row_security_applies,
    },
    unfinished: row.stagings.flatMap(({ oid, schema, name, comment }) => {
      return unfinishedFrom({ oid: Number(oid), schema, name }, comment) ?? [];
    }),
  };
}

/** Below an expression key or a DEFAULT nothing is said, and ATTACH looks at the rows for itself. */
function conditionOf(levels: Level[]): string | undefined {
  const conditions = levels.flatMap(({ bound, above, keys }) => {
    const known = keys.flatMap(({ sql, type }) => (sql === null ? [] : [{ sql, type: type ?? undefined }]));
    if (known.length < keys.length) return [];
    const parsed = parseBound(bound);
    const condition = boundPredicate(parsed, known) ?? hashPredicate(parsed, above, known);
    return condition === undefined ? [] : [condition];
  });
  return conditions.length === 0 ? undefined : conditions.join(" AND ");
}

/** DEFAULT has no condition, and of the hash of a text PostgreSQL believes none. */
function isProvable({ bound, keys }: Level): boolean {
  const parsed = parseBound(bound);
  if ("default" in parsed || keys.some(({ sql }) => sql === null)) return false;
  return !("modulus" in parsed) || keys.every(({ type }) => type !== null && !COLLATED.test(type));
}

const COLLATED = /^(text|character|bpchar|name|citext)/;

/**
 * The table that a step's partition belongs to, with what copying its rows needs. Of partitions that are partitioned themselves
 * that is read when it is needed: there may be hundreds of them.
 */
export async function readTableOfStep(session: Session, step: Step, root: CatalogParent): Promise<CatalogParent> {
  const table = tableOfStep(step, root);
  return table.copying === undefined ? { ...table, copying: (await readCopying(session, table))?.facts } : table;
}

const ARCHIVING: ReadonlySet<Step["method"]> = new Set<Step["method"]>(["export", "restore", "dropArchived"]);

/** Rows are copied, or proven to be within bounds. */
function needsCopyFacts({ reorganization, method, proven }: Step): boolean {
  return reorganization !== undefined || method === "prove" || proven === true || ARCHIVING.has(method);
}

/** The set's own table as before, with what the steps need of the tables below it. */
export async function withCopyFacts(
  session: Session,
  steps: readonly Step[],
  root: CatalogParent,
): Promise<CatalogParent> {
  const below = { ...root.below };
  for (const step of steps) {
    if (step.under === undefined || !needsCopyFacts(step)) continue;
    below[step.under.oid] = await readTableOfStep(session, step, { ...root, below });
  }
  return { ...root, below };
}
