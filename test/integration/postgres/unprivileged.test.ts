/** A role that may not see what others do in their sessions knows all the same who is in the way, and who stays. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import { findSnapshots } from "../../../postgres/blockers";
import type { Sessions } from "../../../postgres/connection";
import { preflight } from "../../../postgres/preflight";
import { readServer } from "../../../postgres/server";
import type { Step } from "../../../topology/steps";
import { describeOnEachPostgres, type TestDatabase } from "../../support/postgres";
import {
  carryOut,
  childrenOf,
  type Family,
  leavePending,
  oidOf,
  planOf,
  QUICK,
  range,
  read,
  sessionsOn,
  step,
  withFamily,
} from "./support";

interface Context {
  client: Client;
  database: TestDatabase;
  /** Of the tables' owner, who is no member of pg_read_all_stats. */
  owner: Sessions;
}

const ALL_TO = (role: string) => `
  CREATE ROLE ${role} LOGIN PASSWORD 'x';
  GRANT ALL ON SCHEMA s TO ${role};
  DO $$ DECLARE relation regclass; BEGIN
    FOR relation IN SELECT oid FROM pg_class WHERE relnamespace = 's'::regnamespace AND relkind IN ('r', 'p') LOOP
      EXECUTE format('ALTER TABLE %s OWNER TO ${role}', relation);
    END LOOP;
  END $$`;

describeOnEachPostgres("a role that may not see others' sessions", (server) => {
  const withOwner = (family: Family, action: (context: Context) => Promise<void>) =>
    withFamily(server().createDatabase(), family, async ({ client, database }) => {
      const role = `owner_${database.connection.database}`;
      await client.query(ALL_TO(role));
      const owner = sessionsOn({ ...database.connection, user: role, password: "x" });
      try {
        await action({ client, database, owner });
      } finally {
        await owner.close();
        await client.query(`REASSIGN OWNED BY ${role} TO postgres; DROP OWNED BY ${role}; DROP ROLE ${role}`);
      }
    });

  const C1 = "c1 FOR VALUES FROM (10) TO (20)";
  const CASES: [string, Family, (oid: number) => Step][] = [
    ["begins no concurrent detach", {}, (oid) => step("detachConcurrently", "c1", { oid })],
    ["queues for no detach", {}, (oid) => step("detachPlain", "c1", { oid })],
    [
      "queues for no attach",
      { withDefault: true },
      () => step("likeAttach", "c2", { bound: range("20", "30"), after: [] }),
    ],
  ];
  for (const [title, family, makeStep] of CASES)
    it(`${title} while a reader stays, and names it`, () =>
      withOwner(family, async ({ client, database, owner }) => {
        const reader = await database.client("report");
        await reader.query("BEGIN; SELECT * FROM s.p");
        const planned = makeStep(await oidOf(client, "s.c1"));
        const refused = await carryOut(owner, [planned]);
        const reason = refused.failed[0]?.error.reason ?? "";
        assert.match(reason, /^No lock within 2 s \(no try was made\)\. .*application report.*pg_read_all_stats/);
        assert.ok((await childrenOf(client)).includes(C1));
        await reader.query("ROLLBACK");
        const done = await carryOut(owner, [planned]);
        assert.deepEqual([done.done, done.failed], [[planned.id], []]);
      }));

  it("finishes no pending detach while an older snapshot stays, and names it", () =>
    withOwner({}, async ({ client, database, owner }) => {
      await leavePending(database, "c1");
      const reader = await database.client("report");
      await reader.query("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1");
      const planned = step("finalize", "c1", { oid: await oidOf(client, "s.c1") });
      const refused = await carryOut(owner, [planned]);
      assert.match(refused.failed[0]?.error.reason ?? "", /no try was made.*application report.*has an older snapshot/);
      await reader.query("ROLLBACK");
      assert.deepEqual((await carryOut(owner, [planned])).failed, []);
    }));

  it("goes on beside an application whose transactions are short", () =>
    withOwner({ withDefault: true }, async ({ client, database, owner }) => {
      const reader = await database.client("application");
      let running = true;
      const reading = (async () => {
        while (running) await reader.query("BEGIN; SELECT count(*) FROM s.p; SELECT pg_sleep(0.02); COMMIT");
      })();
      const planned = step("detachPlain", "c1", { oid: await oidOf(client, "s.c1") });
      const report = await carryOut(owner, [planned], { ladder: { ...QUICK, budget: 60_000 } });
      running = false;
      await reading;
      assert.deepEqual([report.done, report.failed], [["detach:c1"], []]);
    }));

  it("names in the preview who stays", () =>
    withOwner({}, async ({ client, database, owner }) => {
      const reader = await database.client("report");
      await reader.query("BEGIN; SELECT * FROM s.p");
      const planned = planOf(step("detachPlain", "c1", { oid: await oidOf(client, "s.c1") }));
      const set = await read(owner);
      const findings = await owner.withSession(async (session) =>
        preflight(session, await readServer(session), planned, set),
      );
      await reader.end();
      assert.match(findings.map(({ reason }) => reason).join("\n"), /application report.*transaction of unknown age/);
    }));

  it("sees snapshots of other roles, which may not see copied rows", () =>
    withOwner({}, async ({ database, owner }) => {
      const reader = await database.client("report");
      await reader.query("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1");
      const found = await owner.withSession((session) => findSnapshots(session));
      await reader.end();
      assert.deepEqual(
        found.map(({ application }) => application),
        ["report"],
      );
    }));
});
