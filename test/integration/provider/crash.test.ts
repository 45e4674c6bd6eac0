/**
 * kill -9 of the process that carries out an `up` of twelve partitions, wherever a statement, a transaction or a commit
 * begins or ends: the next run, which knows no more than the last recorded state, ends in the catalog of a run that
 * nobody disturbed. What the engine and the CLI do when they are killed is in `test/e2e/crash.test.ts`.
 */
import assert from "node:assert/strict";
import { readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client } from "pg";
import type { Major } from "../../../tools/postgres";
import { catalogSnapshot } from "../../support/catalog-snapshot";
import { runProgram, sessionsEnd, UP_WITHOUT_ENGINE } from "../../support/kills";
import { describeOnEachPostgres, type TestDatabase } from "../../support/postgres";
import type { Program, State, UpWithoutEngine } from "../../support/without-engine";

const { upWithoutEngine } = require("../../support/without-engine") as { upWithoutEngine: UpWithoutEngine };

/** Every place is tried on this version; elsewhere the first, the middle and the last one of each kind. */
const EVERY_PLACE: Major = 18;

/** Runs at the same time, each in a database of its own. */
const LANES = 2;

const SCHEMA = "s";

interface Shape {
  title: string;
  /** False: first, middle and last places only, on every version. */
  everyPlace: boolean;
  /** What is there, with rows, before the run that is killed. */
  before?: Program;
  /** DEFAULT looks so large that attaching has a CHECK made first, which has to be gone in the end. */
  largeDefault?: boolean;
  program: Program;
}

interface Options {
  default?: boolean;
  lifecycle?: { after: string; tier: string }[];
  /** An owner, a comment and a foreign key; the last gives every partition a transaction of its own. */
  attributes?: boolean;
}

/** 2026-01 to 2026-12 at `asOf` 2026-10. */
function program(asOf: string, more: Options): Program {
  const by = { column: "created_at", every: "month", type: "timestamptz" };
  return {
    table: {
      schema: SCHEMA,
      name: "events",
      partitionBy: { range: by },
      columns: [
        { name: "id", type: "bigint", nullable: false },
        { name: "created_at", type: "timestamptz", nullable: false },
        { name: "payload", type: "text", comment: more.attributes ? "as received" : undefined },
        { name: "tenant", type: "integer" },
      ],
      primaryKey: ["id", "created_at"],
      indexes: [{ name: "events_payload", columns: ["payload"] }],
      ...(more.attributes && {
        foreignKeys: [{ columns: ["tenant"], references: { schema: SCHEMA, table: "tenants", columns: ["id"] } }],
        owner: "pg_write_all_data",
      }),
    },
    set: {
      schema: SCHEMA,
      table: "events",
      partitionBy: { range: by },
      window: { from: "2026-01", ahead: 2 },
      asOf,
      lifecycle: more.lifecycle ?? [],
      defaultPartition: more.default ?? false,
    },
  };
}

/** Three months come, January to June leave the table, and January to April are dropped. */
const LIFECYCLE = [
  { after: "6 months", tier: "detached" },
  { after: "8 months", tier: "dropped" },
];

const RICH = { default: true, attributes: true };

const SHAPES: Shape[] = [
  {
    title: "a table, 12 partitions and DEFAULT are made",
    everyPlace: true,
    program: program("2026-10", { default: true }),
  },
  {
    title: "3 partitions are made, 6 with rows detached concurrently and 4 of these dropped",
    everyPlace: true,
    before: program("2026-10", {}),
    program: program("2027-01", { lifecycle: LIFECYCLE }),
  },
  {
    title: "3 partitions are made beside a large DEFAULT, which has a CHECK meanwhile",
    everyPlace: true,
    before: program("2026-10", { default: true }),
    largeDefault: true,
    program: program("2027-01", { default: true }),
  },
  {
    title: "partitions are made, detached and dropped beside DEFAULT with an owner, rights, comments and a foreign key",
    everyPlace: false,
    before: program("2026-10", RICH),
    program: program("2027-01", { ...RICH, lifecycle: LIFECYCLE }),
  },
];

