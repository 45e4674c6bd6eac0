/** Ctrl-C while `up` waits for somebody's lock. */
import assert from "node:assert/strict";
import { describeOnNewest } from "../support/postgres";
import { isProvider, processesOf } from "../support/processes-of-stack";
import { collect, TestStack } from "../support/stack";

const program = (asOf: string) => `
new pgp.PartitionedTable("events", {
  columns: [
    { name: "id", type: "bigint", nullable: false },
    { name: "created_at", type: "timestamptz", nullable: false },
  ],
  partitionBy: { range: { column: "created_at", every: "month" } },
  window: { from: "2026-01", ahead: 1 },
  asOf: "${asOf}",
  lifecycle: [{ after: "9 months", tier: "detached" }],
}, { provider });
`;

const CHILDREN = `SELECT string_agg(right(c.relname, 7), ' ' ORDER BY c.relname) AS months
  FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'events'::regclass`;

const SESSIONS = `SELECT a.pid, l.pid IS NOT NULL AS locked FROM pg_stat_activity a
  LEFT JOIN pg_locks l ON l.pid = a.pid AND l.locktype = 'advisory' AND l.granted
  WHERE a.datname = current_database() AND a.application_name = 'pulumi-pgpartition'`;

describeOnNewest("Ctrl-C while up waits for a lock", (server) => {
  it("ends it with what was done and what was not, leaves no session, and the next up does the rest", async () => {
    const database = await server().createDatabase();
    const stack = await TestStack.create({ database: database.connection, program: program("2026-06") });
    try {
      await stack.mustUp();
      const client = await database.client();
      const months = async () => (await client.query<{ months: string }>(CHILDREN)).rows[0]?.months.split(" ");
      await stack.setProgram(program("2026-11"));

      // New partitions are made beside a reader; only the detach has to wait for it.
      const reader = await database.client("reader");
      await reader.query("BEGIN; SELECT FROM events");
      const up = stack.start(["up", "--yes", "--skip-preview"]);
      const ended = collect(up);
      let waiting = false;
      while (!waiting && up.exitCode === null) waiting = (await months())?.at(-1) === "2026_12";
      up.kill("SIGINT");
      const { code, output } = await ended;
      assert.notEqual(code, 0, output);
      assert.match(output, /detach:events_2026_01 was not done\. Not done, because the run was cancelled/);
      assert.doesNotMatch(output, /create:\S+ was not done/);
      assert.deepEqual((await client.query(SESSIONS)).rows, []);
      assert.deepEqual(processesOf(stack).filter(isProvider), []);
      assert.deepEqual((await months())?.slice(0, 2), ["2026_01", "2026_02"]);

      await reader.query("COMMIT");
      const next = await stack.mustUp();
      assert.match(next.output, /1 detached/);
      assert.equal((await months())?.[0], "2026_02");
      const second = await stack.run(["preview", "--expect-no-changes"]);
      assert.equal(second.code, 0, second.output);
    } finally {
      await stack.remove();
      await database.drop();
    }
  });
});
