/** The statements of steps that read or write an archive. */
import { ARCHIVE_DEFAULTS } from "../../topology/archive";
import { relationsBelow } from "../../topology/level";
import type { NewLevel, RelationName } from "../../topology/model";
import type { Step } from "../../topology/steps";
import { UTF8 } from "../encoding";
import { qualified, quoteIdent } from "../identifiers";
import type { ChildFacts, ParentFacts } from "../parent";
import type { Lock, Statement } from "../statement";
import { markStatement } from "./mark";
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

/** What a restore sends, from what makes its table on; `altering`: a statement that changes that table. */
export function restoreStatements(
  rendering: Pick<Rendering, "step" | "parent" | "child">,
  made: Statement[],
  altering: (sql: string) => Statement,
): Statement[] {
  const { step, parent, child } = rendering;
  const name = qualified(child);
  const mark = markStatement(child);
  const descendants = relationsBelow(step.level, step.schema);
  const added = (parent.copying?.unvalidated ?? []).map((constraint) =>
    altering(`ALTER TABLE ${name} ADD CONSTRAINT ${quoteIdent(constraint.name)} ${constraint.definition}`),
  );
  return [
    ...titled("a table that nobody uses yet", [...made, mark]),
    ...titled("with each object of the archive", [fillStatement(rendering, descendants), mark]),
    ...titled("when all rows are there", [
      { ...shareStatement(child, descendants), prove: true },
      ...leavesBelow(step.level, child).map((leaf) => comparedStatement(rendering, leaf)),
      ...added,
      mark,
    ]),
  ];
}

function titled(part: string, statements: Statement[]): Statement[] {
  return statements.map((one, at) => (at === 0 ? { ...one, part, alone: true } : one));
}

/**
 * LIKE makes them as if they had been validated, and they would refuse rows that have been in the table before them. So they
 * come back when the rows are there, as the parent has them.
 */
export function withoutUnvalidated({ parent, child }: Pick<Rendering, "parent" | "child">): string | undefined {
  const { unvalidated = [] } = parent.copying ?? {};
  if (unvalidated.length === 0) return undefined;
  const dropped = unvalidated.map(({ name }) => `DROP CONSTRAINT ${quoteIdent(name)}`);
  return `ALTER TABLE ${qualified(child)} ${dropped.join(", ")}`;
}

/** What fills the table that a restore has made; rows find their places below it. */
function fillStatement(
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

/** Under this lock a restored table is compared, and everything below it. */
export function shareStatement(table: RelationName, descendants: readonly RelationName[]): Statement {
  const locks = [table, ...descendants].map((one): Lock => ({ relation: qualified(one), mode: "SHARE", hold: "scan" }));
  return { sql: `LOCK TABLE ${qualified(table)} IN SHARE MODE`, locks, transactional: true };
}

/** The lock under which a table is compared with the archive, while nobody can write to it and everybody read, and the comparison. */
export function provingStatements(rendering: Rendering): Statement[] {
  const { child, facts } = rendering;
  const tables = [child, ...facts.descendants].map(qualified);
  const locks = tables.map((relation): Lock => ({ relation, mode: "SHARE", hold: "scan" }));
  const list = tables.map((name) => `ONLY ${name}`).join(", ");
  const leaves = facts.leaves.length > 0 ? facts.leaves : [child];
  return [
    { sql: `LOCK TABLE ${list} IN SHARE MODE`, locks, transactional: true, recheck: true, prove: true },
    ...leaves.map((table) => comparedStatement(rendering, table)),
  ];
}

/** How rows are read that are compared with those of the archive. */
function comparedStatement({ step, parent }: Pick<Rendering, "step" | "parent">, table: RelationName): Statement {
  return {
    sql: copyTo(rowsOf(table, step, parent)),
    locks: [{ relation: qualified(table), mode: "ACCESS SHARE", hold: "scan" }],
    transactional: true,
    proves: true,
  };
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

/** The tables that hold the rows of a new one. */
function leavesBelow(level: NewLevel | undefined, table: RelationName): RelationName[] {
  if (level === undefined) return [table];
  return level.partitions.flatMap(({ name, schema = table.schema, level: below }) =>
    leavesBelow(below, { schema, name }),
  );
}
