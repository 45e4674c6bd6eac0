/** Compares a table with its declaration and plans what is to be done; preview and `up` call it alike. */
import type { ActualTable, DeclaredTable } from "../../topology/table/model";
import { planTableChange, type TableChange } from "./change";
import type { Queryable } from "./client";
import { compareTable } from "./compare";
import type { Difference } from "./difference";
import { readTree } from "./tree";

export interface TablePlan {
  differences: Difference[];
  change: TableChange;
}

/** The client must not be in a transaction. Throws PostgreSQL's own error for a declaration that it refuses. */
export async function planTable(client: Queryable, declared: DeclaredTable, actual: ActualTable): Promise<TablePlan> {
  const differences = await compareTable(client, declared, actual);
  const facts = await readTree(client, declared, actual, differences);
  return { differences, change: planTableChange(declared, actual, differences, facts) };
}
