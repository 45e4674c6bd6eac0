/** The statements behind each step of an index's plan, with their locks: previews print them, `applyIndex` sends them. Pure. */
import type { IndexConstraint, IndexDeclaration, IndexStep, IndexStepKind } from "../../topology/index/model";
import type { RelationName } from "../../topology/model";
import { qualified, quoteIdent, quoteLiteral } from "../identifiers";
import type { Lock, LockMode, Statement } from "../statement";
import { indexKey, indexPlace, list } from "../table/create";

/** Statements of one step; those that are not `alone` share a transaction. */
export function renderIndexStep(step: IndexStep, declared: IndexDeclaration): Statement[] {
  return RENDERERS[step.kind](step, declared);
}

const RENDERERS: Record<IndexStepKind, (step: IndexStep, declared: IndexDeclaration) => Statement[]> = {
  dropInvalid: ({ index, table }) => [
    alone(
      `DROP INDEX CONCURRENTLY ${qualified(index)}`,
      [lock(table, "SHARE UPDATE EXCLUSIVE"), lock(index, "ACCESS EXCLUSIVE")],
      { waitsFor: [qualified(table)] },
    ),
  ],
  create: (step, declared) => [
    ...path(declared, "SET LOCAL"),
    ...(declared.constraint === undefined
      ? [createOnly(step, declared)]
      : [addConstraint(step, declared, declared.constraint)]),
    ...(step.comment === undefined ? [] : [comment(step.index, step.comment)]),
    ...attach(step),
  ],
  build: (step, declared) => [
    ...path(declared, "SET").map((statement) => ({ ...statement, transactional: false, alone: true })),
    alone(
      `CREATE ${createClause(declared, step.table, { index: step.index.name, concurrently: true })}`,
      [lock(step.table, "SHARE UPDATE EXCLUSIVE", "build")],
      { waitsForWriters: [qualified(step.table)] },
    ),
    ...useForConstraint(step),
    ...attach(step),
  ],
  adopt: (step) => [...useForConstraint(step), ...attach(step)],
  rebuild: reindex,
  move: reindex,
  place: ({ index }, { tablespace }) =>
    tablespace === undefined
      ? []
      : [
          transactional(`ALTER INDEX ${qualified(index)} SET TABLESPACE ${quoteIdent(tablespace)}`, [
            lock(index, "ACCESS EXCLUSIVE"),
          ]),
        ],
  rename: ({ index, name }) => [renameTo(index, name)],
  swap: (step) => [...dropIndex(step), comment(step.index, step.comment), renameTo(step.index, step.name)],
  drop: dropIndex,
};

/** Beside itself; with a tablespace it is there afterwards. */
function reindex({ index, table }: IndexStep, { tablespace }: IndexDeclaration): Statement[] {
  const options = tablespace === undefined ? "CONCURRENTLY" : `TABLESPACE ${quoteIdent(tablespace)}, CONCURRENTLY`;
  return [
    alone(
      `REINDEX (${options}) INDEX ${qualified(index)}`,
      [lock(table, "SHARE UPDATE EXCLUSIVE", "build"), lock(index, "SHARE UPDATE EXCLUSIVE")],
      { waitsFor: [qualified(table)] },
    ),
  ];
}

/** `[UNIQUE] INDEX [CONCURRENTLY] name ON [ONLY] table USING …`. */
export function createClause(
  declared: IndexDeclaration,
  table: RelationName,
  how: { index: string; concurrently?: boolean; only?: boolean },
): string {
  const { include, where, storage, tablespace } = declared;
  const parameters = Object.entries(storage).map(
    ([name, value]) => `${quoteIdent(name)} = ${quoteLiteral(String(value))}`,
  );
  return [
    ...(declared.unique ? ["UNIQUE"] : []),
    "INDEX",
    ...(how.concurrently ? ["CONCURRENTLY"] : []),
    `${quoteIdent(how.index)} ON${how.only ? " ONLY" : ""} ${qualified(table)}`,
    `USING ${quoteIdent(declared.method)} (${declared.columns.map(indexKey).join(", ")})`,
    ...(include.length > 0 ? [`INCLUDE ${list(include)}`] : []),
    ...(declared.nullsNotDistinct ? ["NULLS NOT DISTINCT"] : []),
    ...(parameters.length > 0 ? [`WITH (${parameters.join(", ")})`] : []),
    ...(tablespace === undefined ? [] : [`TABLESPACE ${quoteIdent(tablespace)}`]),
    ...(where === undefined ? [] : [`WHERE (${where})`]),
  ].join(" ");
}

