/** A run that is killed after a detach has put foreign keys back, and before they are validated, is finished by the next. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import { sessionsEnd } from "../../support/kills";
import { describeOnOldestAndNewest, type TestDatabase } from "../../support/postgres";
import { SetUnderTest } from "../tree/support";
import { runChild } from "./crash-parent";
import { sessionsOn } from "./support";

const DIVIDED = { subPartitionBy: { partitionBy: { hash: { columns: ["r"], partitions: 2 } } } };

const program = (asOf: string, tail: "detached" | "dropped" = "detached", divided: object = {}) => ({
  schema: "s",
  table: "p",
  partitionBy: { range: { column: "at", type: "date", every: "month" } },
  window: { from: "2026-01", ahead: 0 },
  lifecycle: [{ after: "1 months", tier: tail }],
  asOf,
  ...divided,
});

/** Constraints by themselves: PostgreSQL never validates the rows that stand for partitions of the referenced table. */
async function notValidated(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ key: string }>(
    `SELECT conrelid::regclass || ' ' || conname AS key FROM pg_constraint
     WHERE contype = 'f' AND NOT convalidated AND conparentid = 0 ORDER BY 1`,
  );
  return rows.map(({ key }) => key);
}

describeOnOldestAndNewest("foreign keys that a detach has put back", (server) => {
  /** January is detached by a process that is killed behind its first transaction. */
  async function interrupted(
    divided: object,
    action: (context: { client: Client; stack: SetUnderTest }) => Promise<void>,
  ): Promise<void> {
    const database: TestDatabase = await server().createDatabase();
    const before = sessionsOn(database.connection);
    const sessions = sessionsOn(database.connection);
    try {
      const client = await database.client();
      await client.query(`CREATE SCHEMA s; CREATE TABLE s.ref (r int PRIMARY KEY) PARTITION BY RANGE (r);
        CREATE TABLE s.ref0 PARTITION OF s.ref DEFAULT; INSERT INTO s.ref VALUES (1), (2), (3), (4);
        CREATE TABLE s.p (at date NOT NULL, r int CONSTRAINT to_ref REFERENCES s.ref ON DELETE CASCADE) PARTITION BY RANGE (at)`);
      const former = new SetUnderTest(before);
      await former.settle(program("2026-01", "detached", divided));
      await client.query("INSERT INTO s.p SELECT '2026-01-05', r FROM s.ref");
      const { steps } = await former.preview(program("2026-03", "detached", divided));
      await before.close();
      const detach = steps.filter(({ id }) => id === "detach:p_2026_01");
      assert.equal(await runChild(database, detach, "afterTransaction:1"), "SIGKILL");
      await sessionsEnd(client);
      await action({ client, stack: Object.assign(new SetUnderTest(sessions), former, { sessions }) });
    } finally {
      await before.close();
      await sessions.close();
      await database.drop();
    }
  }

  for (const [title, divided] of [
    ["", {}],
    [" of several levels", DIVIDED],
  ] as const)
    it(`are validated by the next run: a partition${title}`, () =>
      interrupted(divided, async ({ client, stack }) => {
        const left = await notValidated(client);
        assert.equal(left.length, server().major > 14 ? 0 : divided === DIVIDED ? 2 : 1, left.join());
        // Somebody's own key of that kind is not ours to read a table for.
        await client.query(
          "CREATE TABLE s.other (r int); ALTER TABLE s.other ADD FOREIGN KEY (r) REFERENCES s.ref NOT VALID",
        );
        const done = await stack.settle(program("2026-03", "detached", divided));
        assert.equal(done.includes("validateForeignKeys:p_2026_01"), server().major === 14);
        assert.deepEqual(await notValidated(client), ["s.other other_r_fkey"]);
      }));

  it("are validated before the partition comes back, and it has each key once", () =>
    interrupted({}, async ({ client, stack }) => {
      const pinned = { ...program("2026-03"), pins: [{ from: "2026-01-01", to: "2026-02-01" }] };
      await stack.settle(pinned);
      const { rows } = await client.query(
        `SELECT k.conname, k.convalidated FROM pg_constraint k LEFT JOIN pg_constraint up ON up.oid = k.conparentid
         WHERE k.contype = 'f' AND k.conrelid = 's.p_2026_01'::regclass AND up.conrelid IS DISTINCT FROM k.conrelid`,
      );
      assert.deepEqual(rows, [{ conname: "to_ref", convalidated: true }]);
    }));

  it("are not looked at when the table is dropped", () =>
    interrupted({}, async ({ stack }) => {
      const done = await stack.settle(program("2026-03", "dropped"));
      assert.deepEqual(
        done.filter((id) => id.endsWith("p_2026_01") && !id.startsWith("detach")),
        ["drop:p_2026_01"],
      );
    }));

  it("show after a refresh, so that the next preview has something to do", () =>
    interrupted({}, async ({ stack, client }) => {
      await stack.refresh(program("2026-03"));
      const expected = server().major === 14 ? ["delete partitions.p_2026_01.differs.foreignKeys"] : [];
      assert.deepEqual(
        stack.diff(program("2026-03")).filter((line) => line.includes("p_2026_01")),
        expected,
      );
      await stack.settle(program("2026-03"));
      assert.deepEqual(await notValidated(client), []);
    }));
});
