/** What PostgreSQL says of transactions that were about to drop a table. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import { committedSince, currentTransaction } from "../../../postgres/archive/transactions";
import type { Session, Sessions } from "../../../postgres/connection";
import { describeOnOldestAndNewest } from "../../support/postgres";
import { openForEachTest } from "../postgres/opened";

describeOnOldestAndNewest("transactions that a store tells of", (server) => {
  let client: Client;
  let sessions: Sessions;

  openForEachTest(server, (opened) => {
    ({ client, sessions } = opened);
  });

  const ended = async (how: "COMMIT" | "ROLLBACK"): Promise<string> => {
    await client.query("BEGIN");
    const { rows } = await client.query<{ id: string }>("SELECT pg_current_xact_id()::text AS id");
    await client.query(how);
    return rows[0]?.id ?? "";
  };
  const committed = (transactions: string[], since?: string) =>
    sessions.withSession((session) => committedSince(session, transactions, since));

  it("are told apart by how they ended", async () => {
    const [kept, undone] = [await ended("COMMIT"), await ended("ROLLBACK")];
    assert.deepEqual([...(await committed([undone, kept])).committed], [kept]);
    assert.deepEqual([...(await committed([])).committed], []);
  });

  it("are not over while they run, and not known while they are in the future", async () => {
    await client.query("BEGIN");
    const { rows } = await client.query<{ id: string }>("SELECT pg_current_xact_id()::text AS id");
    const running = rows[0]?.id ?? "";
    assert.deepEqual((await committed([running, String(BigInt(running) + 1_000_000n)])).committed, new Set());
    await client.query("COMMIT");
    assert.deepEqual((await committed([running])).committed, new Set([running]));
  });

  it("are told once: those that a snapshot has seen are left out, and those that ran then are not", async () => {
    const first = await ended("COMMIT");
    await client.query("BEGIN");
    const { rows } = await client.query<{ id: string }>("SELECT pg_current_xact_id()::text AS id");
    const second = rows[0]?.id ?? "";
    const { snapshot } = await committed([first]);
    await client.query("COMMIT");
    const third = await ended("COMMIT");
    const since = await committed([first, second, third], snapshot);
    assert.deepEqual([...since.committed], [second, third]);
    assert.deepEqual((await committed([first, second, third], since.snapshot)).committed, new Set());
  });

  it("bear the number of the transaction that the session is in", async () => {
    const number = (session: Session) =>
      session.transaction(async () => (await currentTransaction(session)).transaction);
    const own = await sessions.withSession(number);
    assert.deepEqual((await committed([own])).committed, new Set([own]));
  });
});