/** Where unqualified names in expressions, and those of operator classes and collations, are looked up. */
export function searchPathFor({ schema }: IndexDeclaration): string {
  const schemas = [...new Set([schema, "public"])].map(quoteIdent);
  return `search_path TO ${[...schemas, "pg_temp"].join(", ")}`;
}

function path(declared: IndexDeclaration, set: "SET" | "SET LOCAL"): Statement[] {
  const looksUp = declared.columns.some(
    ({ expression, opclass, collation }) => (expression ?? opclass ?? collation) !== undefined,
  );
  if (!looksUp && declared.where === undefined) return [];
  return [transactional(`${set} ${searchPathFor(declared)}`, [])];
}

function createOnly({ table, index }: IndexStep, declared: IndexDeclaration): Statement {
  return transactional(`CREATE ${createClause(declared, table, { index: index.name, only: true })}`, [
    lock(table, "SHARE"),
  ]);
}

/** On the table alone: the constraint is not valid before every partition has attached its own. */
function addConstraint(
  { table, index }: IndexStep,
  declared: IndexDeclaration,
  constraint: IndexConstraint,
): Statement {
  const columns = declared.columns.map(({ column }) => column ?? "");
  const distinct = declared.nullsNotDistinct ? " NULLS NOT DISTINCT" : "";
  const place = indexPlace(declared.tablespace);
  const clause = `ADD CONSTRAINT ${quoteIdent(index.name)} ${constraint.toUpperCase()}${distinct} ${list(columns)}${place}`;
  return transactional(`ALTER TABLE ONLY ${qualified(table)} ${clause}`, [lock(table, "ACCESS EXCLUSIVE")]);
}

function useForConstraint({ table, index, constraint }: IndexStep): Statement[] {
  if (constraint === undefined) return [];
  const name = quoteIdent(index.name);
  const clause = `ADD CONSTRAINT ${name} ${constraint.toUpperCase()} USING INDEX ${name}`;
  return [transactional(`ALTER TABLE ${qualified(table)} ${clause}`, [lock(table, "ACCESS EXCLUSIVE")])];
}

/** Planning a query locks every index of the tables in it, so that the lock on the part is one that readers feel. */
function attach({ table, index, attachTo }: IndexStep): Statement[] {
  if (attachTo === undefined) return [];
  return [
    transactional(`ALTER INDEX ${qualified(attachTo.index)} ATTACH PARTITION ${qualified(index)}`, [
      lock(attachTo.table, "ACCESS SHARE"),
      lock(attachTo.index, "SHARE UPDATE EXCLUSIVE"),
      lock(table, "ACCESS SHARE"),
      lock(index, "ACCESS EXCLUSIVE"),
    ]),
  ];
}

function dropIndex({ drops, locks }: IndexStep): Statement[] {
  if (drops === undefined) return [];
  return [
    transactional(
      `DROP INDEX ${qualified(drops)}`,
      (locks ?? []).map((relation) => lock(relation, "ACCESS EXCLUSIVE")),
    ),
  ];
}

function renameTo(index: RelationName, name: string | undefined): Statement {
  return transactional(`ALTER INDEX ${qualified(index)} RENAME TO ${quoteIdent(name ?? index.name)}`, [
    lock(index, "SHARE UPDATE EXCLUSIVE"),
  ]);
}

function comment(index: RelationName, text: string | undefined): Statement {
  const literal = text === undefined ? "NULL" : quoteLiteral(text);
  return transactional(`COMMENT ON INDEX ${qualified(index)} IS ${literal}`, [lock(index, "SHARE UPDATE EXCLUSIVE")]);
}

function lock(relation: RelationName, mode: LockMode, hold: Lock["hold"] = "instant"): Lock {
  return { relation: qualified(relation), mode, hold };
}

function transactional(sql: string, locks: Lock[]): Statement {
  return { sql, locks, transactional: true };
}

/** Committed by PostgreSQL itself, in several transactions; no block around it is allowed. */
function alone(sql: string, locks: Lock[], waits: Pick<Statement, "waitsFor" | "waitsForWriters">): Statement {
  return { sql, locks, transactional: false, alone: true, ...waits };
}
