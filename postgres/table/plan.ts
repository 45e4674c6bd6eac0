/** Compares a table with its declaration and plans what is to be done; preview and `up` call it alike. */
import type { ActualTable, DeclaredTable } from "../../topology/table/model";
import { planTableChange, type TableChange } from "./change";
import type { Queryable } from "./client";
import { compareTable } from "./compare";
import type { Difference } from "./difference";
import { withRemoved } from "./removed";
import { readTree } from "./tree";

export interface TablePlan {
  differences: Difference[];
  change: TableChange;
}

/**
 * `former` is the declaration of the last update: what it says and `declared` does not is removed. The client must not be in
 * a transaction. Throws PostgreSQL's own error for a declaration that it refuses.
 */
export async function planTable(
  client: Queryable,
  declared: DeclaredTable,
  actual: ActualTable,
  former?: DeclaredTable,
): Promise<TablePlan> {
  const differences = await withRemoved(client, former, actual, await compareTable(client, declared, actual));
  const facts = await readTree(client, declared, actual, differences);
  return { differences, change: planTableChange(declared, actual, differences, facts) };
}
