/** Builds beside an application at work, beside whoever sits on a lock, and beside changes of the partitions. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import { describeOnEachPostgres, type TestDatabase } from "../../support/postgres";
import { startTraffic } from "../../support/traffic";
import { openForEachTest } from "../postgres/opened";
import { build, createTree, declaration, indexesOf, LADDER, planned } from "./support";

/** What a statement of the application may take from arrival to end, in milliseconds: a build under SHARE takes longer. */
const LIMIT_MS = 1_000;

const APPLICATION = [
  ["INSERT INTO s.p (id, kind, a) VALUES (50, 'x', 1), (150, 'y', 2), (250, 'x', 3), (251, 'z', 4)"],
  ["UPDATE s.p SET a = a + 1 WHERE id IN (5, 105, 205)", "DELETE FROM s.p WHERE id = 50"],
  ["SELECT count(*) FROM s.p WHERE a = 7", "SELECT * FROM s.p WHERE id = 150 LIMIT 1"],
  ["BEGIN", "INSERT INTO s.p (id, kind, a) VALUES (260, 'x', 1)", "SELECT pg_sleep(0.02)", "COMMIT"],
];

describeOnEachPostgres("index beside an application", (server) => {
  let database: TestDatabase;
  let client: Client;

  openForEachTest(server, (opened) => {
    ({ database, client } = opened);
  });
  beforeEach(async () => {
    await createTree(client, 30_000);
  });

  it("no statement fails while it is built, replaced and dropped", async () => {
    const traffic = await startTraffic(database, APPLICATION, LIMIT_MS);
    const changed = declaration({ columns: [{ expression: "a % 10" }, { column: "b" }], where: "a > 0" });
    const reports = [await build(database.connection, declaration()), await build(database.connection, changed)];
    const { statements, failures } = await traffic.stop();
    assert.deepEqual(
      reports.map(({ failed, findings, index }) => [failed, findings, index?.valid]),
      [
        [[], [], true],
        [[], [], true],
      ],
    );
    assert.deepEqual(failures, []);
    assert.ok(statements > 20, String(statements));
    assert.deepEqual((await planned(database.connection, changed)).steps, []);
  });

  it("begins no build while somebody sits idle on rows of the partition, and says who", async () => {
    const idle = await database.client("forgotten");
    await idle.query("BEGIN; UPDATE s.p2 SET a = 0 WHERE id = 100");
    const report = await build(database.connection, declaration(), { ladder: { ...LADDER, budget: 300 } });
    assert.deepEqual(report.failed.map(({ step }) => step).includes("build:p2"), true);
    assert.match(report.failed.find(({ step }) => step === "build:p2")!.reason, /application forgotten/);
    assert.ok(!(await indexesOf(client)).join().includes("p2_a_idx"));
    await idle.query("ROLLBACK");
    const second = await build(database.connection, declaration());
    assert.deepEqual([second.failed, second.index?.valid], [[], true]);
  });

  it("covers a partition that is attached while it is built, and passes over one that is gone", async () => {
    let done = false;
    const report = await build(database.connection, declaration(), {
      onEvent: (event) => {
        if (done || event.type !== "started" || event.step.kind !== "build") return;
        done = true;
        changes = client.query(`CREATE TABLE s.late (LIKE s.p INCLUDING ALL);
          ALTER TABLE s.p DETACH PARTITION s.p3; DROP TABLE s.p3; ALTER TABLE s.p ATTACH PARTITION s.late FOR VALUES FROM (-10) TO (0)`);
      },
    });
    await changes;
    assert.deepEqual([report.failed, report.index?.valid], [[], true]);
    assert.deepEqual((await planned(database.connection, declaration())).steps, []);
    assert.ok((await indexesOf(client)).some((line) => line.startsWith("late:")));
  });
  let changes: Promise<unknown> | undefined;

  it("two runs at once end with one index", async () => {
    const both = await Promise.all([
      build(database.connection, declaration()),
      build(database.connection, declaration()),
    ]);
    assert.deepEqual(
      both.map(({ failed }) => failed),
      [[], []],
    );
    const lines = await indexesOf(client);
    assert.equal(lines.length, 6, lines.join("\n"));
  });
});
