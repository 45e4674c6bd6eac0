/** What is done about a constraint that the program has left out since the last update. Pure. */
import { qualified, quoteIdent } from "../../identifiers";
import { strongest } from "../../locks";
import { referencedTables, statement } from "../create";
import type { Difference, RemovableProperty } from "../difference";
import { type Context, locks, type Rule } from "./context";

const NOUNS: Record<Exclude<RemovableProperty, "primaryKey">, string> = {
  unique: "unique constraint",
  checks: "check",
  foreignKeys: "foreign key",
};

/** One transaction of its own for each, so that one that cannot go does not keep the others. */
export const removeConstraint: Rule = (context) => {
  const { difference, relation, tree } = context;
  const { counterpart = "", former, obstacle } = difference;
  if (former === undefined || former.property === "primaryKey")
    return "A primary key is not dropped: rows would no longer be told apart, and replication and foreign keys stand on it. Declare it again, or drop it by hand: ALTER TABLE … DROP CONSTRAINT.";
  if (obstacle !== undefined) return obstacle;
  const name = quoteIdent(counterpart);
  const drop = `ALTER TABLE ${relation} DROP CONSTRAINT ${name}`;
  const locked = locks([...tree, ...referenced(context, difference)], "ACCESS EXCLUSIVE");
  return {
    difference,
    title: `the removal of the ${NOUNS[former.property]} ${name}`,
    begin: [],
    pieces: [],
    finish: [statement(drop, strongest(locked))],
    takeBack: [],
  };
};

/** The referenced tables have triggers of the key: before 15 one that is itself a partition with partitions has none. */
function referenced({ actual, facts }: Context, { counterpart }: Difference): string[] {
  const key = actual.foreignKeys.find(({ name }) => name === counterpart);
  if (key === undefined) return [];
  const target = qualified({ schema: key.references.schema, name: key.references.table });
  return referencedTables([key], facts.below)
    .filter(({ name, partitioned }) => facts.major >= 15 || !partitioned || name === target)
    .map(({ name }) => name);
}
