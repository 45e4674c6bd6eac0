/** The partitioned tables of a tree: their keys, and everything that a new child of theirs has to be given. */
import type { RelationName, Strategy } from "../../topology/model";
import type { Session } from "../connection";
import type { ChildAttributes, Grant, Policy, ReplicaIdentity } from "../parent";

/** The parent without what other queries find out. */
export interface ParentRow extends RelationName {
  oid: number;
  major: number;
  strategy: Strategy;
  keys: { column: string | null; sql: string; type: string }[];
  ancestors: RelationName[];
  attributes: ChildAttributes;
  publicationsByName: string[];
}

interface RawParent extends Record<string, unknown> {
  oid: number;
  schema: string;
  name: string;
  version: string;
  strategy: string;
  keys: { column: string | null; quoted: string | null; expression: string | null; type: string }[];
  expression_list: string | null;
  ancestors: RelationName[];
  owner: string;
  owned: boolean;
  row_security: boolean;
  row_security_forced: boolean;
  replica_identity: string;
  replica_index: number | null;
  tablespace: string | null;
  access_method: string | null;
  indexes: number;
  columns: {
    name: string;
    statistics: number | null;
    comment: string | null;
    options: Record<string, string> | null;
  }[];
  index_targets: { index: number; column: number; target: number }[];
  owner_lacks: string[];
  grants: RawGrant[];
  default_grantees: (string | null)[];
  policies: RawPolicy[];
  statistics: { kinds: string[]; on: string; target: number | null }[];
  publications: string[];
}

interface RawGrant {
  grantee: string | null;
  privilege: string;
  grantable: boolean;
  column: string | null;
}

interface RawPolicy {
  name: string;
  permissive: boolean;
  command: string;
  roles: string[];
  using: string | null;
  check: string | null;
  reads: RelationName[];
}

const STRATEGIES: Record<string, Strategy> = { r: "range", l: "list", h: "hash" };

const REPLICA_IDENTITIES: Record<string, ReplicaIdentity> = { d: "default", n: "nothing", f: "full", i: "index" };

const COMMANDS: Record<string, Policy["command"]> = {
  "*": "ALL",
  r: "SELECT",
  a: "INSERT",
  w: "UPDATE",
  d: "DELETE",
};

const STATISTICS_KINDS: Record<string, string> = { d: "ndistinct", f: "dependencies", m: "mcv" };

/** The owner's own rights come with ownership; what the owner took from itself is not handed down. */
const GRANTS = `
  SELECT g.grantee, g.privilege_type AS privilege, g.is_grantable AS grantable, NULL::text AS column
  FROM pg_catalog.aclexplode(c.relacl) g WHERE g.grantee <> c.relowner
  UNION ALL
  SELECT g.grantee, g.privilege_type, g.is_grantable, a.attname::text
  FROM pg_catalog.pg_attribute a, pg_catalog.aclexplode(a.attacl) g
  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND g.grantee <> c.relowner`;

