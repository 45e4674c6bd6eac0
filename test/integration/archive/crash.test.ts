/** A provider that is killed while it archives or restores: no row is lost or there twice, and the next update finishes. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Client } from "pg";
import type { FaultPoint } from "../../../postgres/faults";
import { sessionsEnd, strideOn } from "../../support/kills";
import { describeOnEachPostgres, type TestDatabase } from "../../support/postgres";
import type { Program, State, UpWithoutEngine } from "../../support/without-engine";

const PROGRAM = resolve(__dirname, "../../support/without-engine.ts");
const { upWithoutEngine } = require(PROGRAM) as { upWithoutEngine: UpWithoutEngine };

const POINTS: FaultPoint[] = ["archive", "betweenStatements", "beforeCommit", "afterTransaction"];

const partitionBy = { range: { column: "at", type: "date", every: "month" } };
const ARCHIVED = { lifecycle: [{ after: "1 month", tier: "archived" }] };
const PINNED = { ...ARCHIVED, pins: [{ from: "2026-01", to: "2026-02" }] };

const ROWS = `INSERT INTO events SELECT i, '2026-01-01'::date + i % 80, repeat('x', 200) FROM generate_series(1, 2000) AS i`;

describeOnEachPostgres("kill -9 beside an archive", (server) => {
  let database: TestDatabase;
  let client: Client;
  let directory: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "archive-test-"));
    database = await server().createDatabase();
    client = await database.client();
  });
  afterEach(async () => {
    await database.drop();
    await rm(directory, { recursive: true });
  });

  const program = (more: object = {}): Program => ({
    table: {
      name: "events",
      partitionBy,
      columns: [
        { name: "id", type: "bigint" },
        { name: "at", type: "date", nullable: false },
        { name: "payload", type: "text" },
      ],
      primaryKey: ["id", "at"],
    },
    set: {
      table: "events",
      partitionBy,
      window: { from: "2026-01", ahead: 0 },
      asOf: "2026-03",
      archive: { store: `file://${directory}` },
      ...more,
    },
  });

  const up = (more: object, state: State) => upWithoutEngine(database.connection, program(more), state);
  const content = async () =>
    (
      await client.query(
        "SELECT count(*)::int AS n, md5(string_agg(e::text, ',' ORDER BY id)) AS hash FROM events AS e",
      )
    ).rows[0];

  async function upKilledAt(more: object, state: State, fault: string): Promise<boolean> {
    const args = JSON.stringify([database.connection, program(more), state]);
    const environment = { ...process.env, PGPARTITION_FAULT: fault };
    const child = spawn(process.execPath, [PROGRAM, args], {
      env: environment,
      stdio: ["ignore", "ignore", "inherit"],
    });
    const [code, signal] = await once(child, "exit");
    if (signal !== "SIGKILL") assert.equal(code, 0);
    await sessionsEnd(client);
    return signal === "SIGKILL";
  }

  /** The rows of January wherever they are: in the parent, in a table beside it, or (once it is brought back) in the archive. */
  for (const [title, from, to] of [
    ["archives", {}, ARCHIVED],
    ["restores", ARCHIVED, PINNED],
  ] as const)
    for (const point of POINTS)
      it(`while it ${title}, at every point of kind ${point}`, async function () {
        this.timeout(0);
        let killed = true;
        for (let hit = 1; killed; hit += strideOn(server().major)) {
          await client.query("DROP TABLE IF EXISTS events, events_2026_01, events_2026_02, events_2026_03");
          await rm(directory, { recursive: true });
          let state = await up({}, {});
          await client.query(ROWS);
          const whole = await content();
          state = await up(from, state);
          killed = await upKilledAt(to, state, `${point}:${hit}`);
          assert.ok(killed || hit > 1, "the point was never reached");
          state = await up(to, state);
          const pinned = await up({ ...ARCHIVED, pins: [{ from: "2026-01", to: "2026-04" }] }, state);
          assert.deepEqual(await content(), whole, `${point}:${hit}`);
          const tiers = Object.values(pinned.set?.outputs.partitions as Record<string, { tier: string }>);
          assert.deepEqual(
            tiers.map(({ tier }) => tier),
            ["live", "live", "live"],
          );
        }
      });
});
