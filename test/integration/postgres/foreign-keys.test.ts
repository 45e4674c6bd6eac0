/** Foreign keys beside partitions that leave: they hold as declared, and none goes without being told. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import { preflight } from "../../../postgres/preflight";
import { readServer } from "../../../postgres/server";
import { describeOnEachPostgres } from "../../support/postgres";
import { carryOut, childrenOf, oidOf, planOf, read, step, withFamily } from "./support";

/** Foreign keys of a table and of what is below it. */
async function keysOf(client: Client, table: string): Promise<string[]> {
  const { rows } = await client.query<{ key: string }>(
    `SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid) AS key FROM pg_constraint
     WHERE contype = 'f' AND conrelid = $1::regclass AND conparentid = 0 ORDER BY 1`,
    [table],
  );
  return rows.map(({ key }) => key);
}

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

  it("a detached partition keeps its own foreign keys, or the preview says that it loses them", () =>
    withFamily(server().createDatabase(), { out: true, self: true }, async ({ client, sessions }) => {
      const planned = step("detachPlain", "c1", { oid: await oidOf(client, "s.c1") });
      const set = await read(sessions);
      const found = await sessions.withSession(async (session) =>
        preflight(session, await readServer(session), planOf(planned), set),
      );
      const told = found.some(({ reason }) => /drops the foreign keys of c1 to .* when it is detached/.test(reason));
      const report = await carryOut(sessions, [planned]);
      assert.deepEqual([report.done, report.failed], [["detach:c1"], []]);
      const kept = await keysOf(client, "s.c1");
      assert.equal(told, !kept.some((key) => key.endsWith("REFERENCES s.p(k)")));
      assert.equal(told, server().major === 14);
      assert.equal((await keysOf(client, "s.p")).length, 2);
    }));
});
