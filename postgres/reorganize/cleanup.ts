/** Takes away what a reorganization has left: its sources after the exchange, or the copy when it is given up. */
import type { RelationName } from "../../topology/model";
import { qualified, quoteIdent, quoteLiteral } from "../identifiers";
import type { Statement } from "../statement";
import { type Made, madeOf, nameAfterSwap, type Source, type Target, treeOf } from "./names";
import { lock, lockAll, part, type ReorganizationRendering, statement } from "./rendering";
import { keysBeforeSwap, lockStatement } from "./swap";

/** What a source references, with all partitions of it. */
export function keysOf(
  { parent, copying }: ReorganizationRendering,
  source: Source,
): { name: string; references: RelationName[] }[] {
  return parent.childFacts[source.oid]?.foreignKeys ?? copying.foreignKeys;
}

/**
 * Foreign keys go first, one by one: DROP TABLE would lock every referenced table at once. What is dropped is looked at
 * again under the lock, by its OID, with everything below it.
 */
export function dropSourceStatements(rendering: ReorganizationRendering, source: Source): Statement[] {
  const { layout } = rendering;
  const name = qualified(nameAfterSwap(layout, source));
  const tree = treeOf(source).map((table) => nameAfterSwap(layout, table));
  const exclusive = lockAll(tree, "ACCESS EXCLUSIVE");
  const keys = keysOf(rendering, source);
  return part(`drop ${source.name}, whose rows are in the new partitions`, [
    ...keys.map((key) =>
      statement(
        `ALTER TABLE ${name} DROP CONSTRAINT IF EXISTS ${quoteIdent(key.name)}`,
        [...exclusive, ...lockAll(key.references, "ACCESS EXCLUSIVE")],
        { alone: true },
      ),
    ),
    lockStatement(tree),
    statement(`DROP TABLE ${name}`, exclusive),
  ]);
}

/**
 * Indexes and statistics of a target that was made under a reserved name are named after it, as PostgreSQL named them. A
 * name that is taken gets a number. The indexes are locked as the table is, so that the lock can be told beforehand.
 */
export function renameParts(target: Target): Statement[] {
  return madeOf(target).flatMap(renamePartsOf);
}

function renamePartsOf({ relation, final }: Made): Statement[] {
  if (relation.name === final.name) return [];
  const { schema, name } = final;
  const table = quoteLiteral(qualified(final));
  const body = `DECLARE made record; wanted text; number int;
BEGIN
  LOCK TABLE ONLY ${qualified(final)} IN SHARE UPDATE EXCLUSIVE MODE;
  FOR made IN
    SELECT 'INDEX' AS kind, c.relname AS name FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class c ON c.oid = x.indexrelid
    WHERE x.indrelid = ${table}::pg_catalog.regclass AND pg_catalog.starts_with(c.relname, ${quoteLiteral(relation.name)})
    UNION ALL
    SELECT 'STATISTICS', s.stxname FROM pg_catalog.pg_statistic_ext s
    WHERE s.stxrelid = ${table}::pg_catalog.regclass AND pg_catalog.starts_with(s.stxname, ${quoteLiteral(relation.name)})
  LOOP
    wanted := ${quoteLiteral(name)} || pg_catalog.substr(made.name, ${relation.name.length + 1});
    WHILE pg_catalog.octet_length(wanted) > 60 LOOP wanted := pg_catalog."left"(wanted, -1); END LOOP;
    number := 0;
    WHILE EXISTS (
      SELECT FROM (
        SELECT relnamespace, relname FROM pg_catalog.pg_class
        UNION ALL SELECT stxnamespace, stxname FROM pg_catalog.pg_statistic_ext
      ) AS taken(namespace, name) JOIN pg_catalog.pg_namespace n ON n.oid = taken.namespace
      WHERE n.nspname = ${quoteLiteral(schema)} AND taken.name = wanted || CASE WHEN number > 0 THEN number::text ELSE '' END
    ) LOOP number := number + 1; END LOOP;
    EXECUTE pg_catalog.format('ALTER %s %I.%I RENAME TO %I', made.kind, ${quoteLiteral(schema)}, made.name,
      wanted || CASE WHEN number > 0 THEN number::text ELSE '' END);
  END LOOP;
END`;
  return part(`name the indexes of ${name}`, [
    statement(`DO ${quoteLiteral(body)}`, [lock(final, "SHARE UPDATE EXCLUSIVE")]),
  ]);
}

/** The targets are its partitions only as long as the reorganization is not finished. */
export function dropStagingStatements({ layout }: ReorganizationRendering, targets: RelationName[]): Statement[] {
  const { staging, missed, progress, capture } = layout;
  const dropped = (relation: RelationName) => lock(relation, "ACCESS EXCLUSIVE");
  return part("remove what was made for the copy", [
    statement(`LOCK TABLE ONLY ${qualified(staging)} IN ACCESS EXCLUSIVE MODE`, [dropped(staging)], { recheck: true }),
    statement(`DROP TABLE ${qualified(staging)}`, [staging, ...targets].map(dropped)),
    statement(`DROP TABLE ${qualified(missed)}`, [dropped(missed)]),
    statement(`DROP TABLE ${qualified(progress)}`, [dropped(progress)]),
    statement(`DROP FUNCTION ${qualified(capture)}()`, []),
  ]);
}

/** Foreign keys of a target that is given up. */
export function dropTargetKeys(rendering: ReorganizationRendering, target: Target): Statement[] {
  const leaves = madeOf(target).filter(({ leaf }) => leaf);
  return leaves.flatMap(({ relation }) =>
    keysBeforeSwap(rendering, target).map(({ name, references }) =>
      statement(
        `ALTER TABLE ${qualified(relation)} DROP CONSTRAINT IF EXISTS ${quoteIdent(name)}`,
        lockAll([relation, ...references], "ACCESS EXCLUSIVE"),
        { alone: true },
      ),
    ),
  );
}
