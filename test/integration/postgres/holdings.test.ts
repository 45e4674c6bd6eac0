/** What looking into tables tells a plan. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import type { Sessions } from "../../../postgres/connection";
import { lookInto } from "../../../postgres/holdings";
import type { Answer, PartitionBound } from "../../../topology/model";
import { describeOnEachPostgres } from "../../support/postgres";
import { oidOf, range, read, withFamily } from "./support";

async function ask(
  client: Client,
  sessions: Sessions,
  name: string,
  bounds: (PartitionBound | undefined)[],
  parent = "p",
): Promise<Answer[]> {
  const table = { schema: "s", name, oid: await oidOf(client, `s.${name}`) };
  const facts = (await read(sessions, [], parent)).parent;
  assert.ok(facts);
  const questions = bounds.map((within) => ({ table, ...(within && { within }) }));
  return sessions.withSession((session) => lookInto(session, questions, facts));
}

const told = (answers: Answer[]) => answers.map(({ found, rows }) => [found, rows]);

describeOnEachPostgres("rows that a plan asks about", (server) => {
  it("are looked for in each bound, and counted", () =>
    withFamily(server().createDatabase(), { withDefault: true }, async ({ client, sessions }) => {
      await client.query("INSERT INTO s.p SELECT 1, k, 1, 'n' FROM generate_series(50, 54) k");
      const asked = [range("50", "60"), range("60", "70"), range("MINVALUE", "52")];
      assert.deepEqual(told(await ask(client, sessions, "d", asked)), [
        ["some", 5],
        ["none", undefined],
        ["some", 2],
      ]);
      assert.deepEqual(told(await ask(client, sessions, "d", [range("70", "80"), range("80", "90")])), [
        ["none", undefined],
        ["none", undefined],
      ]);
    }));

  it("are weighed as they are, not as the last ANALYZE saw them", () =>
    withFamily(server().createDatabase(), {}, async ({ client, sessions }) => {
      await client.query("CREATE TABLE s.c2 PARTITION OF s.p FOR VALUES FROM (20) TO (30)");
      const [empty] = await ask(client, sessions, "c2", [undefined]);
      assert.equal(empty?.found, "none");
      const [some] = await ask(client, sessions, "c1", [undefined]);
      const { rows } = await client.query("SELECT pg_total_relation_size('s.c1')::int AS bytes");
      assert.deepEqual([some?.found, some?.bytes], ["some", rows[0].bytes]);
    }));

  it("come with the CHECKs that say the table's bound, as DETACH CONCURRENTLY leaves them, and no others", () =>
    withFamily(server().createDatabase(), {}, async ({ client, sessions }) => {
      await client.query("ALTER TABLE s.p DETACH PARTITION s.c1 CONCURRENTLY");
      await client.query("ALTER TABLE s.p ATTACH PARTITION s.c1 FOR VALUES FROM (10) TO (20)");
      await client.query(
        "ALTER TABLE s.c1 ADD CONSTRAINT sane CHECK (k <> 13 OR true), ADD CHECK (note IS NOT NULL OR k > 0)",
      );
      const [told] = await ask(client, sessions, "c1", [undefined]);
      assert.deepEqual(told?.boundChecks, ["c1_check"]);
    }));

  it("stay unknown while somebody holds the table", () =>
    withFamily(server().createDatabase(), { withDefault: true }, async ({ client, sessions }) => {
      await client.query("BEGIN; LOCK TABLE s.d IN ACCESS EXCLUSIVE MODE");
      const name = { schema: "s", name: "d", oid: await oidOf(client, "s.d") };
      const facts = (await read(sessions)).parent;
      assert.ok(facts);
      const answers = await sessions.withSession((session) =>
        lookInto(session, [{ table: name, within: range("50", "60") }, { table: name }], facts),
      );
      assert.deepEqual(
        answers.map(({ found }) => found),
        ["unknown", "unknown"],
      );
    }));

  it("are told apart by the parent's own hash", () =>
    withFamily(server().createDatabase(), {}, async ({ client, sessions }) => {
      await client.query(`CREATE TABLE s.h (k bigint, t text COLLATE "C") PARTITION BY HASH (k, t);
        CREATE TABLE s.h0 PARTITION OF s.h FOR VALUES WITH (MODULUS 1, REMAINDER 0);
        INSERT INTO s.h SELECT k, k::text FROM generate_series(1, 100) k`);
      const bounds = [0, 1, 2].map((remainder) => ({ modulus: 3, remainder }));
      const answers = await ask(client, sessions, "h0", bounds, "h");
      const counts = answers.map(({ rows }) => rows ?? 0);
      assert.equal(
        counts.reduce((sum, rows) => sum + rows),
        100,
      );
      assert.ok(counts.every((rows) => rows > 0));
    }));
});
