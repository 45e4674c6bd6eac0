/** A tree of one level by day: made, planned when nothing is to be done, and grown with rows in it. */
import { Client } from "pg";
import { type Connection, type TestDatabase, type TestServer, testServer } from "../../test/support/postgres";
import { ATTACH_BATCH } from "../../topology/plan";
import { addToLive, type Bounds, createFresh, createParent } from "./bareDdl";
import { seconds } from "./floor";
import { OwnSet } from "./ownSet";
import { Partsmith } from "./partsmith";

/** The day that counts as now, and as the first partition. */
const NOW = "2026-01-01";
const DAY_MS = 86_400_000;
/** Partitions that rows are put into at a time: each is locked, with its index. */
const FILLED_AT_ONCE = 500;

export interface TreeOptions {
  partitions: number;
  added: number;
  rounds: number;
  /** False: without pg-partsmith. */
  rival: boolean;
}

/** Seconds, of each round; and reads of the catalog for one plan. */
export interface TreeFigures {
  fresh: { own: number; bare: number; partsmith?: number };
  plan: { own: number[]; partsmith: number[] };
  reads: { own: number; partsmith?: number };
  live: { own: number[]; batches: number[]; single: number[]; partsmith: number[] };
}

type Log = (text: string) => void;

/** `found` is given each part when it has been measured. */
export async function measureTrees(
  options: TreeOptions,
  found: (part: Partial<TreeFigures>) => Promise<void>,
  log: Log,
): Promise<void> {
  const server = await testServer(18);
  const [own, bare, rival] = [await parentIn(server), await parentIn(server), await parentIn(server)];
  await found({ fresh: await measureFresh({ own, bare, rival }, options, log) });
  const single = await copyOf(bare, "single");
  const filled = [own, bare, single, ...(options.rival ? [rival] : [])];
  for (const place of filled.map(connectionOf)) await settle(place, options.partitions);
  await found({ plan: await measurePlans(own, options.rival ? rival : undefined, options, log) });
  await found({ live: await measureLive({ own, bare, rival, single }, options, log) });
  await found({ reads: await countReads(own, options.rival ? rival : undefined, options) });
}

/** Last, because from then on the server writes down what it is sent. */
async function countReads(
  own: TestDatabase,
  rival: TestDatabase | undefined,
  { partitions, added }: TreeOptions,
): Promise<TreeFigures["reads"]> {
  const size = partitions + added * LIVE_ROUNDS;
  return {
    own: await readsOf(own, async (place) => {
      const set = new OwnSet(place);
      return { plan: () => set.plan(NOW, size), close: () => set.close() };
    }),
    // It takes part in the first round only.
    partsmith: rival && (await readsOf(rival, (place) => partsmithOf(place, partitions + added))),
  };
}

/** Each round adds to what the one before has left, so that there are few. */
export const LIVE_ROUNDS = 2;

async function parentIn(server: TestServer): Promise<TestDatabase> {
  const database = await server.createDatabase();
  await createParent(database.connection);
  return database;
}

interface Places {
  own: TestDatabase;
  bare: TestDatabase;
  rival: TestDatabase;
}

async function measureFresh(places: Places, options: TreeOptions, log: Log): Promise<TreeFigures["fresh"]> {
  const { partitions } = options;
  const bare = await seconds(() => createFresh(places.bare.connection, days(0, partitions)));
  log(`fresh, plain statements: ${bare}`);
  const set = new OwnSet(places.own.connection);
  const own = await seconds(async () => insist(await set.apply(NOW, partitions), partitions));
  await set.close();
  log(`fresh, this module: ${own}`);
  if (!options.rival) return { own, bare };
  const library = await Partsmith.start(places.rival.connection);
  const { seconds: partsmith, operations } = await library.ask("apply", NOW, partitions);
  insist(operations, partitions);
  library.stop();
  log(`fresh, pg-partsmith: ${partsmith}`);
  return { own, bare, partsmith };
}

async function measurePlans(
  own: TestDatabase,
  rival: TestDatabase | undefined,
  { partitions, rounds }: TreeOptions,
  log: Log,
): Promise<TreeFigures["plan"]> {
  const set = new OwnSet(own.connection);
  const library = rival && (await Partsmith.start(rival.connection));
  const figures: TreeFigures["plan"] = { own: [], partsmith: [] };
  // The first of each is a warm-up: compilers, caches of the session.
  for (let round = 0; round <= rounds; round++) {
    const time = await seconds(async () => insist((await set.plan(NOW, partitions)).planned.steps.length, 0));
    const answer = await library?.ask("plan", NOW, partitions);
    log(`plan, round ${round}: ${time}, pg-partsmith ${answer?.seconds}`);
    if (round === 0) continue;
    figures.own.push(time);
    if (answer !== undefined) figures.partsmith.push(answer.seconds);
  }
  library?.stop();
  await set.close();
  return figures;
}

