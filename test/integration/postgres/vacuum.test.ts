/** Partitions that are being vacuumed: an autovacuum gives way, what prevents wraparound and what a person began does not. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import { describeOnEachPostgres, type TestDatabase, withServer } from "../../support/postgres";
import {
  carryOut,
  childrenOf,
  createFamily,
  leavePending,
  oidOf,
  QUICK,
  sessionsOn,
  step,
  withFamily,
} from "./support";

/** A page at a time, so that it outlasts every test. */
const SLOW = "autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1";
const SLOW_BY_HAND = "SET vacuum_cost_delay = 100; SET vacuum_cost_limit = 1";

/** Servers of their own cost seconds each: the oldest and the newest version tell enough. */
const WITH_OWN_SERVERS = [14, 18];

async function makeLarge(client: Client, options: string): Promise<void> {
  await client.query(`CREATE TABLE s.large PARTITION OF s.p FOR VALUES FROM (1000) TO (100000) WITH (${options})`);
  await client.query("INSERT INTO s.p SELECT 1, k, 1, repeat('x', 500) FROM generate_series(1000, 9999) k");
  await client.query("DELETE FROM s.p WHERE k >= 1000 AND k % 2 = 0");
}

/** Returns when one runs. */
async function untilVacuumed(client: Client): Promise<void> {
  const running = "SELECT FROM pg_stat_progress_vacuum WHERE relid = 's.large'::regclass";
  while ((await client.query(running)).rows.length === 0) await client.query("SELECT pg_sleep(0.1)");
}

async function vacuumByHand(client: Client, database: TestDatabase): Promise<() => Promise<void>> {
  const vacuuming = await database.client("vacuuming");
  await vacuuming.query(SLOW_BY_HAND);
  const ended = assert.rejects(vacuuming.query("VACUUM s.large"), { code: "57014" });
  await untilVacuumed(client);
  return async () => {
    await client.query("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'vacuuming'");
    await ended;
    await vacuuming.end();
  };
}

describeOnEachPostgres("a partition that is being vacuumed", (server, major) => {
  for (const wraparound of WITH_OWN_SERVERS.includes(major) ? [false, true] : []) {
    const title = wraparound
      ? "to prevent wraparound: nothing is begun, and it is named"
      : "by autovacuum is detached in its stead";
    it(title, async () => {
      const settings = { autovacuum_naptime: "1", autovacuum_freeze_max_age: "100000" };
      await withServer(major, `vacuum-${major}-${wraparound}`, settings, async ({ createDatabase }) => {
        const database = await createDatabase();
        const client = await database.client();
        const sessions = sessionsOn(database.connection);
        await createFamily(client);
        const often = "autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0";
        await makeLarge(client, `${SLOW}, ${wraparound ? "autovacuum_enabled = false" : often}`);
        if (wraparound) await client.query(USE_UP_TRANSACTIONS);
        await untilVacuumed(client);
        for (const method of ["detachConcurrently", "detachPlain"] as const) {
          const detach = step(method, "large", { oid: await oidOf(client, "s.large") });
          const report = await carryOut(sessions, [detach], {
            ladder: { ...QUICK, budget: wraparound ? 1500 : 60_000 },
          });
          const reason = report.failed[0]?.error.reason ?? "";
          if (!wraparound) assert.equal(reason, "");
          else assert.match(reason, /no try was made.*autovacuum: .*\(to prevent wraparound\)/);
        }
        const large = (await childrenOf(client)).filter((child) => child.startsWith("large"));
        assert.deepEqual(large, wraparound ? ["large FOR VALUES FROM (1000) TO (100000)"] : []);
        await sessions.close();
        await database.drop();
      });
    });
  }

  it("by a person: nothing is begun, and it is named", () =>
    withFamily(server().createDatabase(), {}, async ({ client, database, sessions }) => {
      await makeLarge(client, "autovacuum_enabled = false");
      const end = await vacuumByHand(client, database);
      const detach = step("detachConcurrently", "large", { oid: await oidOf(client, "s.large") });
      const refused = await carryOut(sessions, [detach]);
      assert.match(refused.failed[0]?.error.reason ?? "", /no try was made.*application vacuuming.*VACUUM s.large/);
      await end();
      assert.deepEqual((await carryOut(sessions, [detach])).failed, []);
    }));

  it("holds up no pending detach of another one: PostgreSQL does not wait for its snapshot", () =>
    withFamily(server().createDatabase(), {}, async ({ client, database, sessions }) => {
      await makeLarge(client, "autovacuum_enabled = false");
      await leavePending(database, "c1");
      const end = await vacuumByHand(client, database);
      const report = await carryOut(sessions, [step("finalize", "c1", { oid: await oidOf(client, "s.c1") })]);
      assert.deepEqual([report.done, report.failed], [["finalizeDetach:c1"], []]);
      await end();
    }));
});

/** More transaction ids than autovacuum_freeze_max_age. */
const USE_UP_TRANSACTIONS = `
  CREATE TABLE public.used (n int);
  DO $$ BEGIN
    FOR n IN 1..100100 LOOP
      BEGIN INSERT INTO public.used VALUES (n); EXCEPTION WHEN division_by_zero THEN NULL; END;
    END LOOP;
  END $$`;
