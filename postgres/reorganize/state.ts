/** How far a reorganization has come, as the database itself tells; read by every run before it goes on. */

import { parseBound } from "../../topology/bounds";
import type { PartitionBound, RelationName, UnfinishedReorganization } from "../../topology/model";
import type { Session } from "../connection";
import { IdentityError } from "../errors";
import { qualified } from "../identifiers";
import { type Layout, leavesOf, madeOf, nameAfterSwap } from "./names";
import { unfinishedFrom } from "./record";

export interface CopyState {
  oid: number;
  phase: UnfinishedReorganization["phase"];
  /** By OID of the leaf: blocks copied, and blocks to copy; leaves that are not captured yet are missing. */
  progress: Map<number, { next: number; stop: number }>;
  /** Leaves of the sources whose triggers stand and fire, and that still are below the parent. */
  captured: Set<number>;
  /** By {@link foreignKeyId}: whether it is valid. */
  foreignKeys: Map<string, boolean>;
}

interface StagingRow extends Record<string, unknown> {
  oid: number;
  relkind: string;
  comment: string | null;
}

const STAGING = `
SELECT c.oid, c.relkind::text AS relkind, pg_catalog.obj_description(c.oid, 'pg_class') AS comment
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = $2`;

/**
 * Undefined: it has not been begun.
 * @throws IdentityError when something else bears the reserved name.
 */
export async function readState(session: Session, parentOid: number, layout: Layout): Promise<CopyState | undefined> {
  const { schema, name } = layout.staging;
  const [row] = await session.query<StagingRow>(STAGING, [schema, name]);
  if (row === undefined) return undefined;
  const unfinished = unfinishedFrom({ ...layout.staging, oid: row.oid }, row.comment);
  const found = unfinished?.parent === parentOid ? unfinished.reorganization : undefined;
  if (row.relkind !== "p" || found?.id !== layout.id) {
    throw new IdentityError(`${qualified(layout.staging)} is not the copy that its name says. It was left as it is.`);
  }
  if (found.phase === "swapped") {
    return { oid: row.oid, phase: "swapped", progress: new Map(), captured: new Set(), foreignKeys: new Map() };
  }
  return {
    oid: row.oid,
    phase: "copying",
    progress: await readProgress(session, layout),
    captured: await readCaptured(session, parentOid, layout),
    foreignKeys: await readForeignKeys(session, layout),
  };
}

async function readProgress(session: Session, layout: Layout): Promise<CopyState["progress"]> {
  const rows = await session.query<{ source: number; next: string; stop: string }>(
    `SELECT source, next::text AS next, stop::text AS stop FROM ${qualified(layout.progress)}`,
  );
  return new Map(rows.map(({ source, next, stop }) => [source, { next: Number(next), stop: Number(stop) }]));
}

const CAPTURED = `
WITH RECURSIVE up AS (
  SELECT i.inhrelid AS oid, i.inhparent AS above FROM pg_catalog.pg_inherits i
  WHERE i.inhrelid = ANY ($2::oid[]) AND NOT i.inhdetachpending
  UNION ALL
  SELECT up.oid, i.inhparent FROM up JOIN pg_catalog.pg_inherits i ON i.inhrelid = up.above AND NOT i.inhdetachpending
)
SELECT up.oid FROM up
WHERE up.above = $1 AND (
  SELECT count(*) FROM pg_catalog.pg_trigger t
  WHERE t.tgrelid = up.oid AND t.tgname = ANY ($3::text[]) AND t.tgenabled = 'A') = pg_catalog.cardinality($3::text[])`;

/** A capture that somebody has dropped or disabled has missed rows, and nobody knows which. */
export async function readCaptured(session: Session, parentOid: number, layout: Layout): Promise<Set<number>> {
  const rows = await session.query<{ oid: number }>(CAPTURED, [
    parentOid,
    layout.sources.flatMap(leavesOf).map(({ oid }) => oid),
    Object.values(layout.triggers),
  ]);
  return new Set(rows.map(({ oid }) => oid));
}

async function readForeignKeys(session: Session, layout: Layout): Promise<CopyState["foreignKeys"]> {
  const leaves = layout.targets.flatMap(madeOf).map(({ relation }) => relation);
  const rows = await session.query<{ schema: string; name: string; key: string; valid: boolean }>(
    `SELECT n.nspname::text AS schema, c.relname::text AS name, k.conname::text AS key, k.convalidated AS valid
     FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     JOIN ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) AS leaf(schema, name)
       ON leaf.schema = n.nspname AND leaf.name = c.relname
     WHERE k.contype = 'f'`,
    [leaves.map(({ schema }) => schema), leaves.map(({ name }) => name)],
  );
  return new Map(rows.map(({ key, valid, ...leaf }) => [foreignKeyId(leaf, key), valid]));
}

/** Tells a foreign key of a leaf. */
export function foreignKeyId(leaf: RelationName, name: string): string {
  return `${qualified(leaf)} ${name}`;
}

