/** Archived rows that do not fit their table as it is now: why, and what is to be done. */
import { FIND_MARKED, type RestoreMark, readMark } from "../postgres/archive/mark";
import { COPYING } from "../postgres/archive/rows";
import { readColumns } from "../postgres/archive/table";
import type { Session } from "../postgres/connection";
import { ArchiveError, errorCode } from "../postgres/errors";
import { qualified } from "../postgres/identifiers";
import type { RelationName } from "../topology/model";
import { type Manifest, partsIn } from "./manifest";
import { ProofError } from "./proofError";

/** SQLSTATE classes of what a value or a constraint refuses: data exceptions, integrity constraint violations. */
const MISFITS = /^2[23]/;

const ADVICE =
  "Take back what has changed for these rows since, or restore them beside the parent (pgpartition archive restore --into)";

type Columns = Pick<Manifest, "columns">;

/** Columns that came since are as for rows of that time: their defaults. What is gone has no place to go to. */
export async function requireColumns(
  session: Session,
  parent: RelationName & { oid: number },
  partition: string,
  { columns }: Columns,
): Promise<void> {
  const there = new Set((await readColumns(session, parent.oid)).map(({ name }) => name));
  const lost = columns.filter(({ name }) => !there.has(name));
  if (lost.length === 0) return;
  const list = lost.map(({ name, type }) => `${name} ${type}`).join(", ");
  throw new ArchiveError(
    `${partition}: the archive has columns that ${qualified(parent)} has not any more: ${list}. ` +
      "Restore it beside the parent (pgpartition archive restore --into), or give the table these columns.",
  );
}

/**
 * The error in words when the rows do not fit, any other error as it is. In the first case the table is taken away: when
 * its parent has been changed it would still be as it was.
 */
export async function explained(
  session: Session,
  parent: { oid: number },
  table: RelationName,
  mark: RestoreMark,
  manifest: Pick<Manifest, "columns" | "leaves">,
  error: unknown,
): Promise<unknown> {
  const code = errorCode(error);
  const stale = error instanceof ProofError && error.failure === "stale";
  if (!(error instanceof Error) || !(stale || MISFITS.test(code ?? ""))) return error;
  const { columns } = manifest;
  const kept = await dropMarked(session, table, mark, manifest);
  const there = new Map((await readColumns(session, parent.oid)).map(({ name, type }) => [name, type]));
  const others = columns
    .filter(({ name, type }) => there.get(name) !== type)
    .map(({ name, type }) => ` ${name} was ${type} and is ${there.get(name)}.`);
  const why = stale ? "as they come back they are not those that were archived" : `${error.message} (${code})`;
  const what = `${qualified(table)}: the archived rows do not fit the table as it is now: ${why}.${others.join("")}`;
  return new ArchiveError(`${what} ${ADVICE}.${kept ?? ""}`, { cause: error });
}

/**
 * Only what this restore has made, nobody has attached, and holds no more rows than it has filled in: those are in the
 * archive. Gives the reason when it stays.
 */
function dropMarked(
  session: Session,
  table: RelationName,
  { manifest }: RestoreMark,
  content: Pick<Manifest, "leaves">,
): Promise<string | undefined> {
  return session.transaction(async () => {
    await session.query(`LOCK TABLE ${qualified(table)} IN ACCESS EXCLUSIVE MODE`);
    await session.query(COPYING);
    const [row] = await session.query<{ attached: boolean; comment: string | null }>(FIND_MARKED, [
      table.schema,
      table.name,
    ]);
    const mark = readMark(row?.comment ?? null);
    if (row?.attached !== false || mark?.manifest.key !== manifest.key) return undefined;
    const filled = partsIn(content)
      .slice(0, mark.parts)
      .reduce((sum, { rows }) => sum + rows, 0);
    const [there] = await session.query<{ rows: string }>(`SELECT count(*) AS rows FROM ${qualified(table)}`);
    if (Number(there?.rows) > filled)
      return ` The table stays: it holds ${there?.rows} rows, of which ${filled} came from the archive. Take the others elsewhere and drop it.`;
    await session.query(`DROP TABLE ${qualified(table)}`);
    return undefined;
  });
}