async function measureLive(
  places: Places & { single: Connection },
  { partitions, added, rival }: TreeOptions,
  log: Log,
): Promise<TreeFigures["live"]> {
  const figures: TreeFigures["live"] = { own: [], batches: [], single: [], partsmith: [] };
  const set = new OwnSet(places.own.connection);
  const library = rival ? await Partsmith.start(places.rival.connection) : undefined;
  for (let round = 1; round <= LIVE_ROUNDS; round++) {
    const size = partitions + round * added;
    const more = days(size - added, size);
    const ways: [keyof TreeFigures["live"], () => Promise<number>][] = [
      ["batches", () => seconds(() => addToLive(places.bare.connection, more, ATTACH_BATCH))],
      ["own", () => seconds(async () => insist(await set.apply(NOW, size), added))],
      ["single", () => seconds(() => addToLive(places.single, more, 1))],
      ["partsmith", async () => (await library?.ask("apply", NOW, size))?.seconds ?? Number.NaN],
    ];
    // Who comes first is another one in each round.
    for (const [name, way] of [...ways.slice(round), ...ways.slice(0, round)]) {
      // It takes longer than all others together would in another round.
      if (name === "partsmith" && (library === undefined || round > 1)) continue;
      const time = await way();
      figures[name].push(time);
      log(`${added} more, round ${round}, ${name}: ${time}`);
    }
  }
  library?.stop();
  await set.close();
  return figures;
}

interface Planner {
  plan(): Promise<unknown>;
  close(): Promise<void> | void;
}

async function partsmithOf(place: Connection, size: number): Promise<Planner> {
  const library = await Partsmith.start(place);
  return { plan: () => library.ask("plan", NOW, size), close: () => library.stop() };
}

/** Queries of one plan, in a session that has planned before: what it asks only once is not counted. */
async function readsOf(database: TestDatabase, start: (place: Connection) => Promise<Planner>): Promise<number> {
  await database.logStatements();
  const planner = await start(database.connection);
  await planner.plan();
  const before = (await database.statements()).length;
  await planner.plan();
  const sent = (await database.statements()).slice(before);
  await planner.close();
  return sent.filter((sql) => /^\s*(with|select)\b/i.test(sql)).length;
}

function days(first: number, end: number): Bounds {
  const bounds: Bounds = {};
  for (let day = first; day < end; day++) {
    const [from, to] = [dateOf(day), dateOf(day + 1)];
    bounds[`events_${from.replaceAll("-", "_")}`] = { from: `${from}Z`, to: `${to}Z` };
  }
  return bounds;
}

function dateOf(day: number): string {
  return new Date(Date.parse(NOW) + day * DAY_MS).toISOString().slice(0, 10);
}

function insist(found: number, wanted: number): void {
  if (found !== wanted) throw new Error(`${found} instead of ${wanted}: something else was measured`);
}

function connectionOf(place: TestDatabase | Connection): Connection {
  return "connection" in place ? place.connection : place;
}

async function copyOf({ connection }: TestDatabase, name: string): Promise<Connection> {
  await connected({ ...connection, database: "postgres" }, async (client) => {
    await client.query(`CREATE DATABASE ${name} TEMPLATE ${connection.database} STRATEGY file_copy`);
  });
  return { ...connection, database: name };
}

/** A row in each partition, and the statistics that autovacuum would soon have brought. */
async function settle(connection: Connection, partitions: number): Promise<void> {
  await connected(connection, async (client) => {
    for (let first = 0; first < partitions; first += FILLED_AT_ONCE) {
      await client.query(
        "INSERT INTO events SELECT d, $1::timestamptz + d * interval '1 day', 'x' FROM generate_series($2::int, $3::int) d",
        [`${NOW}Z`, first, Math.min(first + FILLED_AT_ONCE, partitions) - 1],
      );
    }
    await client.query(
      "VACUUM ANALYZE pg_class, pg_attribute, pg_inherits, pg_index, pg_constraint, pg_depend, pg_type",
    );
  });
}

/** A client for as long as the work takes. */
export async function connected(connection: Connection, work: (client: Client) => Promise<void>): Promise<void> {
  const client = new Client(connection);
  await client.connect();
  try {
    await client.query("SET TimeZone = 'UTC'");
    await work(client);
  } finally {
    await client.end();
  }
}
