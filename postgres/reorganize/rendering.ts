/** What the statements of a reorganization are made from, and the few words that all of them use. */
import type { PartitionBound, RelationName } from "../../topology/model";
import type { Step } from "../../topology/steps";
import { boundPredicate, hashPredicate } from "../boundSql";
import { UTF8 } from "../encoding";
import { qualified, quoteIdent } from "../identifiers";
import type { CopyFacts, ParentFacts } from "../parent";
import type { Lock, LockMode, Statement } from "../statement";
import { type Layout, layoutOf, type Source } from "./names";

export interface ReorganizationRendering {
  parent: ParentFacts;
  copying: CopyFacts;
  layout: Layout;
}

/** Without a database nobody knows the key: what can be shown then is that rows are copied, and where to. */
const UNKNOWN: CopyFacts = {
  partitionKey: "",
  columns: [],
  encoding: UTF8,
  key: [],
  foreignKeys: [],
  unvalidated: [],
  provable: false,
  selfReferenced: false,
  publicationsOfAll: [],
  publicationsOfLeaves: [],
  publications: [],
  rowSecurityApplies: false,
};

/** @throws RangeError when the step does not say what is reorganized. */
export function renderingOf(step: Step, parent: ParentFacts & { oid?: number }): ReorganizationRendering {
  if (step.reorganization === undefined) throw new RangeError(`Step ${step.id} does not say what is reorganized.`);
  const layout = layoutOf(parent.oid ?? 0, step.schema, step.reorganization);
  return { parent, copying: parent.copying ?? UNKNOWN, layout };
}

/** The rows of a source, as FROM takes them; `table`: what it is called. */
export function rowSource({ below }: Source, table: RelationName): string {
  return below === undefined ? `ONLY ${qualified(table)}` : qualified(table);
}

/** One mode for several relations. */
export function lockAll(relations: readonly RelationName[], mode: LockMode, hold?: Lock["hold"]): Lock[] {
  return relations.map((relation) => lock(relation, mode, hold));
}

export function lock(relation: RelationName, mode: LockMode, hold: Lock["hold"] = "instant"): Lock {
  return { relation: qualified(relation), mode, hold };
}

export function statement(sql: string, locks: Lock[], more: Partial<Statement> = {}): Statement {
  return { sql, locks, transactional: true, ...more };
}

/** The first statement says what this part of the work is for. */
export function part(title: string, statements: Statement[]): Statement[] {
  return statements.map((one, at) => (at === 0 ? { ...one, part: title } : one));
}

/** Columns that a row is copied by: a generated one is computed again. */
export function storedColumns({ copying }: ReorganizationRendering): string[] {
  return copying.columns.filter(({ generated }) => !generated).map(({ name }) => quoteIdent(name));
}

/** `a.k = b.k AND …` for every column of the key. */
export function sameKey({ copying }: ReorganizationRendering, left: string, right: string): string {
  return copying.key
    .map(({ column, equals }) => `${left}.${quoteIdent(column)} ${equals} ${right}.${quoteIdent(column)}`)
    .join(" AND ");
}

export function keyList({ copying }: ReorganizationRendering, prefix = ""): string {
  return copying.key.map(({ column }) => `${prefix}${quoteIdent(column)}`).join(", ");
}

/** True for rows of the bound, never NULL. DEFAULT: the rows of none of the others. */
export function rowsOf(bound: PartitionBound, others: PartitionBound[], parent: ParentFacts): string {
  if (!("default" in bound)) return conditionOf(bound, parent);
  const outside = others.filter((other) => !("default" in other)).map((other) => `NOT (${conditionOf(other, parent)})`);
  return outside.length === 0 ? "true" : outside.join(" AND ");
}

function conditionOf(bound: PartitionBound, parent: ParentFacts): string {
  return boundPredicate(bound, parent.keys) ?? hashPredicate(bound, qualified(parent), parent.keys) ?? "true";
}

/** PostgreSQL finds out by a scan whether rows of a HASH partition by text belong to it, whatever CHECK there is. */
export function attachScans({ parent }: ReorganizationRendering): boolean {
  return parent.strategy === "hash" && parent.keys.some(({ type }) => type === undefined || COLLATABLE.test(type));
}

const COLLATABLE = /^(text|character|"char"|name|citext|char|bpchar|varchar)/;

export const isDefault = ({ bound }: { bound: PartitionBound }): boolean => "default" in bound;

/** The parent's DEFAULT, when it takes no part: its rows must be proven not to belong to the targets. */
export function bystandingDefault({ parent, layout }: ReorganizationRendering): RelationName | undefined {
  return layout.sources.some(isDefault) ? undefined : parent.defaultPartition;
}

/**
 * Until 14 a WAL sender that has met a table before it was attached goes on leaving it out, and subscribers silently miss its
 * changes. Any change of the publication makes it look again, from this transaction on.
 */
export function publishedAnew({ parent, copying }: ReorganizationRendering): Statement[] {
  if (parent.major >= 15) return [];
  return copying.publications.map(({ name, viaRoot }) =>
    statement(`ALTER PUBLICATION ${quoteIdent(name)} SET (publish_via_partition_root = ${viaRoot})`, []),
  );
}
