/** Steps that share a transaction: one that cannot be done stops the others only where they make up for each other. */
import assert from "node:assert/strict";
import { describeOnEachPostgres } from "../../support/postgres";
import { carryOut, childrenOf, oidOf, range, step, withFamily } from "./support";

const C0 = "c0 FOR VALUES FROM (0) TO (10)";
const C1 = "c1 FOR VALUES FROM (10) TO (20)";
const C2 = "c2 FOR VALUES FROM (20) TO (30)";
const NEW = range("20", "30");

describeOnEachPostgres("steps of one transaction", (server) => {
  it("one broken partition of a transaction does not stop the others", () =>
    withFamily(server().createDatabase(), {}, async ({ client, sessions }) => {
      await client.query("CREATE VIEW s.c3 AS SELECT 1 AS one");
      const bounds = { c2: NEW, c3: range("30", "40"), c4: range("40", "50"), c5: range("15", "60") };
      const steps = Object.entries(bounds).map(([name, bound]) => step("likeAttach", name, { bound, transaction: 3 }));
      steps.push(step("rename", "c9", { current: { schema: "s", name: "c3" }, after: ["create:c3"] }));
      const report = await carryOut(sessions, steps);
      assert.deepEqual(report.done, ["create:c2", "create:c4"]);
      assert.deepEqual(
        report.failed.map(({ step: id, error }) => [id, error.sqlstate]),
        [
          ["create:c3", "42P07"],
          ["create:c5", "42P17"],
        ],
      );
      assert.match(report.skipped[0]?.reason ?? "", /follows create:c3/);
      assert.deepEqual(await childrenOf(client), [C0, C1, C2, "c4 FOR VALUES FROM (40) TO (50)"]);
      const { rows } = await client.query("SELECT to_regclass('s.c5') AS orphan");
      assert.deepEqual(rows, [{ orphan: null }]);
    }));

  it("does all steps of an indivisible transaction or none: what one gives back another takes over", () =>
    withFamily(server().createDatabase(), {}, async ({ client, sessions }) => {
      const before = await childrenOf(client);
      const oid = await oidOf(client, "s.c1");
      const together = { transaction: 9, indivisible: true as const };
      const steps = [
        step("detachAttach", "c1", { oid, bound: range("10", "15"), ...together }),
        step("likeAttach", "c9", { bound: range("15", "20"), after: ["rebound:c1"], ...together }),
        step("likeAttach", "taken", { bound: range("20", "30"), ...together }),
      ];
      await client.query("DELETE FROM s.c1");
      await client.query("CREATE VIEW s.taken AS SELECT 1 AS one");
      const refused = await carryOut(sessions, steps);
      assert.deepEqual(
        [refused.done, refused.failed.map(({ step: id, error }) => [id, error.sqlstate])],
        [[], steps.map(({ id }) => [id, "42P07"])],
      );
      assert.deepEqual(await childrenOf(client), before);
      await client.query("DROP VIEW s.taken");
      const done = await carryOut(sessions, steps);
      assert.deepEqual(
        done.done,
        steps.map(({ id }) => id),
      );
      const parts = ["c1 FOR VALUES FROM (10) TO (15)", "c9 FOR VALUES FROM (15) TO (20)"];
      assert.deepEqual(await childrenOf(client), [C0, parts[0], parts[1], "taken FOR VALUES FROM (20) TO (30)"]);
    }));

  it("lets partitions change names in one transaction", () =>
    withFamily(server().createDatabase(), {}, async ({ client, sessions }) => {
      const [c0, c1] = [await oidOf(client, "s.c0"), await oidOf(client, "s.c1")];
      const aside = { schema: "s", name: "aside" };
      const together = { transaction: 9, indivisible: true as const };
      const report = await carryOut(sessions, [
        step("rename", "aside", { oid: c0, current: { schema: "s", name: "c0" }, ...together }),
        step("rename", "c0", { oid: c1, current: { schema: "s", name: "c1" }, after: ["rename:aside"], ...together }),
        step("rename", "c1", { oid: c0, current: aside, after: ["rename:c0"], ...together }),
      ]);
      assert.deepEqual([report.done.length, report.failed], [3, []]);
      assert.deepEqual([await oidOf(client, "s.c0"), await oidOf(client, "s.c1")], [c1, c0]);
    }));
});
