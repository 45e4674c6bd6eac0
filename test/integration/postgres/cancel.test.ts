/** Ctrl-C while a CHECK keeps rows out of DEFAULT: whatever statement it meets, the CHECK does not stay behind. */
import assert from "node:assert/strict";
import { atTheGate, awayFromTheGate, makeGate, openGate } from "../../support/gate";
import { describeOnEachPostgres } from "../../support/postgres";
import { carryOut, childrenOf, QUICK, range, step, withFamily } from "./support";

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
        await atTheGate(client);
        controller.abort();
        // As the provider does it.
        await sessions.cancelAll();
        if (!attached) await awayFromTheGate(client);
        await openGate(client);
        const report = await running;
        assert.deepEqual(report.failed, []);
        assert.ok(report.done.includes("unguardDefault:d"), JSON.stringify(report));
        assert.equal((await childrenOf(client)).length, attached ? 4 : 3);
        const { rows } = await client.query("SELECT FROM pg_constraint WHERE conname = 'pgpartition_guard'");
        assert.equal(rows.length, 0);
      }));
  }
});
