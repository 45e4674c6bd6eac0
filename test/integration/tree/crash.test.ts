/** A process that is killed while it makes a subtree leaves nothing of it, and the next run makes it whole. */

import assert from "node:assert/strict";
import type { Client } from "pg";
import type { FaultPoint } from "../../../postgres/faults";
import type { NewLevel } from "../../../topology/model";
import type { Step } from "../../../topology/steps";
import { sessionsEnd, strideOn } from "../../support/kills";
import { describeOnEachPostgres } from "../../support/postgres";
import { runChild } from "../postgres/crash-parent";
import { carryOut, createFamily, oidOf, range, sessionsOn, step } from "../postgres/support";
import { treeOf } from "./support";

const POINTS: FaultPoint[] = ["betweenStatements", "beforeCommit", "afterTransaction"];

const INSIDE: NewLevel = {
  strategy: "range",
  keyColumns: ["k"],
  partitions: [
    {
      name: "n1",
      bound: range("20", "25"),
      level: {
        strategy: "hash",
        keyColumns: ["k"],
        partitions: [{ name: "n1a", bound: { modulus: 1, remainder: 0 } }],
      },
    },
    { name: "n2", bound: range("25", "30") },
  ],
};

const COMPLETE = [
  "p > n FOR VALUES FROM (20) TO (30) / RANGE (k)",
  "n > n1 FOR VALUES FROM (20) TO (25) / HASH (k)",
  "n1 > n1a FOR VALUES WITH (modulus 1, remainder 0)",
  "n > n2 FOR VALUES FROM (25) TO (30)",
];

describeOnEachPostgres("kill -9 in a tree", (server) => {
  for (const point of POINTS) {
    it(`at every point of kind ${point}`, async function () {
      this.timeout(0);
      const database = await server().createDatabase();
      try {
        const client = await database.client();
        let survived = false;
        for (let hit = 1; !survived; hit += strideOn(server().major)) {
          await client.query("DROP SCHEMA IF EXISTS s CASCADE");
          await createFamily(client, { deep: true });
          const steps = await plan(client);
          const signal = await runChild(database, steps, `${point}:${hit}`);
          survived = signal === null;
          assert.ok(!survived || hit > 1, "the point was never reached");
          await sessionsEnd(client);
          await assertWholeOrNothing(client);
          const sessions = sessionsOn(database.connection);
          const { failed } = await carryOut(sessions, steps);
          await sessions.close();
          assert.deepEqual(failed, []);
          assert.deepEqual(await treeOf(client, "s.n"), COMPLETE);
          assert.deepEqual(await treeOf(client, "s.c1"), [
            "p > c1 FOR VALUES FROM (10) TO (20) / RANGE (k)",
            "c1 > c1b FOR VALUES FROM (15) TO (20)",
          ]);
        }
      } finally {
        await database.drop();
      }
    });
  }
});

/** A subtree comes, and a leaf of a partition goes. */
async function plan(client: Client): Promise<Step[]> {
  const under = { schema: "s", name: "c1", oid: await oidOf(client, "s.c1") };
  const oid = await oidOf(client, "s.c1a");
  return [
    step("likeAttach", "n", { bound: range("20", "30"), level: INSIDE }),
    step("detachConcurrently", "c1a", { under, oid }),
    step("dropTable", "c1a", { under, oid, after: ["detach:c1a"] }),
  ];
}

async function assertWholeOrNothing(client: Client): Promise<void> {
  const { rows } = await client.query<{ tables: number }>(
    "SELECT count(*)::int AS tables FROM pg_class WHERE relname IN ('n', 'n1', 'n1a', 'n2')",
  );
  if (rows[0]?.tables === 0) return;
  assert.deepEqual(await treeOf(client, "s.n"), COMPLETE);
}
