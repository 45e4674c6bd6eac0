/** `upWithoutEngine` in a process of its own, which can be killed: `without-engine-child <connection> <program> <state>`. */
import type { Connection } from "./postgres";
import { type Program, type State, upWithoutEngine } from "./without-engine";

const [connection, program, state] = process.argv.slice(2).map((text) => JSON.parse(text) as unknown);

upWithoutEngine(connection as Connection, program as Program, state as State).catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
