/** Brings the rows of a partition back, into a table beside the parent that nobody else uses yet. */

import { pipeline } from "node:stream/promises";
import type { ArchiveRun } from "../postgres/archive/archiver";
import { flushCounters } from "../postgres/archive/changes";
import { FIND_MARKED, markStatement, type RestoreMark, readMark } from "../postgres/archive/mark";
import { refuseRowSecurity } from "../postgres/archive/rowSecurity";
import { COPYING, copyRowsIn } from "../postgres/archive/rows";
import { shareStatement } from "../postgres/archive/statements";
import type { Session } from "../postgres/connection";
import { IdentityError } from "../postgres/errors";
import { faultPoint } from "../postgres/faults";
import { qualified } from "../postgres/identifiers";
import type { Statement } from "../postgres/statement";
import { renderStep } from "../postgres/statements";
import type { RelationName } from "../topology/model";
import { readManifest } from "./inventory";
import { type Manifest, partsIn } from "./manifest";
import { explained, requireColumns } from "./misfit";
import { type Flow, readRows, watched } from "./object";
import { requireRows } from "./proof";
import type { Store, StoredObject } from "./store";

export interface RestoreRun extends ArchiveRun, Flow {
  store: Store;
  /** OID of the set's own table. */
  root: number;
  /** Where the manifest is. */
  manifest: StoredObject;
}

/**
 * Makes the table, fills it part by part, and compares it with the manifest. What is done is written on the table in the
 * transaction that does it.
 */
export async function restoreTable(run: RestoreRun): Promise<"done" | "reached"> {
  const { session, step, store } = run;
  const table = { schema: step.schema, name: step.partition };
  const found = await findTable(session, table, run);
  if (found?.whole) return "reached";
  // The table that is made has what its parent has.
  await refuseRowSecurity(session, run.parent, true);
  const manifest = await readManifest(store, run.manifest);
  await requireColumns(session, run.parent, table.name, manifest);
  const mark = found ?? (await makeTable(run, table));
  faultPoint("archive");
  try {
    await fill(run, table, mark, manifest);
  } catch (error) {
    throw await explained(session, run.parent, table, mark, manifest, error);
  }
  return "done";
}

/** Adds the parts that are not there yet, and compares all rows with the manifest. */
async function fill(run: RestoreRun, table: RelationName, made: RestoreMark, manifest: Manifest): Promise<void> {
  const { session, store } = run;
  let mark = made;
  const parts = partsIn(manifest);
  const columns = manifest.columns.map(({ name }) => name);
  const { encoding } = manifest.server;
  for (const part of parts.slice(mark.parts)) {
    run.signal?.throwIfAborted();
    mark = { ...mark, parts: mark.parts + 1 };
    await session.transaction(async () => {
      await session.query(COPYING);
      const rows = await readRows(store, part, run);
      const { signal } = run;
      await copyRowsIn(session, { ...table, columns, format: part.format, encoding }, (into) =>
        pipeline(rows, watched(run.onText), into, { signal }),
      );
      faultPoint("archive");
      await session.query(markStatement(table, mark).sql);
      faultPoint("beforeCommit");
    });
  }
  faultPoint("archive");
  await session.transaction(async () => {
    await session.query(shareStatement(table, []).sql);
    await session.query(COPYING);
    await requireRows(session, await identified(session, table), manifest, run);
    for (const { sql } of statementsOf(run).completing) await session.query(sql);
    await session.query(markStatement(table, { ...mark, whole: true }).sql);
  });
  await flushCounters(session);
}

/** Before the first row, and after the last one has been compared; the others tell of this file what it does itself. */
function statementsOf({ step, parent }: RestoreRun): Record<"making" | "completing", Statement[]> {
  const statements = renderStep(step, parent);
  const [filling, comparing] = [({ fills }: Statement) => fills, ({ prove }: Statement) => prove];
  const own = (some: Statement[]) => some.filter(({ marks, prove, proves }) => !(marks || prove || proves));
  return {
    making: own(statements.slice(0, statements.findIndex(filling))),
    completing: own(statements.slice(statements.findIndex(comparing))),
  };
}

/** What an interrupted restore has left; undefined when there is no such table. */
async function findTable(
  session: Session,
  table: RelationName,
  { manifest }: RestoreRun,
): Promise<RestoreMark | undefined> {
  const [row] = await session.query<{ comment: string | null }>(FIND_MARKED, [table.schema, table.name]);
  if (row === undefined) return undefined;
  const mark = readMark(row.comment);
  if (mark?.manifest.key === manifest.key) return mark;
  throw new IdentityError(`${qualified(table)} is there already, and no restore of this archive has made it.`);
}

async function makeTable(run: RestoreRun, table: RelationName): Promise<RestoreMark> {
  const { session, step, manifest } = run;
  if (step.bound === undefined) throw new RangeError(`Step ${step.id} has no bound.`);
  const { key, version } = manifest;
  const mark: RestoreMark = {
    root: run.root,
    ...(step.under && { under: step.under.name }),
    bound: step.bound,
    manifest: { key, ...(version !== undefined && { version }) },
    parts: 0,
    whole: false,
  };
  await session.transaction(async () => {
    for (const { sql } of statementsOf(run).making) await session.query(sql);
    await session.query(markStatement(table, mark).sql);
    faultPoint("beforeCommit");
  });
  return mark;
}

async function identified(session: Session, table: RelationName): Promise<RelationName & { oid: number }> {
  const [row] = await session.query<{ oid: number }>(FIND_MARKED, [table.schema, table.name]);
  if (row === undefined) throw new IdentityError(`${qualified(table)} is gone.`);
  return { ...table, oid: row.oid };
}
