/** Many sequences on one server: in lanes beside each other, each with a database and a seed of its own. */
import fc from "fast-check";
import type { Major, TestServer } from "../support/postgres";
import { interrupted, sequences } from "./generate";
import { type Lane, runSequence, type Tally } from "./sequence";
import { databaseOf } from "./subject";
import { makeSurroundings, ROLE } from "./table";

export interface Plan {
  /** The first lane of PostgreSQL 14 has twice fourteen more, and so on, so that no two lanes run the same sequences. */
  seed: number;
  /** How many sequences, over all lanes. */
  sequences: number;
  /** Where fast-check's counterexample is, to see it again: then there is one lane, whose seed is `seed`. */
  path?: string;
  /** Whether updates are killed and begun again. */
  killed: boolean;
}

/** Processors of a build server. */
const LANES = 2;

/** @throws with the seed, the path and the shortest sequence that does what it should not. */
export async function runSequences(server: TestServer, { seed, sequences: all, path, killed }: Plan): Promise<Tally> {
  const lanes = path === undefined ? LANES : 1;
  const tally: Tally = { sequences: 0, ups: 0, refused: 0, killed: 0 };
  await makeRole(server);
  const runs = Array.from({ length: lanes }, (_, lane) => {
    const random = { seed: seed + LANES * server.major + lane, numRuns: Math.ceil(all / lanes) };
    const parameters = path === undefined ? random : { seed, path, numRuns: 1 };
    return withLane(server, (place) =>
      fc.assert(
        fc.asyncProperty(killed ? interrupted() : sequences, (sequence) => runSequence(place, sequence, tally)),
        { ...parameters, reporter: reporterOf(server.major, killed) },
      ),
    );
  });
  const failed = (await Promise.allSettled(runs)).find((run) => run.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  return tally;
}

/** What fast-check prints, and how to run it again. */
function reporterOf(major: Major, killed: boolean) {
  return async <T>(details: fc.RunDetails<T>): Promise<void> => {
    if (!details.failed) return;
    const again = `npm run soak -- --major ${major} --seed ${details.seed} --path ${details.counterexamplePath}${killed ? " --killed" : ""}`;
    const report = await fc.asyncDefaultReportMessage(details);
    throw new Error(`${report}\n\n${what(details.errorInstance)}\n\nOnly this one again: ${again}`);
  };
}

function what(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Roles belong to the whole server. */
export async function makeRole(server: TestServer): Promise<void> {
  const database = await server.createDatabase();
  const client = await database.client();
  await client.query(`DO $$ BEGIN CREATE ROLE ${ROLE}; EXCEPTION WHEN duplicate_object THEN NULL; END $$`);
  await database.drop();
}

export async function withLane(server: TestServer, action: (lane: Lane) => Promise<void>): Promise<void> {
  const { connection, client, drop } = await server.createDatabase();
  const database = databaseOf(connection);
  try {
    await (await client()).query(`ALTER DATABASE ${connection.database} SET plan_cache_mode = force_generic_plan`);
    const lane: Lane = { database, client: await client(), other: await client() };
    await lane.client.query("SET TimeZone = 'UTC'; SET client_min_messages = warning");
    await makeSurroundings(lane.client);
    await action(lane);
  } finally {
    await database.cancel();
    await drop();
  }
}