const PARENTS = `
WITH RECURSIVE parent AS (
  SELECT c.*, n.nspname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.oid = ANY ($1::oid[]) AND c.relkind = 'p'
), above AS (
  SELECT parent.oid AS below, i.inhparent AS oid, 1 AS level
  FROM pg_catalog.pg_inherits i JOIN parent ON i.inhrelid = parent.oid
  UNION ALL
  SELECT above.below, i.inhparent, above.level + 1 FROM above JOIN pg_catalog.pg_inherits i ON i.inhrelid = above.oid
)
SELECT c.oid, c.nspname::text AS schema, c.relname::text AS name,
  pg_catalog.current_setting('server_version_num') AS version, p.partstrat::text AS strategy,
  (SELECT json_agg(json_build_object(
      'column', a.attname, 'quoted', pg_catalog.quote_ident(a.attname),
      'type', coalesce(pg_catalog.format_type(a.atttypid, a.atttypmod), pg_catalog.format_type(o.opcintype, NULL)))
      ORDER BY k.position)
    FROM ROWS FROM (pg_catalog.unnest(p.partattrs::int2[]), pg_catalog.unnest(p.partclass::oid[]))
      WITH ORDINALITY AS k(attribute, opclass, position)
    LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attribute
    LEFT JOIN pg_catalog.pg_opclass o ON o.oid = k.opclass) AS keys,
  CASE WHEN p.partexprs IS NOT NULL THEN pg_catalog.pg_get_expr(p.partexprs, c.oid) END AS expression_list,
  (SELECT coalesce(json_agg(json_build_object('schema', n.nspname, 'name', x.relname) ORDER BY above.level), '[]')
    FROM above JOIN pg_catalog.pg_class x ON x.oid = above.oid
    JOIN pg_catalog.pg_namespace n ON n.oid = x.relnamespace WHERE above.below = c.oid) AS ancestors,
  pg_catalog.pg_get_userbyid(c.relowner)::text AS owner,
  pg_catalog.pg_get_userbyid(c.relowner) = current_user AS owned,
  c.relrowsecurity AS row_security, c.relforcerowsecurity AS row_security_forced,
  c.relreplident::text AS replica_identity,
  (SELECT x.indexrelid FROM pg_catalog.pg_index x WHERE x.indrelid = c.oid AND x.indisreplident LIMIT 1) AS replica_index,
  (SELECT spcname::text FROM pg_catalog.pg_tablespace WHERE oid = c.reltablespace) AS tablespace,
  (SELECT amname::text FROM pg_catalog.pg_am WHERE oid = c.relam) AS access_method,
  (SELECT count(*)::int FROM pg_catalog.pg_index x WHERE x.indrelid = c.oid) AS indexes,
  (SELECT coalesce(json_agg(json_build_object('name', a.attname,
      'statistics', CASE WHEN a.attstattarget >= 0 THEN a.attstattarget END,
      'comment', pg_catalog.col_description(c.oid, a.attnum),
      'options', (SELECT json_object_agg(o.option_name, o.option_value) FROM pg_catalog.pg_options_to_table(a.attoptions) o))
      ORDER BY a.attnum), '[]')
    FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
  (SELECT coalesce(json_agg(json_build_object('index', x.indexrelid, 'column', a.attnum, 'target', a.attstattarget)
      ORDER BY x.indexrelid, a.attnum), '[]')
    FROM pg_catalog.pg_index x JOIN pg_catalog.pg_attribute a ON a.attrelid = x.indexrelid
    WHERE x.indrelid = c.oid AND a.attstattarget >= 0) AS index_targets,
  ARRAY(SELECT g.privilege_type FROM pg_catalog.aclexplode(pg_catalog.acldefault('r', c.relowner)) g
    WHERE c.relacl IS NOT NULL EXCEPT SELECT g.privilege_type FROM pg_catalog.aclexplode(c.relacl) g
    WHERE g.grantee = c.relowner ORDER BY 1) AS owner_lacks,
  (SELECT coalesce(json_agg(json_build_object('grantee', CASE WHEN g.grantee <> 0 THEN pg_catalog.pg_get_userbyid(g.grantee) END,
      'privilege', g.privilege, 'grantable', g.grantable, 'column', g.column)), '[]') FROM (${GRANTS}) g) AS grants,
  (SELECT coalesce(json_agg(DISTINCT CASE WHEN g.grantee <> 0 THEN pg_catalog.pg_get_userbyid(g.grantee)::text END), '[]')
    FROM pg_catalog.pg_default_acl d, pg_catalog.aclexplode(d.defaclacl) g
    WHERE d.defaclobjtype = 'r' AND d.defaclrole = (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = current_user)
      AND (d.defaclnamespace IN (0, c.relnamespace)
        OR d.defaclnamespace IN (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = ANY ($2::text[]))) AND g.grantee NOT IN (d.defaclrole, c.relowner)) AS default_grantees,
  (SELECT coalesce(json_agg(json_build_object('name', l.polname, 'permissive', l.polpermissive, 'command', l.polcmd,
      'roles', ARRAY(SELECT pg_catalog.pg_get_userbyid(r) FROM pg_catalog.unnest(l.polroles) r WHERE r <> 0),
      'using', pg_catalog.pg_get_expr(l.polqual, l.polrelid),
      'check', pg_catalog.pg_get_expr(l.polwithcheck, l.polrelid),
      'reads', (SELECT coalesce(json_agg(DISTINCT jsonb_build_object('schema', n.nspname, 'name', r.relname)), '[]')
        FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_class r ON r.oid = d.refobjid
        JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
        WHERE d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass AND d.objid = l.oid
          AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND r.oid <> l.polrelid)) ORDER BY l.polname), '[]')
    FROM pg_catalog.pg_policy l WHERE l.polrelid = c.oid) AS policies,
  (SELECT coalesce(json_agg(json_build_object('kinds', s.stxkind,
      'on', pg_catalog.pg_get_statisticsobjdef_columns(s.oid),
      'target', CASE WHEN s.stxstattarget >= 0 THEN s.stxstattarget END) ORDER BY s.stxname), '[]')
    FROM pg_catalog.pg_statistic_ext s WHERE s.stxrelid = c.oid) AS statistics,
  (SELECT coalesce(json_agg(DISTINCT b.pubname::text), '[]')
    FROM pg_catalog.pg_publication b JOIN pg_catalog.pg_publication_rel r ON r.prpubid = b.oid
    JOIN pg_catalog.pg_inherits i ON i.inhrelid = r.prrelid AND i.inhparent = c.oid
    WHERE NOT b.puballtables AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_publication_rel whole WHERE whole.prpubid = b.oid AND whole.prrelid = c.oid)) AS publications
FROM parent c JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = c.oid`;

