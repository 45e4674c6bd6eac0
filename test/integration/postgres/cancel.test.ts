/** Ctrl-C while a CHECK keeps rows out of DEFAULT: whatever statement it meets, the CHECK does not stay behind. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import { describeOnEachPostgres } from "../../support/postgres";
import { carryOut, childrenOf, QUICK, range, step, withFamily } from "./support";

const GATE = 42;

/** DDL whose text is like `pattern` waits until the session that holds the gate lets it through. */
async function makeGate(client: Client, pattern: string): Promise<void> {
  await client.query(`
    CREATE FUNCTION s.gate() RETURNS event_trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF current_query() LIKE '${pattern}' THEN
        PERFORM pg_advisory_lock_shared(${GATE});
        PERFORM pg_advisory_unlock_shared(${GATE});
      END IF;
    END $$;
    CREATE EVENT TRIGGER gate ON ddl_command_start EXECUTE FUNCTION s.gate();
    SELECT pg_advisory_lock(${GATE});`);
}

async function waitFor(client: Client, atTheGate: number): Promise<void> {
  for (;;) {
    const { rows } = await client.query(
      "SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = $1 AND NOT granted",
      [GATE],
    );
    if (rows.length === atTheGate) return;
  }
}

describeOnEachPostgres("a cancelled run", (server) => {
  for (const [title, pattern, attached] of [
    ["while a partition is attached", "%ATTACH PARTITION%", false],
    ["while the CHECK is removed", "%DROP CONSTRAINT IF EXISTS pgpartition_guard", true],
  ] as const) {
    it(`${title} removes the CHECK from DEFAULT before it ends`, () =>
      withFamily(server().createDatabase(), { withDefault: true }, async ({ client, sessions }) => {
        await makeGate(client, pattern);
        const controller = new AbortController();
        const running = carryOut(
          sessions,
          [
            step("guard", "d", { excludes: [range("20", "30")] }),
            step("likeAttach", "c2", { bound: range("20", "30"), after: ["guardDefault:d"] }),
            step("unguard", "d", { after: ["create:c2"] }),
          ],
          { signal: controller.signal, ladder: { ...QUICK, steps: [600_000], budget: 600_000 } },
        );
        await waitFor(client, 1);
        controller.abort();
        // As the provider does it.
        await sessions.cancelAll();
        if (!attached) await waitFor(client, 0);
        await client.query("SELECT pg_advisory_unlock_all()");
        const report = await running;
        assert.deepEqual(report.failed, []);
        assert.ok(report.done.includes("unguardDefault:d"), JSON.stringify(report));
        assert.equal((await childrenOf(client)).length, attached ? 4 : 3);
        const { rows } = await client.query("SELECT FROM pg_constraint WHERE conname = 'pgpartition_guard'");
        assert.equal(rows.length, 0);
      }));
  }
});
