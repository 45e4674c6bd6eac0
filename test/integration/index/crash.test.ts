/** A build that is killed anywhere is finished by the next run, which leaves nothing of the first one behind. */
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { Client } from "pg";
import type { FaultPoint } from "../../../postgres/faults";
import type { IndexDeclaration } from "../../../topology/index/model";
import { runWithFault, sessionsEnd, startProgram, strideOn } from "../../support/kills";
import { describeOnEachPostgres, type TestDatabase } from "../../support/postgres";
import { openForEachTest } from "../postgres/opened";
import { build, createTree, declaration, indexesOf, planned } from "./support";

/** Builds an index in a process of its own. */
const BUILD = require.resolve("./crash-child");

const POINTS: FaultPoint[] = ["beforeTransaction", "betweenStatements", "beforeCommit", "afterTransaction"];

describeOnEachPostgres("index: kill -9", (server) => {
  let database: TestDatabase;
  let client: Client;

  openForEachTest(server, (opened) => {
    ({ database, client } = opened);
  });

  async function finished(declared: IndexDeclaration, indexes = 6): Promise<void> {
    const report = await build(database.connection, declared);
    assert.deepEqual([report.failed, report.findings], [[], []]);
    assert.equal(report.index?.valid, true);
    assert.deepEqual((await planned(database.connection, declared)).steps, []);
    const lines = await indexesOf(client);
    assert.equal(lines.length, indexes, lines.join("\n"));
    assert.ok(!lines.join().includes("INVALID"), lines.join("\n"));
  }

  for (const point of POINTS) {
    it(`of a replacement, at points of kind ${point}`, async function () {
      this.timeout(0);
      const changed = declaration({ columns: [{ column: "a" }, { column: "b" }] });
      for (let hit = 1, survived = false; !survived; hit += strideOn(server().major)) {
        await createSmallTree(client);
        await build(database.connection, declaration());
        const signal = await runWithFault(BUILD, [database.connection, changed], `${point}:${hit}`);
        await sessionsEnd(client);
        survived = signal === null;
        assert.ok(!survived || hit > 2, "the point was never reached");
        await finished(changed, 4);
      }
    });
  }

  it("during a build that waits for a writer: the invalid index is removed and built again", async function () {
    this.timeout(0);
    await createTree(client);
    const writer = await database.client("writer");
    await writer.query("BEGIN; UPDATE s.p2 SET a = a + 1 WHERE id = 100");
    // An active session: one that sat idle would be waited for before the build.
    const busy = writer.query("SELECT pg_sleep(600)").catch(() => undefined);
    const child = startProgram(BUILD, [database.connection, declaration()]);
    // The writer's snapshot keeps the first leaf waiting already, whichever that is.
    const leaf = await waitingLeaf(client);
    child.kill("SIGKILL");
    await ended(child);
    await client.query("SELECT pg_terminate_backend(pid) FROM pg_stat_progress_create_index");
    await sessionsEnd(client);
    assert.ok((await indexesOf(client)).includes(`${leaf}: ${leaf}_a_idx INVALID`));
    await client.query("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'writer'");
    await busy;
    await writer.query("ROLLBACK");
    const { steps } = await planned(database.connection, declaration());
    assert.ok(steps.some(({ id }) => id === `dropInvalid:${leaf}_a_idx`));
    await finished(declaration());
  });
});

/** One leaf at each of two levels: every kind of step, and not many of each. */
async function createSmallTree(client: Client): Promise<void> {
  await createTree(client, 0);
  await client.query("DROP TABLE s.p2, s.p3_d");
}

function ended(child: ChildProcess): Promise<[number | null, NodeJS.Signals | null]> {
  return once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
}

/** Name of the table whose index is being built, once the build waits for somebody. */
async function waitingLeaf(client: Client): Promise<string> {
  for (;;) {
    const { rows } = await client.query<{ leaf: string }>(
      `SELECT c.relname AS leaf FROM pg_stat_progress_create_index b JOIN pg_class c ON c.oid = b.relid
       WHERE b.datname = current_database() AND b.phase LIKE 'waiting%'`,
    );
    const [row] = rows;
    if (row !== undefined) return row.leaf;
  }
}
