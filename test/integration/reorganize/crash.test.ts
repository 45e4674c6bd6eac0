/** A run that is killed while rows change partitions: nothing is lost, the application goes on, and the next run ends it. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import type { Sessions } from "../../../postgres/connection";
import type { Reorganization } from "../../../topology/model";
import { reorganizationId } from "../../../topology/reorganization";
import type { Step } from "../../../topology/steps";
import { sessionsEnd } from "../../support/kills";
import { describeOnEachPostgres, type TestDatabase } from "../../support/postgres";
import { runChild } from "../postgres/crash-parent";
import { carryOut, childrenOf, oidOf, range, read, sessionsOn } from "../postgres/support";
import { contentOf, leftovers, reorganizing, stepOf } from "./support";

const CHILDREN = ["a FOR VALUES FROM (0) TO (50)", "b FOR VALUES FROM (50) TO (200)", "d DEFAULT"];

/** On one version at every transaction; on the others at the turning points, which is where versions could differ. */
const EVERYWHERE_ON = 18;
const TURNING_POINTS = ["afterTransaction:1", "beforeCommit:12", "afterTransaction:12"];

describeOnEachPostgres("a killed reorganization", (server) => {
  let database: TestDatabase;
  let client: Client;
  let sessions: Sessions;

  beforeEach(async () => {
    database = await server().createDatabase();
    client = await database.client();
    sessions = sessionsOn(database.connection);
  });
  afterEach(async () => {
    await sessions.close();
    await database.drop();
  });

  /** The plan in a process of its own, until the server has noticed its end. */
  async function killed(step: Step, point: string): Promise<void> {
    await sessions.close();
    assert.equal(await runChild(database, [step], point), "SIGKILL");
    await sessionsEnd(client);
    sessions = sessionsOn(database.connection);
  }

  it("is finished by the next run, wherever it was killed", async () => {
    const points =
      server().major === EVERYWHERE_ON
        ? Array.from({ length: 40 }, (_, hit) => `afterTransaction:${hit + 1}`)
        : TURNING_POINTS;
    const phases = new Set<string>();
    for (const point of points) {
      await createTables(client);
      const step = await reorganizing(sessions, "copyAndSwap", ["a", "b"], {
        a: range("0", "50"),
        b: range("50", "200"),
      });
      await sessions.close();
      const before = await contentOf(client, "s.p");
      const signal = await runChild(database, [step], point);
      await sessionsEnd(client);
      sessions = sessionsOn(database.connection);
      const { reorganizations = [] } = await read(sessions);
      for (const { id, phase } of reorganizations) {
        assert.equal(id, reorganizationId(await oidOf(client, "s.p"), step.reorganization as Reorganization));
        phases.add(phase);
      }
      assert.equal(await contentOf(client, "s.p"), before, point);
      await writeTwice(client);
      const expected = await contentOf(client, "s.twin");
      const report = await carryOut(sessions, [step]);
      assert.deepEqual(report.failed, [], point);
      assert.equal(await contentOf(client, "s.p"), expected, point);
      assert.deepEqual(await childrenOf(client), CHILDREN, point);
      assert.deepEqual(await leftovers(client), [], point);
      if (signal === null) return assert.deepEqual([...phases].sort(), ["copying", "swapped"]);
    }
    if (server().major === EVERYWHERE_ON) assert.fail("the run has more transactions than were tried");
  });

  it("is taken away when another one is wanted", async () => {
    await createTables(client);
    const step = await reorganizing(sessions, "copyAndSwap", ["a", "b"], { c: range("0", "200") });
    await killed(step, "afterTransaction:6");
    const [found] = (await read(sessions, ["c"])).reorganizations ?? [];
    assert.ok(found);
    assert.deepEqual((await read(sessions, ["c"])).strangers, []);
    await writeTwice(client);
    const { sources, targets } = found;
    const report = await carryOut(sessions, [stepOf("abandon", { sources, targets })]);
    assert.deepEqual(report.failed, []);
    assert.deepEqual(await leftovers(client), []);
    assert.equal(await contentOf(client, "s.p"), await contentOf(client, "s.twin"));
    const again = await carryOut(sessions, [stepOf("abandon", { sources, targets })]);
    assert.deepEqual([again.done, again.failed], [[], []]);
  });

  it("is begun anew when its capture was disabled meanwhile", async () => {
    await createTables(client);
    const step = await reorganizing(sessions, "copyAndSwap", ["a", "b"], { c: range("0", "200") });
    await killed(step, "afterTransaction:6");
    await client.query("ALTER TABLE s.a DISABLE TRIGGER ALL");
    await writeTwice(client);
    const report = await carryOut(sessions, [step]);
    assert.deepEqual(report.failed, []);
    assert.equal(await contentOf(client, "s.p"), await contentOf(client, "s.twin"));
    assert.deepEqual(await childrenOf(client), ["c FOR VALUES FROM (0) TO (200)", "d DEFAULT"]);
  });

  it("leaves a table alone that somebody has put under the name of its copy", async () => {
    await createTables(client);
    const step = await reorganizing(sessions, "copyAndSwap", ["a", "b"], { c: range("0", "200") });
    const id = reorganizationId(await oidOf(client, "s.p"), step.reorganization as Reorganization);
    await client.query(`CREATE TABLE s.pgpartition_${id} (k int)`);
    const report = await carryOut(sessions, [step]);
    assert.match(report.failed[0]?.error.reason ?? "", /is not the copy that its name says/);
    await client.query(`DROP TABLE s.pgpartition_${id}`);
    assert.deepEqual(await leftovers(client), []);
  });
});

async function createTables(client: Client): Promise<void> {
  await client.query("DROP SCHEMA IF EXISTS s CASCADE");
  await client.query("CREATE SCHEMA s");
  await client.query("CREATE TABLE s.ref (r int PRIMARY KEY)");
  await client.query("INSERT INTO s.ref SELECT generate_series(0, 9)");
  await client.query("CREATE TABLE s.p (k int PRIMARY KEY, r int REFERENCES s.ref, note text) PARTITION BY RANGE (k)");
  await client.query("CREATE TABLE s.a PARTITION OF s.p FOR VALUES FROM (0) TO (100)");
  await client.query("CREATE TABLE s.b PARTITION OF s.p FOR VALUES FROM (100) TO (200)");
  await client.query("CREATE TABLE s.d PARTITION OF s.p DEFAULT");
  await client.query("CREATE TABLE s.twin (k int, r int, note text)");
  for (const table of ["s.p", "s.twin"]) {
    await client.query(`INSERT INTO ${table} SELECT i, i % 10, 'n' || i FROM generate_series(0, 299, 2) i`);
  }
}

/** What an application does between the kill and the next run. */
async function writeTwice(client: Client): Promise<void> {
  for (const table of ["s.p", "s.twin"]) {
    await client.query(`INSERT INTO ${table} VALUES (51, 1, 'new')`);
    await client.query(`UPDATE ${table} SET note = 'changed' WHERE k < 20`);
    await client.query(`UPDATE ${table} SET k = k + 101 WHERE k IN (60, 62)`);
    await client.query(`DELETE FROM ${table} WHERE k IN (70, 120)`);
  }
}
