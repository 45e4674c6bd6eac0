/** Plans carried out on real servers: every method end to end, and everything that can come in between. */
import assert from "node:assert/strict";
import { ADVISORY_CLASS } from "../../../postgres/advisory";
import { type Clock, DEFAULT_LADDER } from "../../../postgres/ladder";
import { renderStep } from "../../../postgres/statements";
import { describeOnEachPostgres } from "../../support/postgres";
import {
  carryOut,
  childrenOf,
  oidOf,
  QUICK,
  range,
  read,
  readParentOf,
  sessionsOn,
  step,
  untilSeasoned,
  withFamily,
} from "./support";

const C0 = "c0 FOR VALUES FROM (0) TO (10)";
const C1 = "c1 FOR VALUES FROM (10) TO (20)";
const C2 = "c2 FOR VALUES FROM (20) TO (30)";
const NEW = range("20", "30");

describeOnEachPostgres("executor", (server) => {
  for (const method of ["partitionOf", "likeAttach"] as const) {
    it(`${method} creates partitions in one transaction, with exactly the statements of the plan`, () =>
      withFamily(
        server().createDatabase(),
        { withDefault: true, out: true },
        async ({ client, sessions, database }) => {
          const steps = [
            step(method, "c2", { bound: NEW, transaction: 7 }),
            step(method, "c3", { bound: range("30", "MAXVALUE"), transaction: 7 }),
          ];
          const planned = await readParentOf(sessions);
          await database.logStatements();
          await sessions.close();
          const fresh = sessionsOn(database.connection);
          const report = await carryOut(fresh, steps, { parent: planned });
          await fresh.close();
          assert.deepEqual([report.done, report.failed], [["create:c2", "create:c3"], []]);
          assert.deepEqual(await childrenOf(client), [
            C0,
            C1,
            C2,
            "c3 FOR VALUES FROM (30) TO (MAXVALUE)",
            "d DEFAULT",
          ]);
          const sent = (await database.statementLog()).filter(
            ({ applicationName }) => applicationName === "pulumi-pgpartition",
          );
          const changing = sent.map(({ sql }) => sql).filter((sql) => !/^(SELECT|WITH|SET|\s)/.test(sql));
          const expected = steps.flatMap((one) => renderStep(one, planned).map(({ sql }) => sql));
          assert.deepEqual(changing, ["BEGIN", ...expected, "COMMIT"]);
        },
      ));
  }

  it("guards DEFAULT, attaches a filled table beside it without a scan, and takes the guard away", () =>
    withFamily(server().createDatabase(), { withDefault: true }, async ({ client, sessions }) => {
      await client.query("CREATE TABLE s.c2 (LIKE s.p INCLUDING ALL)");
      await client.query("INSERT INTO s.c2 VALUES (1, 25, 5)");
      const report = await carryOut(sessions, [
        step("guard", "d", { excludes: [NEW] }),
        step("attach", "c2", { bound: NEW, oid: await oidOf(client, "s.c2"), after: ["guardDefault:d"] }),
        step("unguard", "d", { after: ["attach:c2"] }),
      ]);
      assert.deepEqual([report.done, report.failed], [["guardDefault:d", "attach:c2", "unguardDefault:d"], []]);
      assert.deepEqual((await read(sessions)).defaultGuards, []);
      const { rows } = await client.query("SELECT count(*)::int FROM s.p WHERE k = 25");
      assert.deepEqual(rows, [{ count: 1 }]);
    }));

  it("guards DEFAULT while a partition gets another bound, with what takes over the rest of the old one", () =>
    withFamily(server().createDatabase(), { withDefault: true }, async ({ client, sessions }) => {
      await client.query("DELETE FROM s.p WHERE k >= 15");
      const after = ["guardDefault:d"];
      const parent = await readParentOf(sessions);
      const [wide, rest] = [range("10", "15"), range("15", "25")];
      const together = { transaction: 7, indivisible: true as const, after };
      const steps = [
        step("guard", "d", { excludes: [wide, rest] }),
        step("detachAttach", "c1", { bound: wide, oid: await oidOf(client, "s.c1"), ...together }),
        step("likeAttach", "c2", { bound: rest, ...together }),
        step("unguard", "d", { after }),
      ];
      const locks = steps.slice(1, 3).flatMap((one) => renderStep(one, parent).flatMap((sent) => sent.locks));
      assert.deepEqual(
        [...new Set(locks.filter(({ relation }) => relation === '"s"."d"').map(({ hold }) => hold))],
        ["instant"],
      );
      const report = await carryOut(sessions, steps);
      assert.deepEqual([report.done.length, report.failed], [4, []]);
      assert.deepEqual((await read(sessions)).defaultGuards, []);
      assert.deepEqual((await childrenOf(client)).slice(1, 3), [
        "c1 FOR VALUES FROM (10) TO (15)",
        "c2 FOR VALUES FROM (15) TO (25)",
      ]);
    }));

  it("takes the guard away even when the attachment failed", () =>
    withFamily(server().createDatabase(), { withDefault: true }, async ({ client, sessions }) => {
      await client.query("CREATE TABLE s.c2 (k int)");
      const report = await carryOut(sessions, [
        step("guard", "d", { excludes: [NEW] }),
        step("attach", "c2", { bound: NEW, oid: await oidOf(client, "s.c2"), after: ["guardDefault:d"] }),
        step("unguard", "d", { after: ["attach:c2"] }),
      ]);
      assert.deepEqual(report.done, ["guardDefault:d", "unguardDefault:d"]);
      assert.equal(report.failed[0]?.error.sqlstate, "42804");
      assert.deepEqual((await read(sessions)).defaultGuards, []);
    }));

  it("detaches concurrently when nobody is about, then drops by OID", () =>
    withFamily(server().createDatabase(), { out: true, in: true }, async ({ client, sessions, database }) => {
      await database.logStatements();
      const oid = await oidOf(client, "s.c1");
      const report = await carryOut(sessions, [
        step("detachConcurrently", "c1", { oid }),
        step("dropTable", "c1", { oid, after: ["detach:c1"] }),
      ]);
      assert.deepEqual([report.done, report.failed], [["detach:c1", "drop:c1"], []]);
      assert.deepEqual(await childrenOf(client), [C0]);
      const { rows } = await client.query("SELECT to_regclass('s.c1') AS found");
      assert.deepEqual(rows, [{ found: null }]);
      const sent = (await database.statements()).filter((sql) => /^(ALTER|DROP|LOCK)/.test(sql));
      assert.deepEqual(sent, [
        'ALTER TABLE "s"."p" DETACH PARTITION "s"."c1" CONCURRENTLY',
        'ALTER TABLE "s"."c1" DROP CONSTRAINT IF EXISTS "fk"',
        'LOCK TABLE ONLY "s"."c1" IN ACCESS EXCLUSIVE MODE',
        'DROP TABLE "s"."c1"',
      ]);
    }));

  it("waits the whole budget once, and not again for every step that the same session is in the way of", () =>
    withFamily(server().createDatabase(), {}, async ({ client, sessions, database }) => {
      const reader = await database.client("reader");
      await reader.query("BEGIN");
      await reader.query("SELECT * FROM s.p");
      let now = 0;
      const clock: Clock = {
        now: () => now,
        sleep: async (ms) => {
          now += ms;
        },
        random: () => 0,
      };
      const steps = [
        step("detachPlain", "c0", { oid: await oidOf(client, "s.c0") }),
        step("detachPlain", "c1", { oid: await oidOf(client, "s.c1") }),
      ];
      const report = await carryOut(sessions, steps, { clock, ladder: DEFAULT_LADDER });
      const reasons = report.failed.map(({ error }) => error.reason);
      assert.match(reasons[0] ?? "", /^No lock within 12\d s/);
      assert.match(reasons[1] ?? "", /^No lock within 5 s/);
    }));

  it("begins no concurrent detach while a transaction uses the parent that stays", () =>
    withFamily(server().createDatabase(), {}, async ({ client, sessions, database }) => {
      const user = await database.client("reader");
      await user.query("BEGIN");
      await user.query("SELECT * FROM s.p WHERE k = 1");
      await untilSeasoned(client, "reader");
      const oid = await oidOf(client, "s.c1");
      let released: Promise<unknown> | undefined;
      const report = await carryOut(sessions, [step("detachConcurrently", "c1", { oid })], {
        ladder: { ...QUICK, budget: 60_000 },
        onEvent: (event) => {
          if (event.type !== "waiting") return;
          // An insert into the range goes on: nothing is pending yet.
          released ??= client
            .query("DELETE FROM s.p WHERE k = 15; INSERT INTO s.p VALUES (1, 15, 1)")
            .then(() => user.query("COMMIT"));
        },
      });
      await released;
      assert.ok(released, "it never waited");
      assert.deepEqual([report.done, report.failed], [["detach:c1"], []]);
      const { rows } = await client.query("SELECT count(*)::int AS rows FROM s.c1");
      assert.deepEqual(rows, [{ rows: 10 }]);
    }));

  it("finishes a detach that was interrupted", () =>
    withFamily(server().createDatabase(), {}, async ({ client, sessions, database }) => {
      const oid = await oidOf(client, "s.c1");
      await interruptDetach(client, await database.client());
      assert.equal((await read(sessions)).children.find(({ name }) => name === "c1")?.state, "pending");
      const report = await carryOut(sessions, [
        step("finalize", "c1", { oid }),
        step("detachConcurrently", "c0", { oid: await oidOf(client, "s.c0"), after: ["finalizeDetach:c1"] }),
      ]);
      assert.deepEqual([report.done, report.failed], [["finalizeDetach:c1", "detach:c0"], []]);
      assert.deepEqual(await childrenOf(client), []);
    }));

  it("finishes a pending detach where a detach was planned", () =>
    withFamily(server().createDatabase(), {}, async ({ client, sessions, database }) => {
      const oid = await oidOf(client, "s.c1");
      await interruptDetach(client, await database.client());
      const report = await carryOut(sessions, [step("detachConcurrently", "c1", { oid })]);
      assert.deepEqual([report.done, report.failed], [["detach:c1"], []]);
      assert.deepEqual(await childrenOf(client), [C0]);
    }));

  it("gives a partition other bounds, renames it and moves it to another schema", () =>
    withFamily(server().createDatabase(), { withDefault: true, out: true, in: true }, async ({ client, sessions }) => {
      await client.query("CREATE SCHEMA t");
      const oid = await oidOf(client, "s.c1");
      const current = { schema: "s", name: "c1" };
      const report = await carryOut(sessions, [
        step("detachAttach", "c1", { oid, bound: range("10", "40") }),
        step("rename", "renamed", { schema: "t", current, oid, after: ["rebound:c1"] }),
      ]);
      assert.deepEqual([report.done, report.failed], [["rebound:c1", "rename:renamed"], []]);
      assert.deepEqual(await childrenOf(client), [C0, "d DEFAULT", "renamed FOR VALUES FROM (10) TO (40)"]);
      assert.equal(await oidOf(client, "t.renamed"), oid);
    }));

  describe("refuses", () => {
    it("to drop a table that is another one than planned", () =>
      withFamily(server().createDatabase(), {}, async ({ client, sessions }) => {
        const oid = await oidOf(client, "s.c1");
        const parent = await readParentOf(sessions);
        await client.query("ALTER TABLE s.p DETACH PARTITION s.c1");
        await client.query("DROP TABLE s.c1");
        await client.query("CREATE TABLE s.c1 AS SELECT 1 AS precious");
        const report = await carryOut(sessions, [step("dropTable", "c1", { oid })], { parent });
        assert.match(report.failed[0]?.error.reason ?? "", /is another table \(OID \d+, not \d+\)/);
        assert.deepEqual((await client.query("SELECT * FROM s.c1")).rows, [{ precious: 1 }]);
      }));

    it("to drop a table that was attached again, or renamed", () =>
      withFamily(server().createDatabase(), {}, async ({ client, sessions }) => {
        const attached = await oidOf(client, "s.c1");
        const renamed = await oidOf(client, "s.c0");
        const parent = await readParentOf(sessions);
        await client.query("ALTER TABLE s.p DETACH PARTITION s.c0");
        await client.query("ALTER TABLE s.c0 RENAME TO kept");
        const steps = [step("dropTable", "c1", { oid: attached }), step("dropTable", "c0", { oid: renamed })];
        const report = await carryOut(sessions, steps, { parent });
        assert.match(report.failed[0]?.error.reason ?? "", /is attached again/);
        assert.match(report.failed[1]?.error.reason ?? "", /which is now "s"."kept"/);
        assert.equal(await oidOf(client, "s.kept"), renamed);
      }));

    it("to drop without an OID, and what something depends on", () =>
      withFamily(server().createDatabase(), {}, async ({ client, sessions }) => {
        const oid = await oidOf(client, "s.c1");
        await client.query("ALTER TABLE s.p DETACH PARTITION s.c1");
        await client.query("CREATE VIEW s.v AS SELECT * FROM s.c1");
        const report = await carryOut(sessions, [step("dropTable", "c1", { oid }), step("dropTable", "c0")]);
        assert.equal(report.failed[0]?.error.sqlstate, "2BP01");
        assert.match(report.failed[1]?.error.reason ?? "", /no recorded OID/);
      }));

    it("another cluster, another database, a re-created parent", () =>
      withFamily(server().createDatabase(), {}, async ({ client, sessions }) => {
        const steps = [step("partitionOf", "c2", { bound: NEW })];
        await assert.rejects(
          carryOut(sessions, steps, { server: { systemIdentifier: "1" } }),
          /was made for cluster 1/,
        );
        await assert.rejects(carryOut(sessions, steps, { server: { databaseOid: 1 } }), /was made for OID 1/);
        const parent = await readParentOf(sessions);
        await client.query("ALTER TABLE s.p RENAME TO old");
        await client.query("CREATE TABLE s.p (LIKE s.old) PARTITION BY RANGE (k)");
        const report = await carryOut(sessions, steps, { parent });
        assert.match(report.failed[0]?.error.reason ?? "", /is another table \(OID \d+\); the plan was made for OID/);
      }));
  });

  it("takes what is there already for reached, and goes on behind it", () =>
    withFamily(server().createDatabase(), {}, async ({ client, sessions }) => {
      const oid = await oidOf(client, "s.c1");
      const parent = await readParentOf(sessions);
      await client.query("CREATE TABLE s.c2 PARTITION OF s.p FOR VALUES FROM (20) TO (30)");
      await client.query("ALTER TABLE s.p DETACH PARTITION s.c1");
      const steps = [
        step("likeAttach", "c2", { bound: NEW, transaction: 5 }),
        step("partitionOf", "c3", { bound: range("30", "40"), transaction: 5, after: ["create:c2"] }),
        step("detachConcurrently", "c1", { oid }),
        step("dropTable", "c1", { oid, after: ["detach:c1"] }),
      ];
      const report = await carryOut(sessions, steps, { parent });
      assert.deepEqual(report.failed, []);
      assert.deepEqual(report.done, ["create:c3", "drop:c1"]);
      assert.deepEqual(
        report.skipped.map(({ step: id, reached }) => [id, reached]),
        [
          ["create:c2", true],
          ["detach:c1", true],
        ],
      );
    }));

  it("names who is in the way when the ladder ends, and has done nothing", () =>
    withFamily(server().createDatabase(), { withDefault: true }, async ({ client, sessions, database }) => {
      const reader = await database.client("batch job");
      await reader.query("BEGIN");
      await reader.query("SELECT count(*) FROM s.p");
      const before = await childrenOf(client);
      const report = await carryOut(sessions, [
        step("likeAttach", "c2", { bound: NEW }),
        step("detachPlain", "c1", { oid: await oidOf(client, "s.c1") }),
      ]);
      const { rows } = await reader.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
      for (const { error } of report.failed) {
        assert.match(error.reason, new RegExp(`Session ${rows[0]?.pid} \\(user postgres, application batch job`));
        assert.match(error.reason, /SELECT count\(\*\) FROM s\.p/);
        assert.match(error.reason, /holds ACCESS SHARE/);
      }
      assert.equal(report.failed.length, 2);
      assert.deepEqual(await childrenOf(client), before);
      const { rows: orphan } = await client.query("SELECT to_regclass('s.c2') AS found");
      assert.deepEqual(orphan, [{ found: null }]);
    }));

  it("names a prepared transaction", () =>
    withFamily(server().createDatabase(), {}, async ({ client, sessions, database }) => {
      const other = await database.client();
      await other.query("BEGIN");
      await other.query("UPDATE s.p SET note = 'x' WHERE k = 12");
      await other.query("PREPARE TRANSACTION 'forgotten'");
      const report = await carryOut(sessions, [step("detachConcurrently", "c1", { oid: await oidOf(client, "s.c1") })]);
      assert.match(report.failed[0]?.error.reason ?? "", /Prepared transaction "forgotten" of postgres/);
      assert.deepEqual(await childrenOf(client), [C0, C1]);
    }));

  it("works on a parent alone: a second run waits, or says who works on it", () =>
    withFamily(server().createDatabase(), {}, async ({ client, sessions, database }) => {
      const parent = await readParentOf(sessions);
      const holder = await database.client("another up");
      await holder.query("SELECT pg_advisory_lock($1::int, $2::int)", [ADVISORY_CLASS, parent.oid]);
      const steps = [step("partitionOf", "c2", { bound: NEW })];
      const advisoryWait = { budget: 100, poll: 10 };
      await assert.rejects(carryOut(sessions, steps, { advisoryWait }), (error: Error) => {
        assert.match(
          error.message,
          /Another run works on "s"\."p"\. Session \d+ \(user postgres, application another up/,
        );
        return true;
      });
      const waiting = carryOut(sessions, steps, { advisoryWait: { budget: 60_000, poll: 10 } });
      await holder.query("SELECT pg_advisory_unlock_all()");
      assert.deepEqual((await waiting).done, ["create:c2"]);
      assert.deepEqual(await childrenOf(client), [C0, C1, C2]);
    }));

  it("stops between steps and stops waiting when it is cancelled", () =>
    withFamily(server().createDatabase(), {}, async ({ client, sessions, database }) => {
      const writer = await database.client();
      await writer.query("BEGIN");
      await writer.query("LOCK TABLE s.c1 IN ACCESS EXCLUSIVE MODE");
      const controller = new AbortController();
      const steps = [
        step("likeAttach", "c2", { bound: NEW }),
        step("detachPlain", "c1", { oid: await oidOf(client, "s.c1") }),
        step("likeAttach", "c3", { bound: range("30", "40") }),
      ];
      const report = await carryOut(sessions, steps, {
        signal: controller.signal,
        ladder: { ...QUICK, budget: 600_000 },
        onEvent: (event) => {
          if (event.type === "waiting") controller.abort();
        },
      });
      assert.deepEqual(report.done, ["create:c2"]);
      assert.deepEqual(report.failed, []);
      assert.deepEqual(
        report.skipped.map(({ step: id }) => id),
        ["detach:c1", "create:c3"],
      );
      await writer.query("COMMIT");
      assert.deepEqual(await childrenOf(client), [C0, C1, C2]);
    }));
});

type Query = { query(sql: string): Promise<unknown> };

/** Leaves `s.c1` pending. */
async function interruptDetach(client: Query, blocker: Query): Promise<void> {
  await blocker.query("BEGIN");
  await blocker.query("SELECT * FROM s.p");
  await client.query("SET lock_timeout = '50ms'");
  await assert.rejects(client.query("ALTER TABLE s.p DETACH PARTITION s.c1 CONCURRENTLY"), { code: "55P03" });
  await client.query("RESET lock_timeout");
  await blocker.query("COMMIT");
}
