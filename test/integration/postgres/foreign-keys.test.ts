/** Foreign keys beside partitions that leave: they hold as declared, and none goes without being told. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import { readSet } from "../../../postgres/catalog";
import { renderStep } from "../../../postgres/statements";
import { describeOnEachPostgres } from "../../support/postgres";
import { startTraffic } from "../../support/traffic";
import { SetUnderTest } from "../tree/support";
import { carryOut, childrenOf, oidOf, QUICK, range, sessionsOn, step, withFamily } from "./support";

/** Foreign keys of a table and of what is below it. */
async function keysOf(client: Client, table: string): Promise<string[]> {
  const { rows } = await client.query<{ key: string }>(
    `SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid) AS key FROM pg_constraint
     WHERE contype = 'f' AND conrelid = $1::regclass AND conparentid = 0 ORDER BY 1`,
    [table],
  );
  return rows.map(({ key }) => key);
}

/** Valid foreign keys of a table, whether its own or its parent's. */
async function inForce(client: Client, table: string): Promise<string[]> {
  const { rows } = await client.query<{ key: string }>(
    `SELECT pg_get_constraintdef(k.oid) AS key FROM pg_constraint k LEFT JOIN pg_constraint up ON up.oid = k.conparentid
     WHERE k.contype = 'f' AND k.conrelid = $1::regclass AND k.convalidated AND up.conrelid IS DISTINCT FROM k.conrelid ORDER BY 1`,
    [table],
  );
  return rows.map(({ key }) => key);
}

/** Beside an application that is always at work a step needs its tries. */
const PATIENT = { ladder: { ...QUICK, budget: 60_000 } };

