/** A declared set in the server's words: generation expressions are compared as PostgreSQL prints them. */
import { type DeclaredExpression, readExpressions } from "../../postgres/catalog/expressions";
import type { Session } from "../../postgres/connection";
import type { ServerFacts } from "../../postgres/server";
import { entriesOf } from "../../topology/level";
import type { DesiredPartition, DesiredSet, ServerView } from "../../topology/model";

type Partitions = DesiredSet["partitions"];

/** First version that changes the access method of a table. */
const SET_ACCESS_METHOD_MAJOR = 15;

/** The set with what the server says of it; as it is while the table does not exist. */
export async function asServerSays(session: Session, desired: DesiredSet, { major }: ServerFacts): Promise<DesiredSet> {
  const unalterable: ServerView["unalterable"] = major < SET_ACCESS_METHOD_MAJOR ? ["accessMethod"] : [];
  const declared = declaredExpressions(desired.partitions);
  const table = { schema: desired.schema, name: desired.table };
  const read = declared.length === 0 ? undefined : await readExpressions(session, { table, major }, declared);
  if (read === undefined) return { ...desired, server: { refused: [], unalterable } };
  const refused = read.declared.flatMap((one) => ("reason" in one ? [one] : []));
  const printed = new Map(read.declared.map((one) => [keyOf(one), "printed" in one ? one.printed : one.expression]));
  const partitions = withExpressions(desired.partitions, printed);
  return { ...desired, partitions, server: { expressions: read.own, refused, unalterable } };
}

function declaredExpressions(partitions: Partitions): DeclaredExpression[] {
  const all = [...entriesOf(partitions, "")].flatMap(({ entry: { generated = {} } }) =>
    Object.entries(generated).map(([column, expression]) => ({ column, expression })),
  );
  return [...new Map(all.map((one) => [keyOf(one), one])).values()];
}

function keyOf({ column, expression }: DeclaredExpression): string {
  return JSON.stringify([column, expression]);
}

function withExpressions(partitions: Partitions, printed: ReadonlyMap<string, string>): Partitions {
  const entries = Object.entries(partitions).map(([name, partition]): [string, DesiredPartition] => {
    const { generated, partitions: inside } = partition;
    if (generated === undefined && inside === undefined) return [name, partition];
    const own = Object.entries(generated ?? {}).map(([column, expression]) => [
      column,
      printed.get(keyOf({ column, expression })) ?? expression,
    ]);
    return [
      name,
      {
        ...partition,
        ...(generated && { generated: Object.fromEntries(own) }),
        ...(inside && { partitions: withExpressions(inside, printed) }),
      },
    ];
  });
  return Object.fromEntries(entries);
}
