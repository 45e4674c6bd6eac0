/** What subscribers see of a restore. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Sessions } from "../../../postgres/connection";
import { testMajors, withServer } from "../../support/postgres";
import { SetUnderTest } from "../tree/support";

const SETTINGS = { wal_level: "logical", max_replication_slots: "4", max_wal_senders: "4" };

describe("a restore beside publications", () => {
  it("is seen through one of all tables, and not through one of the parent", async function () {
    this.timeout(0);
    const [major = 18] = testMajors().slice(-1);
    const directory = await mkdtemp(join(tmpdir(), "archive-test-"));
    await withServer(major, "publications", SETTINGS, async (server) => {
      const database = await server.createDatabase();
      const client = await database.client();
      const { user: username, ...rest } = database.connection;
      const sessions = new Sessions({ ...rest, username });
      const program = (tier: string) => ({
        table: "events",
        partitionBy: { range: { column: "at", type: "date" } },
        partitions: { events_2026: { from: "2026-01-01", to: "2027-01-01", tier } },
        archive: { store: `file://${directory}` },
      });
      await client.query("CREATE TABLE events (id int NOT NULL, at date NOT NULL) PARTITION BY RANGE (at)");
      await client.query("CREATE PUBLICATION parent FOR TABLE events; CREATE PUBLICATION everything FOR ALL TABLES");
      const stack = new SetUnderTest(sessions);
      await stack.settle(program("live"));
      await client.query("INSERT INTO events SELECT i, '2026-01-01'::date + i FROM generate_series(1, 100) AS i");
      await stack.settle(program("archived"));
      const slots = ["parent", "everything"];
      for (const slot of slots) await client.query("SELECT pg_create_logical_replication_slot($1, 'pgoutput')", [slot]);
      await stack.settle(program("live"));
      const inserted = async (slot: string) => {
        const { rows } = await client.query(
          `SELECT count(*)::int AS n FROM pg_logical_slot_get_binary_changes('${slot}', NULL, NULL, 'proto_version', '1', 'publication_names', '${slot}')
           WHERE get_byte(data, 0) = ascii('I')`,
        );
        await client.query("SELECT pg_drop_replication_slot($1)", [slot]);
        return rows[0].n;
      };
      assert.deepEqual([await inserted("parent"), await inserted("everything")], [0, 100]);
      await sessions.close();
      await database.drop();
    });
    await rm(directory, { recursive: true });
  });
});