interface Lane {
  database: TestDatabase;
  client: Client;
}

describeOnEachPostgres("kill -9 of a run without the engine", (server) => {
  const lanes: Lane[] = [];

  before(async () => {
    for (let lane = 0; lane < LANES; lane++) {
      const database = await server().createDatabase();
      lanes.push({ database, client: await database.client() });
    }
  });
  after(async () => {
    for (const { database } of lanes) await database.drop();
  });

  for (const shape of SHAPES) {
    it(`while ${shape.title}: the next run ends as an undisturbed one`, async function () {
      this.timeout(0);
      const [first] = lanes as [Lane, ...Lane[]];
      const trace = join(tmpdir(), `pgpartition-trace-${process.pid}`);
      await rm(trace, { force: true });
      const undisturbed = await start(first, shape);
      assert.equal(await runChild(first, shape, undisturbed, { PGPARTITION_FAULT_TRACE: trace }), null);
      const expected = await catalogSnapshot(first.client, SCHEMA);
      const passes = (await readFile(trace, "utf8")).trim().split("\n");
      await rm(trace);
      const places = placesOf(passes, shape.everyPlace && server().major === EVERY_PLACE);
      assert.ok(places.length >= 8, places.join(" "));

      const worker = async (lane: Lane) => {
        for (let place = places.pop(); place !== undefined; place = places.pop()) {
          const state = await start(lane, shape);
          assert.equal(await runChild(lane, shape, state, { PGPARTITION_FAULT: place }), "SIGKILL", place);
          await sessionsEnd(lane.client);
          await upWithoutEngine(lane.database.connection, shape.program, state);
          assert.deepEqual(await catalogSnapshot(lane.client, SCHEMA), expected, `after a kill at ${place}`);
        }
      };
      await Promise.all(lanes.map(worker));
    });
  }
});

/** The schema as it is before the run that is killed, and the state that belongs to it. */
async function start({ client, database }: Lane, { before: earlier, largeDefault }: Shape): Promise<State> {
  // Rights that come from the schema's defaults have to be the same on every partition, however it was made.
  await client.query(`
    DROP SCHEMA IF EXISTS ${SCHEMA} CASCADE;
    CREATE SCHEMA ${SCHEMA};
    CREATE TABLE ${SCHEMA}.tenants (id integer PRIMARY KEY);
    INSERT INTO ${SCHEMA}.tenants VALUES (1);`);
  if (earlier === undefined) return {};
  if (earlier.table.owner !== undefined) {
    await client.query(`ALTER DEFAULT PRIVILEGES IN SCHEMA ${SCHEMA} GRANT SELECT ON TABLES TO pg_read_all_data`);
  }
  const state = await upWithoutEngine(database.connection, earlier, {});
  await client.query(
    `INSERT INTO ${SCHEMA}.events SELECT g, timestamptz '2026-01-01 Z' + g * interval '1 day', 'x', 1 FROM generate_series(0, 364) g`,
  );
  if (largeDefault) {
    await client.query(`UPDATE pg_class SET relpages = 2000 WHERE oid = '${SCHEMA}.events_default'::regclass`);
  }
  return state;
}

/** `point:n` for the passes that are tried. */
function placesOf(trace: string[], every: boolean): string[] {
  return [...new Set(trace)].flatMap((point) => {
    const count = trace.filter((other) => other === point).length;
    const all = Array.from({ length: count }, (_, index) => index + 1);
    const tried = every ? all : new Set([1, Math.ceil(count / 2), count]);
    return [...tried].map((pass) => `${point}:${pass}`);
  });
}

/** Runs the shape's program in a process of its own; gives the signal that ended it. */
function runChild({ database }: Lane, { program: wanted }: Shape, state: State, env: Record<string, string>) {
  return runProgram(UP_WITHOUT_ENGINE, [database.connection, wanted, state], env);
}
