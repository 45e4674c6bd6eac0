/** Brings the rows of a partition back into a table by itself: in any schema, database or cluster, all of them or some. */
import { pipeline } from "node:stream/promises";
import {
  type BesideMark,
  findBeside,
  missingExtensions,
  revokeFromOthers,
  schemaExists,
  writeBesideMark,
} from "../postgres/archive/beside";
import { COPYING, copyRowsIn } from "../postgres/archive/rows";
import { standalone } from "../postgres/archive/standalone";
import type { Session } from "../postgres/connection";
import { UTF8 } from "../postgres/encoding";
import { ArchiveError, explainError, hasSqlstate, IdentityError, SQLSTATE, sqlstateClass } from "../postgres/errors";
import { faultPoint } from "../postgres/faults";
import { qualified } from "../postgres/identifiers";
import type { RelationName } from "../topology/model";
import { readManifest } from "./inventory";
import { type ArchivedPart, type Manifest, partsIn } from "./manifest";
import { readRows, summing } from "./object";
import { requireRows } from "./proof";
import { ProofError } from "./proofError";
import { RowSummer, sameRows } from "./rows";
import type { Store, StoredObject } from "./store";

export interface BesideRun {
  session: Session;
  store: Store;
  /** Where the manifest is. */
  manifest: StoredObject;
  into: RelationName;
  /** A condition in SQL; rows for which it is not true are left out, by the server. */
  where?: string;
  /** Whether keys, checks and indexes are made when the rows are there. */
  indexes: boolean;
  /** Aborted, it stops; the next run goes on there. */
  signal?: AbortSignal;
}

export interface Beside {
  manifest: Manifest;
  /** In the table. */
  rows: number;
  /** An earlier run has done everything. */
  reached: boolean;
}

/**
 * Makes the table, fills it part by part, and compares. What is done is written on the table in the transaction that does
 * it, so that the next run goes on there. All rows that are read are compared with the manifest, whatever the condition takes
 * of them.
 * @throws IdentityError when there is another relation of that name; RangeError for the condition; ProofError when an
 * object is not what the manifest says; ArchiveError when this database lacks what the table needs.
 */
export async function restoreBeside(run: BesideRun): Promise<Beside> {
  const { session, store, into, signal } = run;
  const manifest = await readManifest(store, run.manifest);
  const text = standalone(manifest.restore, manifest.partition, into);
  let mark = (await findOwn(run)) ?? (await make(run, manifest, text.create));
  if (mark.whole) return { manifest, rows: mark.rows, reached: true };
  const parts = partsIn(manifest);
  for (const part of parts.slice(mark.parts)) {
    signal?.throwIfAborted();
    faultPoint("archive");
    mark = await fill(run, mark, part, manifest);
  }
  faultPoint("archive");
  await session.transaction(async () => {
    await lock(run, mark);
    for (const statement of run.indexes ? text.finish : []) {
      signal?.throwIfAborted();
      await session.query(statement);
    }
    await session.query(COPYING);
    await requireAll(run, mark, manifest);
    await writeBesideMark(session, into, { ...mark, whole: true });
    faultPoint("beforeCommit");
  });
  return { manifest, rows: mark.rows, reached: false };
}

/** What an earlier run has left. */
async function findOwn({ session, into, manifest, where }: BesideRun): Promise<BesideMark | undefined> {
  const found = await findBeside(session, into);
  if (found === undefined) return undefined;
  const { mark } = found;
  if (mark !== undefined && mark.manifest.key === manifest.key && mark.where === where) return mark;
  throw new IdentityError(
    `${qualified(into)} is there already, and no restore of this archive with this condition has made it. ` +
      "It is left alone: choose another name (--into), or drop it yourself.",
  );
}

async function make(run: BesideRun, manifest: Manifest, create: string): Promise<BesideMark> {
  const { session, into, where } = run;
  if (!(await schemaExists(session, into.schema)))
    throw new ArchiveError(
      `There is no schema ${into.schema} here: CREATE SCHEMA first, or choose another one (--into).`,
    );
  const { key, version } = run.manifest;
  const mark: BesideMark = {
    manifest: { key, ...(version !== undefined && { version }) },
    ...(where !== undefined && { where }),
    parts: 0,
    rows: 0,
    whole: false,
  };
  const missing = await missingExtensions(session, manifest.server.extensions);
  await session.transaction(async () => {
    await created(run, manifest, create, missing);
    await revokeFromOthers(session, into);
    if (where !== undefined) await refuseWrongCondition(run, where, manifest);
    await writeBesideMark(session, into, mark);
    faultPoint("beforeCommit");
  });
  return mark;
}

