/** The statements of steps that read or write an archive. */
import { ARCHIVE_DEFAULTS } from "../../topology/archive";
import type { RelationName } from "../../topology/model";
import type { Step } from "../../topology/steps";
import { UTF8 } from "../encoding";
import { qualified } from "../identifiers";
import type { ChildFacts, ParentFacts } from "../parent";
import type { Lock, Statement } from "../statement";
import { copyFrom, copyTo, type RowsTable } from "./rows";
import { exportCall } from "./serverSide";

interface Rendering {
  step: Step;
  parent: ParentFacts;
  child: RelationName;
  facts: ChildFacts;
}

/** One for each table that holds rows; a large one is read in parts. */
export function exportStatements({ step, parent, child }: Rendering): Statement[] {
  const { serverSide } = step;
  return (step.tables ?? [child]).map((table) => {
    const rows = rowsOf(table, step, parent);
    return {
      sql: serverSide === undefined ? copyTo(rows) : exportCall(rows, serverSide, LATER),
      locks: [{ relation: qualified(table), mode: "ACCESS SHARE", hold: "scan" }],
      transactional: true,
      alone: true,
    };
  });
}

/** Of a key that is chosen when the rows are written. */
const LATER = "…";

/** What fills the table that a restore has made; rows find their places below it. */
export function fillStatement(
  { step, parent, child }: Pick<Rendering, "step" | "parent" | "child">,
  descendants: readonly RelationName[],
): Statement {
  const filled = [child, ...descendants].map(qualified);
  return {
    sql: copyFrom(rowsOf(child, step, parent)),
    locks: filled.map((relation): Lock => ({ relation, mode: "ROW EXCLUSIVE", hold: "scan" })),
    transactional: true,
    fills: true,
  };
}

/** Under this lock the table is compared with the archive; nobody can write to it, and everybody read. */
export function proofStatement({ child, facts }: Pick<Rendering, "child" | "facts">): Statement {
  const tables = [child, ...facts.descendants].map(qualified);
  const locks = tables.map((relation): Lock => ({ relation, mode: "SHARE", hold: "scan" }));
  const list = tables.map((name) => `ONLY ${name}`).join(", ");
  return { sql: `LOCK TABLE ${list} IN SHARE MODE`, locks, transactional: true, recheck: true, prove: true };
}

/** How the rows are read that are compared with those of the archive. */
export function comparedStatements({ step, parent, child, facts }: Rendering): Statement[] {
  const leaves = facts.leaves.length > 0 ? facts.leaves : [child];
  return leaves.map((table) => ({
    sql: copyTo(rowsOf(table, step, parent)),
    locks: [{ relation: qualified(table), mode: "ACCESS SHARE", hold: "scan" }],
    transactional: true,
    proves: true,
  }));
}

function rowsOf({ schema, name }: RelationName, { format }: Step, { copying }: ParentFacts): RowsTable {
  const stored = (copying?.columns ?? []).filter(({ generated }) => !generated);
  return {
    schema,
    name,
    columns: stored.map((column) => column.name),
    format: format ?? ARCHIVE_DEFAULTS.format,
    encoding: copying?.encoding ?? UTF8,
  };
}
