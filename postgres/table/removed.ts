/**
 * Constraints that the last update declared and this one does not: they go. What nobody declared is somebody else's, and
 * so is an index: the same name may stand for an `Index` resource now.
 */
import { DatabaseError } from "pg";
import type { ActualTable, DeclaredTable } from "../../topology/table/model";
import type { Queryable } from "./client";
import { withReferencedColumns } from "./compare";
import { claimed } from "./compare-constraints";
import type { Difference } from "./difference";
import { STANDING_ON } from "./queries";
import { readExpected } from "./scratch";

/** The differences, with those about such constraints as changes. `former` is the declaration of the last update. */
export async function withRemoved(
  client: Queryable,
  former: DeclaredTable | undefined,
  actual: ActualTable,
  differences: Difference[],
): Promise<Difference[]> {
  const undeclared = differences.some(({ kind }) => kind === "constraintUndeclared");
  if (former?.columns === undefined || !undeclared) return differences;
  const claims = await claimsOf(client, former, actual);
  if (claims.size === 0) return differences;
  const obstacles = await readObstacles(client, actual);
  return differences.map((difference): Difference => {
    const { kind, counterpart = "", reason } = difference;
    const place = claims.get(counterpart);
    if (kind !== "constraintUndeclared" || place?.property !== difference.path) return difference;
    return {
      ...difference,
      kind: "constraintRemoved",
      severity: "change",
      reason: reason.replace("is not declared; it is left alone", "is not declared any more"),
      former: place,
      obstacle: obstacles.get(counterpart),
    };
  });
}

/** A declaration that PostgreSQL no longer takes (a type of it is gone) cannot be compared: what it stood for stays. */
async function claimsOf(
  client: Queryable,
  former: DeclaredTable,
  actual: ActualTable,
): Promise<ReturnType<typeof claimed>> {
  try {
    const expected = await readExpected(client, former, []);
    return claimed(await withReferencedColumns(client, former), expected.table, actual);
  } catch (error) {
    if (error instanceof DatabaseError) return new Map();
    throw error;
  }
}

interface StandingRow {
  name: string;
  identity: boolean;
  referencing: string[];
}

/** What would go, or refuse to let go, with a unique constraint. */
async function readObstacles(client: Queryable, { oid }: ActualTable): Promise<Map<string, string>> {
  const { rows } = await client.query<StandingRow>(STANDING_ON, [oid]);
  return new Map(
    rows.flatMap(({ name, identity, referencing }): [string, string][] => {
      if (referencing.length > 0)
        return [[name, `Foreign keys of ${referencing.join(", ")} need it: remove those first.`]];
      if (!identity) return [];
      return [
        [
          name,
          "It is the replica identity of the table or of a partition, whose updates a publication then refuses (55000): choose another one first, ALTER TABLE … REPLICA IDENTITY.",
        ],
      ];
    }),
  );
}
