/** Tables that were detached below a partition which is gone: nobody's any more, kept, and told of. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import { describeOnEachPostgres } from "../../support/postgres";
import { sessionsOn } from "../postgres/support";
import { SetUnderTest } from "./support";

/** Both keys are dates, so that a bound of the level below can be read as one of the level above. */
const invoices = (every: string, asOf: string, more = {}) => ({
  schema: "app",
  table: "invoices",
  partitionBy: { range: { column: "made", type: "date", every } },
  window: { from: "2026-04", ahead: 0 },
  asOf,
  ...more,
  subPartitionBy: {
    partitionBy: { range: { column: "due", type: "date", every: "quarter" } },
    window: { from: "2026-01", ahead: 0 },
    asOf: "2026-06",
  },
});

describeOnEachPostgres("tables detached below a partition that is gone", (server) => {
  async function withTable(work: (client: Client, set: SetUnderTest) => Promise<void>): Promise<void> {
    const database = await server().createDatabase();
    const sessions = sessionsOn(database.connection);
    try {
      const client = await database.client();
      await client.query(
        "CREATE SCHEMA app; CREATE TABLE app.invoices (made date NOT NULL, due date NOT NULL) PARTITION BY RANGE (made)",
      );
      await work(client, new SetUnderTest(sessions));
    } finally {
      await sessions.close();
      await database.drop();
    }
  }

  const lifecycle = [{ after: "1 month", tier: "dropped" }];

  it("are kept and told of, and no rule of the level above is applied to their bound", () =>
    withTable(async (client, set) => {
      await set.settle(invoices("month", "2026-06"));
      await client.query("INSERT INTO app.invoices VALUES ('2026-06-15', '2026-01-15'), ('2026-06-15', '2026-06-15')");
      await client.query("ALTER TABLE app.invoices_2026_06 DETACH PARTITION app.invoices_2026_06_2026_q1");
      const merged = await set.up(invoices("quarter", "2026-06"));
      assert.deepEqual(merged.done, ["reorganize:invoices_2026_q2"]);
      assert.match(
        merged.findings.join(),
        /invoices_2026_06_2026_q1 is detached .* of invoices_2026_06, which this update/,
      );
      const recorded = (set.outputs.partitions as Record<string, unknown>).invoices_2026_06_2026_q1;
      const bound = { from: "2026-01-01", to: "2026-04-01" };
      assert.deepEqual(recorded, { ...bound, tier: "detached", wasPartitionOf: "invoices_2026_06" });
      // The window of the level above begins before the bound of the level below, and all of it is older than is kept.
      const old = { lifecycle, window: { from: "2025-10", ahead: 0 } };
      await set.up(invoices("quarter", "2026-06", old));
      const later = invoices("quarter", "2026-09", { ...old, window: { from: "2026-01", ahead: 0 } });
      const { done, findings } = await set.up(later);
      assert.deepEqual(
        done.filter((id) => id.includes("invoices_2026_06")),
        [],
      );
      assert.match(findings.join(), /invoices_2026_06_2026_q1 is detached .* of invoices_2026_06, which is gone/);
      assert.deepEqual(set.diff(later), []);
      const { rows } = await client.query("SELECT made::text FROM app.invoices_2026_06_2026_q1");
      assert.deepEqual(rows, [{ made: "2026-06-15" }]);
    }));
});