/** OID of the partitioned table of that name; undefined when there is none. */
export async function findParent(session: Session, { schema, name }: RelationName): Promise<number | undefined> {
  const [row] = await session.query<{ oid: number }>(
    `SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind = 'p'`,
    [schema, name],
  );
  return row?.oid;
}

/** Those of the relations that are partitioned, by OID. `schemas`: where their partitions may be made. */
export async function readParents(
  session: Session,
  oids: number[],
  schemas: string[],
): Promise<Map<number, ParentRow>> {
  if (oids.length === 0) return new Map();
  const rows = await session.query<RawParent>(PARENTS, [oids, schemas]);
  return new Map(rows.map((raw) => [raw.oid, parentRow(raw)]));
}

function parentRow(raw: RawParent): ParentRow {
  const strategy = STRATEGIES[raw.strategy];
  if (strategy === undefined) throw new Error(`Partition strategy ${raw.strategy} is not known.`);
  return {
    schema: raw.schema,
    name: raw.name,
    oid: raw.oid,
    major: Math.floor(Number(raw.version) / 10_000),
    strategy,
    keys: raw.keys.map(({ column, quoted, type }) => ({
      column,
      sql: quoted ?? `(${raw.expression_list ?? ""})`,
      type,
    })),
    ancestors: raw.ancestors,
    attributes: attributes(raw),
    publicationsByName: raw.publications,
  };
}

function attributes(raw: RawParent): ChildAttributes {
  return {
    owner: raw.owned ? undefined : raw.owner,
    grants: groupGrants(raw.grants),
    defaultGrantees: raw.default_grantees.map((grantee) => grantee ?? undefined),
    rowSecurity: { enabled: raw.row_security, forced: raw.row_security_forced },
    policies: raw.policies.map(policy),
    replicaIdentity: REPLICA_IDENTITIES[raw.replica_identity] ?? "default",
    replicaIndex: raw.replica_index ?? undefined,
    ownerLacks: raw.owner_lacks,
    columns: raw.columns.map(({ name, statistics, comment, options }) => ({
      name,
      statistics: statistics ?? undefined,
      comment: comment ?? undefined,
      options: options ?? undefined,
    })),
    extendedStatistics: raw.statistics.map(({ kinds, on, target }) => ({
      kinds: kinds.flatMap((kind) => STATISTICS_KINDS[kind] ?? []),
      on,
      target: target ?? undefined,
    })),
    indexTargets: raw.index_targets,
    tablespace: raw.tablespace ?? undefined,
    accessMethod: raw.access_method ?? undefined,
    indexes: raw.indexes,
  };
}

function policy(raw: RawPolicy): Policy {
  return {
    name: raw.name,
    permissive: raw.permissive,
    command: COMMANDS[raw.command] ?? "ALL",
    roles: raw.roles,
    using: raw.using ?? undefined,
    check: raw.check ?? undefined,
    reads: raw.reads,
  };
}

/** One GRANT for each grantee, column and grant option; in a fixed order, so that equal catalogs give equal statements. */
function groupGrants(raw: RawGrant[]): Grant[] {
  const groups = new Map<string, Grant>();
  const key = (grant: RawGrant) => JSON.stringify([grant.grantee, grant.column, grant.grantable]);
  const sorted = [...raw].sort((a, b) => (key(a) + a.privilege < key(b) + b.privilege ? -1 : 1));
  for (const grant of sorted) {
    const group = groups.get(key(grant)) ?? {
      grantee: grant.grantee ?? undefined,
      privileges: [],
      grantable: grant.grantable,
      column: grant.column ?? undefined,
    };
    if (!group.privileges.includes(grant.privilege)) group.privileges.push(grant.privilege);
    groups.set(key(grant), group);
  }
  return [...groups.values()];
}
