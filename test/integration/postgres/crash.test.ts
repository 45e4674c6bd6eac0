/** A process that is killed anywhere leaves nothing half made, and the next run ends as an undisturbed one would. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import type { FaultPoint } from "../../../postgres/faults";
import type { Step } from "../../../topology/steps";
import { sessionsEnd, strideOn } from "../../support/kills";
import { describeOnEachPostgres, type TestDatabase } from "../../support/postgres";
import { runChild } from "./crash-parent";
import { openForEachTest } from "./opened";
import { carryOut, childrenOf, createFamily, type Family, oidOf, range, read, sessionsOn, step } from "./support";

const POINTS: FaultPoint[] = ["beforeTransaction", "betweenStatements", "beforeCommit", "afterTransaction"];

const CREATED = [
  "c2 FOR VALUES FROM (20) TO (30)",
  "c3 FOR VALUES FROM (30) TO (40)",
  "c4 FOR VALUES FROM (40) TO (50)",
];

describeOnEachPostgres("kill -9", (server) => {
  let database: TestDatabase;
  let client: Client;

  openForEachTest(server, (opened) => {
    ({ database, client } = opened);
  });

  const families: Family[] = [{ withDefault: true, out: true, in: true }, { out: true }];
  // Only a detach differs without DEFAULT, and it has no statements to stop between.
  const points = (family: Family) => (family.withDefault ? POINTS : POINTS.slice(-1));
  for (const [family, point] of families.flatMap((one) => points(one).map((each) => [one, each] as const))) {
    const where = family.withDefault ? "with" : "without";
    it(`at every point of kind ${point}, ${where} DEFAULT`, async function () {
      this.timeout(0);
      let survived = false;
      for (let hit = 1; !survived; hit += strideOn(server().major)) {
        await client.query("DROP SCHEMA IF EXISTS s CASCADE");
        await createFamily(client, family);
        await client.query("COMMENT ON COLUMN s.p.note IS 'n'");
        const oids = { c0: await oidOf(client, "s.c0"), c1: await oidOf(client, "s.c1") };
        const steps = plan(family, oids);
        const signal = await runChild(database, steps, `${point}:${hit}`);
        await sessionsEnd(client);
        if (signal === null) {
          survived = true;
          assert.ok(hit > 2, "the point was never reached");
        } else {
          await assertNothingHalfMade(client);
        }
        await repair(database, steps);
        assert.deepEqual(await childrenOf(client), [...CREATED, ...(family.withDefault ? ["d DEFAULT"] : [])]);
        const others = family.withDefault ? ["d", "g", "inb", "p", "ref"] : ["g", "p", "ref"];
        assert.deepEqual(await tables(client), ["c2", "c3", "c4", ...others]);
        const sessions = sessionsOn(database.connection);
        assert.deepEqual((await read(sessions)).defaultGuards, []);
        await sessions.close();
      }
    });
  }
});

function plan({ withDefault }: Family, oids: { c0: number; c1: number }): Step[] {
  const after = withDefault ? ["guardDefault:d"] : [];
  const detach = withDefault ? "detachPlain" : "detachConcurrently";
  return [
    ...(withDefault ? [step("guard", "d", { excludes: [range("20", "50")] })] : []),
    step("likeAttach", "c2", { bound: range("20", "30"), transaction: 9001, after }),
    step("likeAttach", "c3", { bound: range("30", "40"), transaction: 9001, after }),
    step("partitionOf", "c4", { bound: range("40", "50"), after }),
    ...(withDefault ? [step("unguard", "d", { after: ["create:c2", "create:c3", "create:c4"] })] : []),
    step(detach, "c0", { oid: oids.c0 }),
    step(detach, "c1", { oid: oids.c1 }),
    step("dropTable", "c0", { oid: oids.c0, after: ["detach:c0"] }),
    step("dropTable", "c1", { oid: oids.c1, after: ["detach:c1"] }),
  ];
}

/** The next run: the same plan, whose steps find what is there already. */
async function repair(database: TestDatabase, steps: Step[]): Promise<void> {
  const sessions = sessionsOn(database.connection);
  const report = await carryOut(sessions, steps);
  await sessions.close();
  assert.deepEqual(report.failed, []);
}

/** Every new partition is attached or not there at all. */
async function assertNothingHalfMade(client: Client): Promise<void> {
  const { rows } = await client.query<{ relname: string }>(
    `SELECT relname FROM pg_class WHERE relnamespace = 's'::regnamespace AND relname IN ('c2', 'c3', 'c4') AND NOT relispartition`,
  );
  assert.deepEqual(rows, []);
}

async function tables(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ relname: string }>(
    "SELECT relname FROM pg_class WHERE relnamespace = 's'::regnamespace AND relkind IN ('r', 'p') ORDER BY relname",
  );
  return rows.map(({ relname }) => relname);
}
