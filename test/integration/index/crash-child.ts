/** Builds an index in a process of its own, so that a fault point can end it: `crash-child <connection> <declaration>`. */
import type { IndexDeclaration } from "../../../topology/index/model";
import type { Connection } from "../../support/postgres";
import { build } from "./support";

async function main(): Promise<void> {
  const [connection = "", declared = ""] = process.argv.slice(2);
  const { failed } = await build(JSON.parse(connection) as Connection, JSON.parse(declared) as IndexDeclaration);
  if (failed.length > 0) throw new Error(JSON.stringify(failed));
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
