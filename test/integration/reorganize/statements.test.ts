/** What a preview shows of a reorganization is what the server gets. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import type { Sessions } from "../../../postgres/connection";
import { preflight } from "../../../postgres/preflight";
import { readServer } from "../../../postgres/server";
import { renderStep } from "../../../postgres/statements";
import type { ReorganizationMethod } from "../../../topology/steps";
import { describeOnEachPostgres, type TestDatabase } from "../../support/postgres";
import { carryOut, planOf, range, read, readParentOf, sessionsOn } from "../postgres/support";
import { leftovers, reorganizing } from "./support";

const METHODS: ReorganizationMethod[] = ["moveInOneTransaction", "copyAndSwap"];

/** Everything that is no change: settings, looks at the catalog, and the beginning and end of transactions. */
const NO_CHANGE = /^(BEGIN|COMMIT|SET |WITH wanted|SELECT (?!side)|\n|SELECT FROM pg_catalog)/;

describeOnEachPostgres("statements of a reorganization", (server) => {
  let database: TestDatabase;
  let client: Client;
  let sessions: Sessions;

  beforeEach(async () => {
    database = await server().createDatabase();
    client = await database.client();
    sessions = sessionsOn(database.connection);
    await client.query("CREATE SCHEMA s");
    await client.query("CREATE TABLE s.ref (r int PRIMARY KEY)");
    await client.query("INSERT INTO s.ref SELECT generate_series(0, 9)");
    await client.query("CREATE TABLE s.p (k int PRIMARY KEY, r int REFERENCES s.ref) PARTITION BY RANGE (k)");
    await client.query("CREATE TABLE s.a PARTITION OF s.p FOR VALUES FROM (0) TO (100)");
    await client.query("CREATE TABLE s.d PARTITION OF s.p DEFAULT");
    await client.query("INSERT INTO s.p SELECT i, i % 10 FROM generate_series(0, 149) i");
  });
  afterEach(async () => {
    await sessions.close();
    await database.drop();
  });

  const split = (method: ReorganizationMethod) =>
    reorganizing(sessions, method, ["a"], { a: range("0", "50"), b: range("50", "100") });

  for (const method of METHODS) {
    it(`are sent as they are shown (${method})`, async () => {
      const step = await split(method);
      const parent = await readParentOf(sessions);
      const shown = renderStep(step, parent).map(({ sql }) => sql);
      await sessions.close();
      await database.logStatements();
      sessions = sessionsOn(database.connection);
      const report = await carryOut(sessions, [step], { parent });
      assert.deepEqual(report.failed, []);
      const sent = (await database.statementLog())
        .filter(({ applicationName }) => applicationName === "pulumi-pgpartition")
        .map(({ sql }) => sql)
        .filter((sql) => !NO_CHANGE.test(sql));
      assert.deepEqual(sent, shown);
    });
  }

  it("are refused beforehand where PostgreSQL or the data forbid it", async () => {
    await client.query("CREATE TABLE s.inb (k int REFERENCES s.p)");
    await client.query("CREATE VIEW s.v AS SELECT * FROM s.a");
    await client.query("CREATE FUNCTION s.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'");
    await client.query("CREATE TRIGGER t BEFORE INSERT ON s.a FOR EACH ROW EXECUTE FUNCTION s.f()");
    await client.query("CREATE INDEX own ON s.a (r)");
    await client.query("CREATE PUBLICATION everything FOR ALL TABLES");
    const step = await split("copyAndSwap");
    const set = await read(sessions);
    const findings = await sessions.withSession(async (session) =>
      preflight(session, await readServer(session), planOf(step), set),
    );
    const errors = findings.filter(({ severity }) => severity === "error").map(({ reason }) => reason);
    for (const words of [/Foreign keys of "s"."inb"/, /Publication everything/, /Trigger t /, /s\.v depends/]) {
      assert.ok(
        errors.some((reason) => words.test(reason)),
        `${words}: ${errors.join("\n")}`,
      );
    }
    assert.ok(findings.some(({ severity, reason }) => severity === "warning" && /Index own/.test(reason)));
    const report = await carryOut(sessions, [step]);
    assert.match(report.failed[0]?.error.reason ?? "", /Foreign keys of "s"."inb"/);
    assert.deepEqual(await leftovers(client), []);
  });

  it("need a key to tell a row and its copy by, unless there are few rows", async () => {
    await client.query("ALTER TABLE s.p DROP CONSTRAINT p_pkey");
    const step = await split("copyAndSwap");
    const report = await carryOut(sessions, [step]);
    assert.match(report.failed[0]?.error.reason ?? "", /no primary key/);
    const few = await carryOut(sessions, [{ ...step, method: "moveInOneTransaction" }]);
    assert.deepEqual(few.failed, []);
  });
});