/** SQLSTATE classes of what a database lacks, or does not understand. */
const LACKING = ["0A", "3F", "42"];

async function created(
  { session, into }: BesideRun,
  manifest: Manifest,
  sql: string,
  missing: string[],
): Promise<void> {
  try {
    await session.query(sql);
  } catch (error) {
    if (hasSqlstate(error, SQLSTATE.duplicateTable))
      throw new IdentityError(`${qualified(into)} has been made by somebody else just now; nothing was done.`);
    if (hasSqlstate(error, SQLSTATE.insufficientPrivilege) || !LACKING.includes(sqlstateClass(error) ?? ""))
      throw error;
    const extensions =
      missing.length === 0 ? "" : ` Extensions of the archived database that are not here: ${missing.join(", ")}.`;
    throw new ArchiveError(
      `The table of the archive cannot be made here: ${explainError(error)}.${extensions} ` +
        `The manifest's own text: ${manifest.restore.create.join("; ")}`,
      { cause: error },
    );
  }
}

/** Before any row is read: with a parameter the server takes one statement only, and COPY knows no subqueries. */
async function refuseWrongCondition({ session, into }: BesideRun, where: string, manifest: Manifest): Promise<void> {
  try {
    await session.query(`SELECT FROM ${qualified(into)} WHERE (${where}) LIMIT $1`, [0]);
    const columns = manifest.columns.map(({ name }) => name);
    await copyRowsIn(
      session,
      { ...into, columns, format: "text", encoding: UTF8, where },
      async (text) => void text.end(),
    );
  } catch (error) {
    if (sqlstateClass(error) === undefined) throw error;
    throw new RangeError(`--where: ${explainError(error)}`, { cause: error });
  }
}

/** Conflicts with itself, so that two runs never fill one table; then looks whether the table is still as this run knows it. */
async function lock({ session, into }: BesideRun, mark: BesideMark): Promise<number> {
  await session.query(`LOCK TABLE ${qualified(into)} IN SHARE ROW EXCLUSIVE MODE`);
  const found = await findBeside(session, into);
  if (found?.mark?.parts === mark.parts && !found.mark.whole && found.mark.manifest.key === mark.manifest.key)
    return found.oid;
  throw new IdentityError(`Somebody else works on ${qualified(into)}; run again when that has ended.`);
}

async function fill(run: BesideRun, mark: BesideMark, part: ArchivedPart, manifest: Manifest): Promise<BesideMark> {
  const { session, store, into, where, signal } = run;
  return session.transaction(async () => {
    await lock(run, mark);
    await session.query(COPYING);
    const sum = new RowSummer(part.format);
    const columns = manifest.columns.map(({ name }) => name);
    const rows = await readRows(store, part);
    const { encoding } = manifest.server;
    const table = { ...into, columns, format: part.format, encoding, ...(where !== undefined && { where }) };
    const taken = await copyRowsIn(session, table, (text) => pipeline(rows, summing(sum), text, { signal }));
    if (!sameRows(sum.end(), part))
      throw new ProofError("corrupt", `${store.url}/${part.key} holds other rows than were written`, part.key);
    const next = { ...mark, parts: mark.parts + 1, rows: mark.rows + taken };
    faultPoint("archive");
    await writeBesideMark(session, into, next);
    faultPoint("beforeCommit");
    return next;
  });
}

/** With a condition the number of rows has to do: which of them match, only the server knows. */
async function requireAll(run: BesideRun, mark: BesideMark, manifest: Manifest): Promise<void> {
  const { session, into, where, signal } = run;
  const found = await findBeside(session, into);
  if (found === undefined) throw new IdentityError(`${qualified(into)} is gone.`);
  if (where === undefined) return requireRows(session, { ...into, oid: found.oid }, manifest, { signal });
  const [row] = await session.query<{ rows: string }>(`SELECT count(*)::text AS rows FROM ${qualified(into)}`);
  if (Number(row?.rows) !== mark.rows)
    throw new ProofError("stale", `${qualified(into)} holds ${row?.rows} rows, and ${mark.rows} were restored`);
}
