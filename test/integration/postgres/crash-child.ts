/** Carries out a plan in a process of its own, so that a fault point can end it: `crash-child <connection> <steps>`. */
import type { Step } from "../../../topology/steps";
import type { Connection } from "../../support/postgres";
import { carryOut, sessionsOn } from "./support";

async function main(): Promise<void> {
  const [connection = "", steps = ""] = process.argv.slice(2);
  const sessions = sessionsOn(JSON.parse(connection) as Connection);
  const { done, failed } = await carryOut(sessions, JSON.parse(steps) as Step[]);
  await sessions.close();
  if (failed.length > 0) throw new Error(JSON.stringify({ done, failed }));
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
