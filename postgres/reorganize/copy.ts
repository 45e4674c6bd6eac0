/** Copies what was there before the capture, and proves that the copy equals its sources. */
import type { RelationName, ReorganizationTarget, SourceTable } from "../../topology/model";
import { qualified, quoteIdent } from "../identifiers";
import type { Lock, Statement } from "../statement";
import { blocksOf } from "./capture";
import { copiesOf, leavesOf, TAKEN } from "./names";
import {
  keyList,
  lock,
  lockAll,
  part,
  type ReorganizationRendering,
  sameKey,
  statement,
  storedColumns,
} from "./rendering";

/**
 * One batch: rows of the blocks `$1` to `$2` (exclusive). FOR SHARE, because a row that is changed between being read and
 * being written would come back (measured: 9 of 18 interleavings wrong without, none with). What the capture has written
 * already is newer and stays.
 */
export function batchStatements(rendering: ReorganizationRendering, source: SourceTable): Statement[] {
  const { layout } = rendering;
  const columns = storedColumns(rendering).join(", ");
  const copy =
    `INSERT INTO ${qualified(layout.staging)} (${columns}) SELECT ${columns} FROM ONLY ${qualified(source)}` +
    ` WHERE ctid >= $1::tid AND ctid < $2::tid FOR SHARE ON CONFLICT (${keyList(rendering)}) DO NOTHING`;
  const locks = [lock(source, "ROW SHARE"), ...writing(rendering)];
  return part(`copy ${source.name}, some blocks in each transaction`, [
    statement(copy, locks),
    statement(`UPDATE ${qualified(layout.progress)} SET next = $2 WHERE source = $1`, [
      lock(layout.progress, "ROW EXCLUSIVE"),
    ]),
  ]);
}

/** The CHECKs of HASH partitions look up the parent's key. */
function writing({ parent, layout }: ReorganizationRendering): Lock[] {
  return [
    ...lockAll([layout.staging, ...copiesOf(layout)], "ROW EXCLUSIVE"),
    ...(parent.strategy === "hash" ? [lock(parent, "ACCESS SHARE")] : []),
  ];
}

/**
 * Rows that only left a note: their sources are locked first, so that nobody changes them meanwhile and nobody who does
 * waits for the copy in the opposite order. Once the copy has foreign keys, their checks lock what they reference as those
 * of any writer do.
 */
export function repairStatements(rendering: ReorganizationRendering): Statement[] {
  const { layout } = rendering;
  const missed = qualified(layout.missed);
  const columns = storedColumns(rendering);
  const same = `EXISTS (SELECT FROM ${missed} AS note WHERE note.${TAKEN} AND ${sameKey(rendering, "note", "one")})`;
  const list = columns.join(", ");
  const note = lock(layout.missed, "ROW EXCLUSIVE");
  const leaves = layout.sources.flatMap(leavesOf);
  return part("copy once more what only left a note", [
    statement(`UPDATE ${missed} SET ${TAKEN} = true`, [note]),
    ...leaves.map((leaf) =>
      statement(`SELECT FROM ONLY ${qualified(leaf)} AS one WHERE ${same} FOR SHARE`, [lock(leaf, "ROW SHARE")]),
    ),
    statement(`DELETE FROM ${qualified(layout.staging)} AS one WHERE ${same}`, writing(rendering)),
    ...leaves.map((leaf) =>
      statement(
        `INSERT INTO ${qualified(layout.staging)} (${list}) SELECT ${columns.map((column) => `one.${column}`).join(", ")}` +
          ` FROM ONLY ${qualified(leaf)} AS one WHERE ${same} FOR SHARE ON CONFLICT (${keyList(rendering)}) DO NOTHING`,
        [lock(leaf, "ROW SHARE"), ...writing(rendering)],
      ),
    ),
    statement(`DELETE FROM ${missed} WHERE ${TAKEN}`, [note]),
  ]);
}

/** After a TRUNCATE of a source: everything again, and whatever is in the sources when nobody writes to the copy. */
export function restartStatements({ layout }: ReorganizationRendering): Statement[] {
  const { staging, missed, progress, sources } = layout;
  return part("begin the copy again", [
    statement(
      `TRUNCATE ${qualified(staging)}, ${qualified(missed)}`,
      lockAll([staging, ...copiesOf(layout), missed], "ACCESS EXCLUSIVE"),
    ),
    ...sources
      .flatMap(leavesOf)
      .map((source) =>
        statement(
          `UPDATE ${qualified(progress)} SET next = 0, stop = ${blocksOf(qualified(source))} WHERE source = ${source.oid}`,
          [lock(progress, "ROW EXCLUSIVE")],
        ),
      ),
  ]);
}

/** All but those that a target, or what is below it, is declared to compute in another way than its sources did. */
function comparedColumns({ copying, layout }: ReorganizationRendering): string[] {
  const recomputed = new Set(layout.targets.flatMap(expressionsIn));
  return copying.columns.filter(({ name }) => !recomputed.has(name)).map(({ name }) => quoteIdent(name));
}

function expressionsIn({ generated = {}, level }: Pick<ReorganizationTarget, "generated" | "level">): string[] {
  return [...Object.keys(generated), ...(level?.partitions ?? []).flatMap(expressionsIn)];
}

/** Number and content of rows, whatever their order: two 64-bit hashes of each, added up. */
function fingerprint(columns: string[], relations: { name: string; side: string }[]): string {
  const row = `ROW(${columns.join(", ")})::text COLLATE pg_catalog."C"`;
  const parts = relations.map(({ name, side }) => `SELECT '${side}' AS side, ${row} AS content FROM ${name}`);
  // A partitioned table without partitions holds nothing.
  if (parts.length === 0) parts.push("SELECT '' AS side, '' AS content WHERE false");
  return (
    "SELECT side, count(*)::text AS rows, sum(pg_catalog.hashtextextended(content, 0)::numeric)::text AS first," +
    " sum(pg_catalog.hashtextextended(content, 1)::numeric)::text AS second" +
    ` FROM (${parts.join(" UNION ALL ")}) AS sides GROUP BY side`
  );
}

/** Sources and copy in one statement, and so in one snapshot, in which they have to be equal. */
export function compareStatement(rendering: ReorganizationRendering): Statement {
  const { layout } = rendering;
  const columns = comparedColumns(rendering);
  const leaves = layout.sources.flatMap(leavesOf);
  const sides = [
    ...leaves.map((leaf) => ({ name: `ONLY ${qualified(leaf)}`, side: "sources" })),
    { name: qualified(layout.staging), side: "copy" },
  ];
  const read = [...leaves, layout.staging, ...copiesOf(layout)];
  return statement(fingerprint(columns, sides), lockAll(read, "ACCESS SHARE"), {
    part: "compare the copy with its sources",
  });
}

/** The same for leaves of one transaction, before or after the rows have been moved. */
export function fingerprintStatement(
  rendering: ReorganizationRendering,
  side: "before" | "after",
  leaves: RelationName[],
): Statement {
  const columns = comparedColumns(rendering);
  const relations = leaves.map((leaf) => ({ name: `ONLY ${qualified(leaf)}`, side }));
  return statement(fingerprint(columns, relations), lockAll(leaves, "ACCESS SHARE"));
}