/** Rows that only left a note: none, some, or all of them after a TRUNCATE. */
export async function readNotes(session: Session, layout: Layout, column: string): Promise<"none" | "some" | "all"> {
  const [row] = await session.query<{ some: boolean; all: boolean | null }>(
    `SELECT count(*) > 0 AS some, bool_or(${column} IS NULL) AS all FROM ${qualified(layout.missed)}`,
  );
  if (row?.all) return "all";
  return row?.some ? "some" : "none";
}

interface ChildRow extends Record<string, unknown> {
  oid: number;
  schema: string;
  name: string;
  relkind: string;
  parent: number | null;
  pending: boolean;
  bound: string | null;
}

const CHILDREN = `
SELECT c.oid, n.nspname::text AS schema, c.relname::text AS name, c.relkind::text AS relkind, i.inhparent AS parent,
  coalesce(i.inhdetachpending, false) AS pending, pg_catalog.pg_get_expr(c.relpartbound, 0) AS bound
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid
WHERE c.oid = ANY ($1::oid[]) OR (n.nspname = $2 AND c.relname = ANY ($3::text[]))`;

function isChild(row: ChildRow | undefined, parentOid: number, bound: PartitionBound): boolean {
  if (row === undefined || row.parent !== parentOid || row.pending || row.bound === null) return false;
  return JSON.stringify(parseBound(row.bound)) === JSON.stringify(bound);
}

/** True when every target is attached as planned and is no source; a DEFAULT that only gave rows keeps its table. */
export async function isReached(session: Session, parentOid: number, layout: Layout): Promise<boolean> {
  const rows = await session.query<ChildRow>(CHILDREN, [
    layout.sources.map(({ oid }) => oid),
    layout.staging.schema,
    layout.targets.map(({ name }) => name),
  ]);
  const named = new Map(rows.filter(({ schema }) => schema === layout.staging.schema).map((row) => [row.name, row]));
  const sources = new Set(layout.sources.map(({ oid }) => oid));
  const others = layout.targets.some(({ bound }) => !("default" in bound));
  return layout.targets.every(({ name, bound }) => {
    const row = named.get(name);
    const mayStay = others && "default" in bound;
    return isChild(row, parentOid, bound) && (mayStay || !sources.has(row?.oid ?? 0));
  });
}

/** @throws IdentityError unless every source is the partition, under the name and with the bound, that was planned for. */
export async function insistOnSources(session: Session, parentOid: number, layout: Layout): Promise<void> {
  const rows = await session.query<ChildRow>(CHILDREN, [layout.sources.map(({ oid }) => oid), "", []]);
  const byOid = new Map(rows.map((row) => [row.oid, row]));
  const below = await readBelow(
    session,
    layout.sources.map(({ oid }) => oid),
  );
  for (const source of layout.sources) {
    const row = byOid.get(source.oid);
    const kind = source.below === undefined ? "r" : "p";
    const same = row?.schema === source.schema && row.name === source.name && row.relkind === kind;
    const whole = textOf(source.below ?? []) === textOf(below.get(source.oid) ?? []);
    if (same && whole && isChild(row, parentOid, source.bound)) continue;
    throw new IdentityError(
      `${qualified(source)} (OID ${source.oid}) is no longer the partition that the plan was made for. It was left as it` +
        " is; run again for a new plan.",
    );
  }
}

/** What is below each table now. */
async function readBelow(session: Session, oids: number[]): Promise<Map<number, { oid: number }[]>> {
  const rows = await session.query<{ root: number; oid: number }>(BELOW, [oids]);
  const below = new Map<number, { oid: number }[]>();
  for (const row of rows) below.set(row.root, [...(below.get(row.root) ?? []), row]);
  return below;
}

const BELOW = `
WITH RECURSIVE below AS (
  SELECT i.inhparent AS root, i.inhrelid AS oid FROM pg_catalog.pg_inherits i WHERE i.inhparent = ANY ($1::oid[])
  UNION ALL
  SELECT below.root, i.inhrelid FROM below JOIN pg_catalog.pg_inherits i ON i.inhparent = below.oid
)
SELECT root, oid FROM below`;

function textOf(tables: { oid: number }[]): string {
  return JSON.stringify(tables.map(({ oid }) => oid).sort((a, b) => a - b));
}

/**
 * @throws IdentityError unless the source's name belongs to its OID and to a table that is nobody's partition, and what was
 * below it is all that is below it.
 */
export async function insistOnLoose(
  session: Session,
  layout: Layout,
  source: Layout["sources"][number],
): Promise<void> {
  const relation = nameAfterSwap(layout, source);
  const rows = await session.query<ChildRow>(CHILDREN, [[source.oid], "", []]);
  const [row] = rows;
  const same = row?.schema === relation.schema && row.name === relation.name && row.parent === null;
  const below = await readBelow(session, [source.oid]);
  if (same && textOf(source.below ?? []) === textOf(below.get(source.oid) ?? [])) return;
  throw new IdentityError(
    `${qualified(relation)} is no longer the detached table with OID ${source.oid}, or has other partitions than it had.` +
      " It was left as it is.",
  );
}

export async function exists(session: Session, oid: number): Promise<boolean> {
  return (await session.query("SELECT FROM pg_catalog.pg_class WHERE oid = $1", [oid])).length > 0;
}
