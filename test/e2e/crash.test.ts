/**
 * kill -9 of the provider and of the CLI in the middle of an `up` through the engine. Every place where a run can break
 * off is tried, without the engine, in `test/integration/provider/crash.test.ts`; here are those where the engine makes
 * a difference: what it has recorded, its lock on the stack, and the provider that outlives it.
 */
import assert from "node:assert/strict";
import type { Client } from "pg";
import { catalogSnapshot } from "../support/catalog-snapshot";
import { describeOnNewest, type TestDatabase, testMajors } from "../support/postgres";
import { endLeftovers, isProvider, processesOf } from "../support/processes-of-stack";
import { TestStack } from "../support/stack";
import type { Program, State, UpWithoutEngine } from "../support/without-engine";

const { upWithoutEngine } = require("../support/without-engine") as { upWithoutEngine: UpWithoutEngine };

type Target = "provider" | "engine";

interface Kill {
  target: Target;
  /** As in `PGPARTITION_FAULT`; passes are counted from the provider's start. */
  place: string;
}

/** In the transaction that makes the table, and in the one that makes its partitions. */
const FIRST: Kill[] = [
  { target: "engine", place: "betweenStatements:3" },
  { target: "provider", place: "beforeCommit:2" },
];

/** Partitions come, leave by DETACH CONCURRENTLY and are dropped: in the middle of each. */
const LATER: (Kill & { asOf: string })[] = [
  { asOf: "2026-12", target: "provider", place: "afterTransaction:2" },
  { asOf: "2027-02", target: "engine", place: "beforeCommit:1" },
  { asOf: "2027-04", target: "provider", place: "betweenStatements:7" },
  { asOf: "2027-06", target: "engine", place: "afterTransaction:3" },
];

/** One of each on this version only: what the others differ in is tried without the engine. */
const EVERY_KILL = Math.max(...testMajors());

const table = {
  columns: [
    { name: "id", type: "bigint", nullable: false },
    { name: "created_at", type: "timestamptz", nullable: false },
    { name: "payload", type: "text" },
  ],
  primaryKey: ["id", "created_at"],
  indexes: [{ name: "events_payload", columns: ["payload"] }],
};
const partitionBy = { range: { column: "created_at", every: "month", type: "timestamptz" } };

/** 2026-01 to 2026-12 at 2026-10; two months later two come, two are detached, and those detached before are dropped. */
const policy = (asOf: string) => ({
  window: { from: "2026-01", ahead: 2 },
  asOf,
  lifecycle: [
    { after: "9 months", tier: "detached" },
    { after: "11 months", tier: "dropped" },
  ],
});

const program = (schema: string, asOf: string) => `
new pgp.PartitionedTable("${schema}", ${JSON.stringify({ schema, table: "events", ...table, partitionBy, ...policy(asOf) })}, { provider });
`;

const calm = (asOf: string): Program => ({
  table: { schema: "calm", name: "events", ...table, partitionBy },
  set: { schema: "calm", table: "events", partitionBy, ...policy(asOf) },
});

describeOnNewest("kill -9 in the middle of an up", (server) => {
  let database: TestDatabase;
  let client: Client;
  let stack: TestStack;
  let undisturbed: State = {};
  const declared: string[] = [];

  before(async () => {
    database = await server().createDatabase();
    client = await database.client();
    await client.query("CREATE SCHEMA calm");
    stack = await TestStack.create({ database: database.connection, program: "" });
  });
  after(async () => {
    if (stack !== undefined) endLeftovers(stack);
    await stack?.remove();
    await database?.drop();
  });

  const killed = async ({ target, place }: Kill): Promise<void> => {
    const up = await stack.up({ PGPARTITION_FAULT: place, PGPARTITION_FAULT_TARGET: target });
    if (target === "engine") assert.equal(up.signal, "SIGKILL", up.output);
    else assert.notEqual(up.code, 0, up.output);
    await providerEnds(client, stack);
    endLeftovers(stack);
    if (target === "engine") await stack.mustRun(["cancel", "--yes"]);
  };

  const same = async (schema: string) =>
    assert.deepEqual(await catalogSnapshot(client, schema), await catalogSnapshot(client, "calm"));

  it("that makes a table and 12 partitions: the provider and its sessions end, and the next up ends as if undisturbed", async () => {
    undisturbed = await upWithoutEngine(database.connection, calm("2026-10"), undisturbed);
    const kills = server().major === EVERY_KILL ? FIRST : FIRST.slice(0, 1);
    for (const [index, kill] of kills.entries()) {
      const schema = `kill_${index}`;
      await client.query(`CREATE SCHEMA ${schema}`);
      declared.push(program(schema, "2026-10"));
      await stack.setProgram(declared.join(""));
      await killed(kill);
      await stack.mustUp();
      await same(schema);
    }
  });

  it("that makes, detaches and drops partitions with rows: the next up ends as if undisturbed, and the one after it has nothing to do", async () => {
    const rows = "SELECT g, timestamptz '2026-01-01 Z' + g * interval '1 day', 'x' FROM generate_series(0, 364) g";
    await client.query(`INSERT INTO kill_0.events ${rows}; INSERT INTO calm.events ${rows}`);
    for (const kill of server().major === EVERY_KILL ? LATER : LATER.slice(0, 2)) {
      undisturbed = await upWithoutEngine(database.connection, calm(kill.asOf), undisturbed);
      declared[0] = program("kill_0", kill.asOf);
      await stack.setProgram(declared.join(""));
      await killed(kill);
      await stack.mustUp();
      await same("kill_0");
    }
    const second = await stack.run(["preview", "--expect-no-changes"]);
    assert.equal(second.code, 0, second.output);
  });
});

/** A provider without its engine ends by itself, and its sessions with it. */
async function providerEnds(client: Client, stack: TestStack): Promise<void> {
  for (;;) {
    const { rows } = await client.query(
      "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'pulumi-pgpartition'",
    );
    if (rows.length === 0 && !processesOf(stack).some(isProvider)) return;
  }
}
