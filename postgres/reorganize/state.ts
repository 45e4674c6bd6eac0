/** How far a reorganization has come, as the database itself tells; read by every run before it goes on. */

import { parseBound } from "../../topology/bounds";
import type { PartitionBound, UnfinishedReorganization } from "../../topology/model";
import type { Session } from "../connection";
import { IdentityError } from "../errors";
import { qualified } from "../identifiers";
import type { Layout } from "./names";
import { unfinishedFrom } from "./record";

export interface CopyState {
  oid: number;
  phase: UnfinishedReorganization["phase"];
  /** By OID of the source: blocks copied, and blocks to copy; sources that are not captured yet are missing. */
  progress: Map<number, { next: number; stop: number }>;
  /** Sources whose triggers stand and fire, and that still are the partitions planned for. */
  captured: Set<number>;
  /** `target constraint`: whether it is valid. */
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
SELECT i.inhrelid AS oid FROM pg_catalog.pg_inherits i
WHERE i.inhparent = $1 AND i.inhrelid = ANY ($2::oid[]) AND NOT i.inhdetachpending AND (
  SELECT count(*) FROM pg_catalog.pg_trigger t
  WHERE t.tgrelid = i.inhrelid AND t.tgname = ANY ($3::text[]) AND t.tgenabled = 'A') = pg_catalog.cardinality($3::text[])`;

/** A capture that somebody has dropped or disabled has missed rows, and nobody knows which. */
export async function readCaptured(session: Session, parentOid: number, layout: Layout): Promise<Set<number>> {
  const rows = await session.query<{ oid: number }>(CAPTURED, [
    parentOid,
    layout.sources.map(({ oid }) => oid),
    Object.values(layout.triggers),
  ]);
  return new Set(rows.map(({ oid }) => oid));
}

async function readForeignKeys(session: Session, layout: Layout): Promise<CopyState["foreignKeys"]> {
  const rows = await session.query<{ target: string; name: string; valid: boolean }>(
    `SELECT c.relname::text AS target, k.conname::text AS name, k.convalidated AS valid
     FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE k.contype = 'f' AND n.nspname = $1 AND c.relname = ANY ($2::text[])`,
    [layout.staging.schema, layout.targets.map(({ relation }) => relation.name)],
  );
  return new Map(rows.map(({ target, name, valid }) => [`${target} ${name}`, valid]));
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
  for (const source of layout.sources) {
    const row = byOid.get(source.oid);
    const same = row?.schema === source.schema && row.name === source.name && row.relkind === "r";
    if (same && isChild(row, parentOid, source.bound)) continue;
    throw new IdentityError(
      `${qualified(source)} (OID ${source.oid}) is no longer the partition that the plan was made for. It was left as it` +
        " is; run again for a new plan.",
    );
  }
}

/** @throws IdentityError unless the name belongs to that OID, and to a table that is nobody's partition. */
export async function insistOnLoose(
  session: Session,
  relation: { schema: string; name: string },
  oid: number,
): Promise<void> {
  const rows = await session.query<ChildRow>(CHILDREN, [[oid], "", []]);
  const [row] = rows;
  if (row?.schema === relation.schema && row.name === relation.name && row.parent === null) return;
  throw new IdentityError(
    `${qualified(relation)} is no longer the detached table with OID ${oid}. It was left as it is.`,
  );
}

export async function exists(session: Session, oid: number): Promise<boolean> {
  return (await session.query("SELECT FROM pg_catalog.pg_class WHERE oid = $1", [oid])).length > 0;
}
