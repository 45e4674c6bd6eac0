/** The inside of a partition that is made with everything below it. */
import { relationsBelow } from "../topology/level";
import type { NewLevel, NewPartition, RelationName } from "../topology/model";
import type { Step } from "../topology/steps";
import { boundClause } from "./boundSql";
import { attributeStatements, type Creation } from "./childAttributes";
import { expressionClause } from "./generated";
import { qualified, quoteIdent } from "./identifiers";
import { locksOf } from "./locks";
import type { ParentFacts } from "./parent";
import type { Statement } from "./statement";
import { storageClauses } from "./storageParameters";

/** ` PARTITION BY …`; nothing for a leaf. */
export function partitionByClause(level: NewLevel | undefined): string {
  if (level === undefined) return "";
  return ` PARTITION BY ${level.strategy.toUpperCase()} (${level.keyColumns.map(quoteIdent).join(", ")})`;
}

/** Every table that a step makes. */
export function relationsMade({ method, schema, partition, level, reorganization }: Step): RelationName[] {
  if (reorganization !== undefined) {
    const giving = reorganization.sources.flatMap((source) => [source, ...(source.below ?? [])]);
    const taken = new Set(giving.map(qualified));
    const made = reorganization.targets.flatMap(({ name, level: inside }) => [
      { schema, name },
      ...relationsBelow(inside, schema),
    ]);
    return made.filter((relation) => !taken.has(qualified(relation)));
  }
  if (method !== "likeAttach" && method !== "partitionOf") return [];
  return [{ schema, name: partition }, ...relationsBelow(level, schema)];
}

/** The comments that are declared for the tables that a step makes. */
export function commentsMade({
  schema,
  partition,
  comment,
  level,
}: Pick<Step, "schema" | "partition" | "comment" | "level">): Commented[] {
  const made = (relation: RelationName, said: string | undefined, inside: NewLevel | undefined): Commented[] => [
    ...(said === undefined ? [] : [{ relation, text: said }]),
    ...(inside?.partitions ?? []).flatMap(({ name, schema: own = relation.schema, comment: text, level: below }) =>
      made({ schema: own, name }, text, below),
    ),
  ];
  return made({ schema, name: partition }, comment, level);
}

interface Commented {
  relation: RelationName;
  text: string;
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
  objects: Making["objects"] = ({ name }) => name,
): Statement[] {
  return partitionStatements(
    { source: parent, creation, made: [table], objects },
    factsOf(parent, table, creation),
    level,
  );
}

/** What is the same for all tables of a subtree. */
interface Making {
  /** The table that hands down its attributes: the expressions of its policies name it. */
  source: ParentFacts;
  creation: Creation;
  /** What has been made so far: a foreign key of the table on itself locks all of it again. */
  made: RelationName[];
  /** What the names of a table's statistics objects begin with. */
  objects(child: RelationName): string;
}

function partitionStatements(making: Making, table: ParentFacts, level: NewLevel | undefined): Statement[] {
  const { source, creation, made } = making;
  const own = (table.itself ?? []).length > 0;
  return (level?.partitions ?? []).flatMap(
    ({ name, schema = table.schema, bound, level: below, storage = {}, generated }: NewPartition) => {
      const child = { schema, name };
      const divided = partitionByClause(below) + storageClauses(storage);
      const clauses = `${expressionClause(generated)} ${boundClause(bound)}${divided}`;
      const sql = `CREATE TABLE ${qualified(child)} PARTITION OF ${qualified(table)}${clauses}`;
      const facts = own ? { ...table, itself: [...(source.itself ?? []), ...made] } : table;
      const create = { sql, locks: locksOf("partitionOf", facts, { child }), transactional: true };
      made.push(child);
      return [
        create,
        ...attributeStatements(source, child, "partitionOf", making.objects(child)),
        ...partitionStatements(making, factsOf(table, child, creation), below),
      ];
    },
  );
}

/** A table that is being made is like its parent in all that it hands down. */
function factsOf(parent: ParentFacts, { schema, name }: RelationName, creation: Creation): ParentFacts {
  const links =
    creation === "like"
      ? { references: [], referencedBy: [], partitionsOfReferencing: [], itself: [], lockFirst: [], ancestors: [] }
      : { ancestors: [parent, ...parent.ancestors] };
  return { ...parent, ...links, schema, name, defaultPartition: undefined, defaultDescendants: [] };
}
