/**
 * A stack whose tables are not where they were: nothing but reads is sent there before the move is accepted.
 * Each table has a provider of its own, so that one command tries every kind of move.
 */
import assert from "node:assert/strict";
import type { Client } from "pg";
import { partitionsOf } from "../support/partitions";
import { type Connection, describeOnNewest, type TestDatabase, testServer } from "../support/postgres";
import { type CommandResult, TestStack } from "../support/stack";

/** What becomes of each table; all but the last exist in the place that they are moved to, too. */
const MOVES = ["to_cluster", "set_to_cluster", "to_database", "recreated", "to_nothing"] as const;
type Move = (typeof MOVES)[number];

function program(places: Record<Move, Connection>, ahead: number, accept: Partial<Record<Move, string>> = {}): string {
  const tables = MOVES.map((table) => {
    const { user, ...connection } = places[table];
    const provider = JSON.stringify({ username: user, ...connection });
    const kind = table === "set_to_cluster" ? "PartitionSet" : "PartitionedTable";
    const columns = kind === "PartitionSet" ? {} : { columns: COLUMNS, primaryKey: ["id", "at"] };
    const args = JSON.stringify({
      table,
      ...POLICY,
      ...columns,
      window: { from: "2026-01", ahead },
      acceptIdentity: accept[table],
    });
    return `new pgp.${kind}("${table}", ${args}, { provider: new pgp.Provider("${table}", ${provider}) });`;
  });
  return tables.join("\n");
}

const POLICY = {
  partitionBy: { range: { column: "at", type: "date", every: "month" } },
  asOf: "2026-01",
};
const COLUMNS = [
  { name: "id", type: "bigint" },
  { name: "at", type: "date" },
];

const byHand = (table: Move) => `
  CREATE TABLE ${table} (id bigint, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
  CREATE TABLE ${table}_2026_01 PARTITION OF ${table} FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
  CREATE TABLE ${table}_2026_02 PARTITION OF ${table} FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
  INSERT INTO ${table} VALUES (1, '2026-01-05'), (2, '2026-02-05');`;

/** Reads, and what a session says about itself. */
const HARMLESS = /^\s*(?:SELECT|WITH|SHOW|SET|RESET|BEGIN|START|COMMIT|ROLLBACK|DISCARD)\b/i;