describeOnEachPostgres("foreign keys beside partitions that leave", (server) => {
  for (const action of ["NO ACTION", "CASCADE", "SET NULL"]) {
    it(`rows that are referenced keep their partition: ON DELETE ${action}`, () =>
      withFamily(server().createDatabase(), {}, async ({ client, sessions }) => {
        await client.query(`CREATE TABLE s.inb (k int REFERENCES s.p ON DELETE ${action})`);
        await client.query("INSERT INTO s.inb VALUES (12)");
        const before = await keysOf(client, "s.inb");
        const oid = await oidOf(client, "s.c1");
        const steps = () => [
          step("detachConcurrently", "c1", { oid }),
          step("dropTable", "c1", { oid, after: ["detach:c1"] }),
        ];
        const refused = await carryOut(sessions, steps());
        assert.deepEqual(
          refused.failed.map((failure) => [failure.step, failure.error.sqlstate]),
          [["detach:c1", "23503"]],
        );
        assert.ok((await childrenOf(client)).every((child) => !child.includes("pending")));
        assert.deepEqual((await client.query("SELECT k FROM s.inb")).rows, [{ k: 12 }]);
        await client.query("DELETE FROM s.inb");
        const gone = await carryOut(sessions, steps());
        assert.deepEqual([gone.done, gone.failed], [["detach:c1", "drop:c1"], []]);
        assert.deepEqual(await keysOf(client, "s.inb"), before);
        await assert.rejects(client.query("INSERT INTO s.inb VALUES (12)"), { code: "23503" });
      }));
  }

  for (const deep of [false, true])
    it(`a detached partition${deep ? " of several levels" : ""} keeps its own foreign keys, in force and valid`, () =>
      withFamily(
        server().createDatabase(),
        { out: "partitioned", also: true, self: true, deep },
        async ({ client, sessions }) => {
          const leaf = deep ? "s.c1a" : "s.c1";
          const before = await keysOf(client, "s.p");
          const oid = await oidOf(client, "s.c1");
          const report = await carryOut(sessions, [step("detachPlain", "c1", { oid, keepsForeignKeys: true })]);
          assert.deepEqual([report.done, report.failed], [["detach:c1"], []]);
          assert.deepEqual(await keysOf(client, "s.p"), before);
          assert.deepEqual(await inForce(client, leaf), [
            "FOREIGN KEY (r) REFERENCES s.p(k)",
            "FOREIGN KEY (r) REFERENCES s.plain(r)",
            "FOREIGN KEY (r) REFERENCES s.ref(r)",
          ]);
          await assert.rejects(client.query(`UPDATE ${leaf} SET r = 1000`), { code: "23503" });
          const back = await carryOut(sessions, [step("attach", "c1", { oid, bound: range("10", "20") })]);
          assert.deepEqual([back.done, back.failed], [["attach:c1"], []]);
        },
      ));

  it("a key of a middle level stays in force too, and one of the partition's own is not touched", () =>
    withFamily(server().createDatabase(), { out: "partitioned", deep: true }, async ({ client, sessions }) => {
      await client.query(`ALTER TABLE s.c1 ADD CONSTRAINT "a middle" FOREIGN KEY (tenant) REFERENCES s.ref ON DELETE CASCADE;
          ALTER TABLE s.c1a ADD CONSTRAINT "Own" FOREIGN KEY (k) REFERENCES s.ref`);
      const before = await inForce(client, "s.c1a");
      const [under, oid] = [await oidOf(client, "s.c1"), await oidOf(client, "s.c1a")];
      const about = { oid, under: { schema: "s", name: "c1", oid: under } };
      const out = await carryOut(sessions, [step("detachPlain", "c1a", { ...about, keepsForeignKeys: true })]);
      assert.deepEqual([out.done, out.failed], [["detach:c1a"], []]);
      // On 14 the row that stands for the partition ref0 becomes a constraint by itself.
      const after = (await inForce(client, "s.c1a")).filter((key) => !key.includes("s.ref0"));
      assert.deepEqual(after, before);
      const { rows } = await client.query("SELECT conname FROM pg_constraint WHERE conname = 'Own'");
      assert.deepEqual(rows, [{ conname: "Own" }]);
    }));

  it("the plan puts back what PostgreSQL 14 drops, of what stays, and the preview shows it", async () => {
    const database = await server().createDatabase();
    const sessions = sessionsOn(database.connection);
    try {
      const client = await database.client();
      await client.query(`CREATE TABLE ref (r int PRIMARY KEY) PARTITION BY RANGE (r); CREATE TABLE ref0 PARTITION OF ref DEFAULT;
        CREATE TABLE events (at date NOT NULL, r int CONSTRAINT to_ref REFERENCES ref ON DELETE CASCADE) PARTITION BY RANGE (at)`);
      const program = (asOf: string) => ({
        table: "events",
        partitionBy: { range: { column: "at", type: "date", every: "month" } },
        window: { from: "2026-01", ahead: 0 },
        lifecycle: [
          { after: "1 months", tier: "detached" },
          { after: "2 months", tier: "dropped" },
        ],
        asOf,
      });
      const stack = new SetUnderTest(sessions);
      await stack.settle(program("2026-01"));
      const { steps } = await stack.preview(program("2026-03"));
      const leaving = steps.filter(({ partition }) => partition === "events_2026_01");
      assert.deepEqual(
        leaving.map(({ kind }) => kind),
        ["detach"],
      );
      const { parent } = await sessions.withSession((session) =>
        readSet(session, { schema: "public", table: "events", names: [], known: {} }),
      );
      const [detach] = leaving;
      assert.ok(parent && detach);
      const shown = renderStep(detach, parent).map(({ sql }) => sql);
      assert.deepEqual(
        shown.filter((sql) => sql.includes("CONSTRAINT")),
        server().major > 14
          ? []
          : [
              'ALTER TABLE "public"."events_2026_01" ADD CONSTRAINT "to_ref" FOREIGN KEY (r) REFERENCES public.ref(r) ON DELETE CASCADE NOT VALID',
              'ALTER TABLE "public"."events_2026_01" VALIDATE CONSTRAINT "to_ref"',
            ],
      );
      await stack.settle(program("2026-03"));
      assert.deepEqual(await inForce(client, "events_2026_01"), [
        "FOREIGN KEY (r) REFERENCES ref(r) ON DELETE CASCADE",
      ]);
      const dropping = (await stack.preview(program("2026-05"))).steps.filter(({ kind }) => kind === "detach");
      assert.ok(
        dropping.every(({ method, keepsForeignKeys, partition }) =>
          partition === "events_2026_03"
            ? keepsForeignKeys === (server().major === 14 ? true : undefined)
            : method === "detachConcurrently",
        ),
      );
      assert.deepEqual(
        await stack.settle(program("2026-05")).then((done) => done.includes("drop:events_2026_01")),
        true,
      );
      assert.deepEqual(await keysOf(client, "events"), ["events FOREIGN KEY (r) REFERENCES ref(r) ON DELETE CASCADE"]);
    } finally {
      await sessions.close();
      await database.drop();
    }
  });

  for (const action of ["CASCADE", "SET NULL"])
    it(`rows of a partition follow their referenced row while it is detached and afterwards: ON DELETE ${action}`, () =>
      withFamily(server().createDatabase(), { out: "partitioned" }, async ({ client, sessions, database }) => {
        await client.query(
          `ALTER TABLE s.p DROP CONSTRAINT fk; ALTER TABLE s.p ADD CONSTRAINT fk FOREIGN KEY (r) REFERENCES s.ref ON DELETE ${action}`,
        );
        const oid = await oidOf(client, "s.c1");
        // Each deletes a row that one of c1 refers to, and makes both anew, wherever c1 is just then.
        const jobs = [11, 12, 13, 14].map((k) => [
          `DELETE FROM s.ref WHERE r = ${k}`,
          `INSERT INTO s.ref VALUES (${k})`,
          action === "CASCADE" ? `INSERT INTO s.c1 VALUES (1, ${k}, ${k})` : `UPDATE s.c1 SET r = ${k} WHERE k = ${k}`,
        ]);
        const traffic = await startTraffic(database, jobs, 10_000);
        for (let round = 0; round < 5; round++) {
          const out = await carryOut(sessions, [step("detachPlain", "c1", { oid, keepsForeignKeys: true })], PATIENT);
          assert.deepEqual(out.failed, []);
          const back = await carryOut(sessions, [step("attach", "c1", { oid, bound: range("10", "20") })], PATIENT);
          assert.deepEqual(back.failed, []);
        }
        const { failures, statements } = await traffic.stop();
        assert.deepEqual(failures, []);
        assert.ok(statements > 20, `${statements} statements`);
        const orphans = await client.query(
          "SELECT k FROM s.c1 WHERE r IS NOT NULL AND NOT EXISTS (SELECT FROM s.ref WHERE ref.r = c1.r)",
        );
        assert.deepEqual(orphans.rows, []);
        await carryOut(sessions, [step("detachPlain", "c1", { oid, keepsForeignKeys: true })]);
        await client.query("DELETE FROM s.ref WHERE r = 15");
        const { rows } = await client.query("SELECT r FROM s.c1 WHERE k = 15");
        assert.deepEqual(rows, action === "CASCADE" ? [] : [{ r: null }]);
      }));

  it("rows that move between partitions take their referencing rows along, or are refused, while others come and go", () =>
    withFamily(server().createDatabase(), {}, async ({ client, sessions, database }) => {
      const follows = server().major > 14;
      await client.query(
        `CREATE TABLE s.c2 PARTITION OF s.p FOR VALUES FROM (20) TO (30);
         CREATE TABLE s.inb (id int PRIMARY KEY, k int NOT NULL REFERENCES s.p ON UPDATE CASCADE);
         INSERT INTO s.inb VALUES (1, 1)`,
      );
      const before = await keysOf(client, "s.inb");
      // PostgreSQL 14 takes such an UPDATE for a DELETE, which NO ACTION refuses: there only rows that nobody refers to move.
      const row = follows ? 1 : 2;
      const moves = [
        `UPDATE s.p SET k = ${row + 20} WHERE k = ${row}`,
        `UPDATE s.p SET k = ${row} WHERE k = ${row + 20}`,
      ];
      const traffic = await startTraffic(database, [moves, ["SELECT count(*) FROM s.p JOIN s.inb USING (k)"]], 10_000);
      const oid = await oidOf(client, "s.c1");
      for (let round = 0; round < 3; round++) {
        const out = await carryOut(sessions, [step("detachPlain", "c1", { oid })], PATIENT);
        assert.deepEqual(out.failed, []);
        const back = await carryOut(sessions, [step("attach", "c1", { oid, bound: range("10", "20") })], PATIENT);
        assert.deepEqual(back.failed, []);
      }
      const { failures, statements } = await traffic.stop();
      assert.deepEqual(failures, []);
      assert.ok(statements > 20, `${statements} statements`);
      const { rows } = await client.query("SELECT inb.id FROM s.inb JOIN s.p USING (k)");
      assert.deepEqual(rows, [{ id: 1 }]);
      assert.deepEqual(await keysOf(client, "s.inb"), before);
      const across = client.query("UPDATE s.p SET k = 25 WHERE k IN (SELECT k FROM s.inb)");
      if (follows) await across;
      else await assert.rejects(across, { code: "23503" });
      // The row is in c0 or c2: its partition stays, with the constraint and the row that refers to it.
      const home = follows ? "c2" : "c0";
      const refused = await carryOut(sessions, [step("detachPlain", home, { oid: await oidOf(client, `s.${home}`) })]);
      assert.deepEqual(
        refused.failed.map(({ error }) => error.sqlstate),
        ["23503"],
      );
      assert.deepEqual(await keysOf(client, "s.inb"), before);
    }));

  it("a table that refers to itself: the partition that others refer to stays, the one that refers leaves", () =>
    withFamily(server().createDatabase(), { self: true }, async ({ client, sessions }) => {
      const before = await keysOf(client, "s.p");
      for (const method of ["detachPlain", "detachConcurrently"] as const) {
        const refused = await carryOut(sessions, [step(method, "c0", { oid: await oidOf(client, "s.c0") })]);
        assert.deepEqual(
          refused.failed.map(({ error }) => error.sqlstate),
          ["23503"],
        );
      }
      assert.ok((await childrenOf(client)).every((child) => !child.includes("pending")));
      const oid = await oidOf(client, "s.c1");
      const gone = await carryOut(sessions, [
        step("detachPlain", "c1", { oid }),
        step("dropTable", "c1", { oid, after: ["detach:c1"] }),
      ]);
      assert.deepEqual([gone.done, gone.failed], [["detach:c1", "drop:c1"], []]);
      assert.deepEqual(await keysOf(client, "s.p"), before);
      await assert.rejects(client.query("INSERT INTO s.p VALUES (1, 5, 500)"), { code: /23/ });
    }));
});
