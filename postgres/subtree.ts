/** The inside of a partition that is made with everything below it. */
import { namesBelow } from "../topology/level";
import type { NewLevel, NewPartition, RelationName, Step } from "../topology/model";
import { boundClause } from "./boundSql";
import { attributeStatements, type Creation } from "./childAttributes";
import { qualified, quoteIdent } from "./identifiers";
import { locksOf } from "./locks";
import type { ParentFacts } from "./parent";
import type { Statement } from "./statement";

/** ` PARTITION BY …`; nothing for a leaf. */
export function partitionByClause(level: NewLevel | undefined): string {
  if (level === undefined) return "";
  return ` PARTITION BY ${level.strategy.toUpperCase()} (${level.keyColumns.map(quoteIdent).join(", ")})`;
}

/** Every table that a step makes. */
export function relationsMade({ method, schema, partition, level, reorganization }: Step): RelationName[] {
  if (reorganization !== undefined) {
    const taken = new Set(reorganization.sources.map(({ name }) => name));
    return reorganization.targets.flatMap(({ name }) => (taken.has(name) ? [] : [{ schema, name }]));
  }
  if (method !== "likeAttach" && method !== "partitionOf") return [];
  return [partition, ...namesBelow(level)].map((name) => ({ schema, name }));
}

/**
 * Makes the partitions of a table that nobody can be using, and theirs. `creation` says how that table itself was made: one
 * made by LIKE is not attached yet, so that its partitions meet neither foreign keys nor ancestors.
 */
export function insideStatements(
  parent: ParentFacts,
  table: RelationName,
  level: NewLevel | undefined,
  creation: Creation,
): Statement[] {
  return partitionStatements(parent, factsOf(parent, table, creation), level, creation);
}

/** `source` is the table that hands down its attributes: the expressions of its policies name it. */
function partitionStatements(
  source: ParentFacts,
  table: ParentFacts,
  level: NewLevel | undefined,
  creation: Creation,
): Statement[] {
  return (level?.partitions ?? []).flatMap(({ name, bound, level: below }: NewPartition) => {
    const child = { schema: table.schema, name };
    const sql = `CREATE TABLE ${qualified(child)} PARTITION OF ${qualified(table)} ${boundClause(bound)}${partitionByClause(below)}`;
    return [
      { sql, locks: locksOf("partitionOf", table, { child }), transactional: true },
      ...attributeStatements(source, child, "partitionOf"),
      ...partitionStatements(source, factsOf(table, child, creation), below, creation),
    ];
  });
}

/** A table that is being made is like its parent in all that it hands down. */
function factsOf(parent: ParentFacts, { schema, name }: RelationName, creation: Creation): ParentFacts {
  const links =
    creation === "like"
      ? { references: [], referencedBy: [], itself: [], lockFirst: [], ancestors: [] }
      : { ancestors: [parent, ...parent.ancestors] };
  return { ...parent, ...links, schema, name, defaultPartition: undefined, defaultDescendants: [] };
}
