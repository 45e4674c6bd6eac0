/** Brings a table to its declaration in a process of its own, so that a fault point can end it: `alter-child <connection> <table>`. */

import { queryable } from "../../../postgres/table/client";
import type { DeclaredTable } from "../../../topology/table/model";
import type { TestDatabase } from "../../support/postgres";
import { converge, withContext } from "./trees";

async function main(): Promise<void> {
  const [connection = "", table = ""] = process.argv.slice(2);
  const database: Pick<TestDatabase, "connection"> = { connection: JSON.parse(connection) };
  await withContext(database, async (_, session) => {
    const failures = await converge(queryable(session), JSON.parse(table) as DeclaredTable);
    if (failures.length > 0) throw new Error(JSON.stringify(failures));
  });
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