describeOnNewest("a stack whose tables are somewhere else now", (server) => {
  const databases: TestDatabase[] = [];
  let stack: TestStack;
  let moved: Record<Move, Connection>;
  let clients: Record<Move, Client>;
  const refused: Record<string, CommandResult> = {};

  before(async () => {
    const other = await testServer(server().major === 18 ? 17 : 18);
    const home = await server().createDatabase();
    const database = await server().createDatabase();
    const nothing = await server().createDatabase();
    const cluster = await other.createDatabase();
    databases.push(home, database, nothing, cluster);
    const places = { to_cluster: cluster, set_to_cluster: cluster, to_database: database };
    const targets = { ...places, recreated: home, to_nothing: nothing };
    const connections = MOVES.map((table) => [table, targets[table].connection]);
    moved = Object.fromEntries(connections) as Record<Move, Connection>;
    clients = Object.fromEntries(
      await Promise.all(MOVES.map(async (table) => [table, await targets[table].client()])),
    ) as Record<Move, Client>;

    await clients.recreated.query(byHand("set_to_cluster"));
    const before = Object.fromEntries(MOVES.map((table) => [table, home.connection])) as Record<Move, Connection>;
    stack = await TestStack.create({ program: program(before, 1) });
    await stack.mustUp();
    await clients.recreated.query(`DROP TABLE recreated; ${byHand("recreated")}`);
    for (const table of ["to_cluster", "set_to_cluster", "to_database"] as const) {
      await clients[table].query(byHand(table));
    }
    for (const one of databases) await one.logStatements();

    // One month more, so that there is something to apply.
    await stack.setProgram(program(moved, 2));
    refused.preview = await stack.run(["preview"]);
    refused.up = await stack.run(["up", "--yes", "--skip-preview", "--continue-on-error"]);
    refused.refresh = await stack.run(["refresh", "--yes", "--skip-preview"]);
    refused.destroy = await stack.run(["destroy", "--yes", "--skip-preview", "--continue-on-error"]);
  });

  after(async () => {
    await stack?.remove();
    for (const database of databases) await database.drop();
  });

  /** What was said about one resource, in the part of the output that comes last. */
  const saidOf = (command: string, resource: string): string => {
    const diagnostics = refused[command]?.output.split("\nDiagnostics:\n")[1] ?? "";
    return diagnostics.split(`pgpartition:index:${resource}:\n`)[1]?.split("\n\n")[0] ?? "";
  };

  const FOUND: Record<Move, RegExp> = {
    to_cluster: /belongs to another cluster \(system identifier\): recorded \d+, found \d+; another database/,
    set_to_cluster: /belongs to another cluster \(system identifier\): recorded \d+, found \d+; another database/,
    to_database: /belongs to another database: recorded test_\d+, found test_\d+\. Nothing was changed/,
    recreated: /belongs to a re-created table \(OID of the parent\): recorded \d+, found \d+\. Nothing was changed/,
    to_nothing: /belongs to another database: recorded test_\d+, found test_\d+, where there is no such table/,
  };

  it("is refused by preview", () => {
    assert.notEqual(refused.preview?.code, 0);
    assert.match(refused.preview?.output ?? "", /the state belongs to/);
  });

  it("is refused by up, table by table, with what differs", () => {
    assert.notEqual(refused.up?.code, 0);
    for (const table of MOVES) {
      assert.match(saidOf("up", `PartitionSet (${table})`), FOUND[table], refused.up?.output);
    }
  });

  it("is refused by refresh, for parents and for their partitions", () => {
    assert.notEqual(refused.refresh?.code, 0);
    for (const table of MOVES) {
      assert.match(saidOf("refresh", `PartitionSet (${table})`), FOUND[table], refused.refresh?.output);
      if (table === "set_to_cluster") continue;
      assert.match(saidOf("refresh", `Table (${table})`), FOUND[table], refused.refresh?.output);
    }
  });

  it("is refused by destroy, and refresh has forgotten nothing", () => {
    assert.notEqual(refused.destroy?.code, 0);
    for (const table of MOVES) {
      assert.match(saidOf("destroy", `PartitionSet (${table})`), FOUND[table], refused.destroy?.output);
    }
  });

  it("was sent nothing but reads by any of them", async () => {
    for (const database of databases) {
      const sent = await database.statements();
      assert.ok(sent.length > 0);
      assert.deepEqual(
        sent.filter((sql) => !HARMLESS.test(sql)),
        [],
      );
    }
  });

  it("is accepted by the value that the refusal names; what is there is adopted, and nothing is left to do", async () => {
    const accept = Object.fromEntries(
      MOVES.map((table) => [table, /acceptIdentity: "([^"]+)"/.exec(saidOf("up", `PartitionSet (${table})`))?.[1]]),
    );
    await stack.setProgram(program(moved, 2, accept));
    await stack.mustUp();
    const empty = await stack.run(["preview", "--refresh", "--expect-no-changes"]);
    assert.equal(empty.code, 0, empty.output);
    for (const table of MOVES) {
      const names = Object.keys(await partitionsOf(clients[table], table));
      assert.deepEqual(names, [`${table}_2026_01`, `${table}_2026_02`, `${table}_2026_03`]);
      const { rows } = await clients[table].query(`SELECT count(*)::int AS rows FROM ${table}`);
      assert.equal(rows[0].rows, table === "to_nothing" ? 0 : 2);
    }
  });

  it("is refused again by the same value when the table is re-created once more", async () => {
    await clients.to_nothing.query(`DROP TABLE to_nothing; ${byHand("to_nothing")}`);
    const again = await stack.run(["refresh", "--yes", "--skip-preview"]);
    assert.notEqual(again.code, 0);
    assert.match(again.output, FOUND.recreated);
  });
});
