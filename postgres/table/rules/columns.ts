/** What is done about columns that are not as declared. Pure. */
import type { DeclaredColumn } from "../../../topology/table/model";
import { qualified, quoteIdent } from "../../identifiers";
import type { Statement } from "../../statement";
import { columnClause, commentOnColumn, lookupPath, setStatistics, statement } from "../create";
import { notNullProof } from "../interim";
import { at, type Context, leaves, locks, type Outcome, onTree, type Rule, someRows, validate } from "./context";

/** `ADD COLUMN` where it changes the catalog only: PostgreSQL keeps a constant default beside the old rows. */
export const addColumn: Rule = at((context, column) => {
  const { relation, tree, empty, difference } = context;
  if (!empty && difference.instant !== true) {
    return "Adding this column writes a value into every row under ACCESS EXCLUSIVE. The safe way: add it nullable and without default (or with a constant one), SET DEFAULT, and fill old rows in batches.";
  }
  if (!empty && !column.nullable && column.default === undefined) {
    return "The rows that are there would have no value in this NOT NULL column. The safe way: give it a constant default; or declare it nullable, fill the old rows in batches, and then declare `nullable: false`, which reads every partition without blocking anybody.";
  }
  return [
    onTree(`ALTER TABLE ${relation} ADD COLUMN ${columnClause(column)}`, context),
    ...(column.comment ? tree.map((table) => commentOnColumn(column, table)) : []),
    ...(column.statistics === undefined ? [] : [setStatistics(column, relation, tree)]),
  ];
});

/** Of partitions too: PostgreSQL gives a comment to them when they are made, and not afterwards. */
export const commentColumn: Rule = at(({ tree }, column) => tree.map((table) => commentOnColumn(column, table)));

export const setColumnStatistics: Rule = at(({ relation, tree }, column) => [setStatistics(column, relation, tree)]);

/** Letting NULL in is a moment's work; keeping it out means that every row has to be read once. */
export const changeNullable: Rule = at((context, column) => {
  const subject = alterColumn(context, column);
  if (column.nullable) return [onTree(`${subject} DROP NOT NULL`, context)];
  return context.empty ? [onTree(`${subject} SET NOT NULL`, context)] : setNotNull(context, column);
});

/**
 * SET NOT NULL reads every row under ACCESS EXCLUSIVE, unless a valid CHECK proves on each partition that there is
 * nothing to be found. That way is the same on all versions; NOT NULL … NOT VALID is there on 18 only, and a row in the
 * way would leave it on the whole tree.
 */
function setNotNull(context: Context, column: DeclaredColumn): Outcome {
  const { relation, difference, actual, facts } = context;
  const proof = notNullProof(column.name);
  const name = quoteIdent(proof);
  const quoted = quoteIdent(column.name);
  const begun = actual.checks.some((check) => check.name === proof);
  const unproven = leaves(context).filter(({ oid }) => {
    const checks = facts.constraints.get(oid)?.checks ?? [];
    const proven = begun && !checks.some((check) => check.name === proof && !check.valid);
    return !proven && facts.notNull.get(oid)?.has(column.name) !== true;
  });
  const remove = onTree(`ALTER TABLE ${relation} DROP CONSTRAINT ${name}`, context);
  const add = `ALTER TABLE ${relation} ADD CONSTRAINT ${name} CHECK (${quoted} IS NOT NULL) NOT VALID`;
  return {
    difference,
    title: `NOT NULL on ${quoted}`,
    begin: begun ? [] : [onTree(add, context)],
    pieces: unproven.map((partition) => ({ partition, statements: [validate(partition, name)], takeBack: [] })),
    finish: [onTree(`${alterColumn(context, column)} SET NOT NULL`, context), remove],
    takeBack: begun ? [] : [remove],
    offenders: someRows(relation, `${quoted} IS NULL`),
  };
}

export const changeDefault: Rule = at((context, column) => {
  const there = context.actual.columns.find(({ name }) => name === column.name);
  if (declaresSequence(context) || there?.identity !== undefined || there?.generated !== undefined) {
    return "The values of this column come from elsewhere (a sequence of its own, an identity or an expression), and one kind is not exchanged for another in place. Change the default by hand.";
  }
  return [setDefault(context, column)];
});

function setDefault(context: Context, column: DeclaredColumn): Statement {
  const action = column.default === undefined ? "DROP DEFAULT" : `SET DEFAULT (${column.default})`;
  return onTree(`${alterColumn(context, column)} ${action}`, context);
}

/** A serial type makes its sequence with the column, and only then. */
function declaresSequence({ declared, difference }: Context): boolean {
  const column = difference.position === undefined ? undefined : declared.columns?.[difference.position];
  return column !== undefined && difference.declared !== undefined && column.default === undefined;
}

/**
 * Another type, where PostgreSQL reads the stored values as they are. It builds every index on the column anew all the
 * same when the table has partitions, and checks every CHECK, under ACCESS EXCLUSIVE. The statistics of the column are
 * lost with its old type.
 */
export const changeType: Rule = at((context, column) => {
  const { relation, tree, difference } = context;
  const { instant, dependents = [], declared } = difference;
  const there = context.actual.columns.find(({ name }) => name === column.name);
  if (instant !== true || declared === undefined || there?.generated !== undefined) {
    return "Changing this type rewrites every partition under ACCESS EXCLUSIVE. The safe way: add a nullable column of the new type, fill it in batches, and let the application change over.";
  }
  if (dependents.length > 0) {
    return `No row would be rewritten, but what stands on the column would be built or checked anew under ACCESS EXCLUSIVE: ${dependents.join(", ")}. The safe way: add a column of the new type, fill it in batches, and let the application change over; or change the type by hand in a maintenance window.`;
  }
  const collation = column.collation === undefined ? "" : ` COLLATE ${quoteIdent(column.collation)}`;
  const analyze: Statement = {
    ...statement(`ANALYZE ${relation} (${quoteIdent(column.name)})`, locks(tree, "SHARE UPDATE EXCLUSIVE", "scan")),
    transactional: false,
  };
  return {
    difference,
    title: `the type of ${quoteIdent(column.name)}`,
    begin: [
      onTree(`${alterColumn(context, column)} TYPE ${declared}${collation}`, context),
      // A default is printed with its type: whether it is the declared one cannot be told from the old one.
      ...(column.default === undefined && there?.default === undefined
        ? []
        : [lookupPath(context.declared.schema), setDefault(context, column)]),
    ],
    pieces: [],
    finish: context.empty ? [] : [analyze],
    takeBack: [],
  };
});

/** Partitions first: the table still shows the old owner as long as one of them does. */
export function changeOwner(context: Context): Outcome {
  const { declared, difference, relation, partitions } = context;
  if (declared.owner === undefined) return [];
  const owner = quoteIdent(declared.owner);
  const to = (name: string) => statement(`ALTER TABLE ${name} OWNER TO ${owner}`, locks([name], "ACCESS EXCLUSIVE"));
  return {
    difference,
    title: `the owner ${owner}`,
    begin: [],
    pieces: partitions
      .filter((partition) => partition.owner !== declared.owner)
      .map((partition) => ({ partition, statements: [to(qualified(partition))], takeBack: [] })),
    finish: [to(relation)],
    takeBack: [],
  };
}

function alterColumn({ relation }: Context, { name }: DeclaredColumn): string {
  return `ALTER TABLE ${relation} ALTER COLUMN ${quoteIdent(name)}`;
}
