/** A populated table changes its columns, constraints and indexes through the engine, beside the application. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import { DEFAULT_LADDER } from "../../postgres/ladder";
import { describeOnOldestAndNewest, type TestDatabase } from "../support/postgres";
import { TestStack } from "../support/stack";
import { startTraffic } from "../support/traffic";

/** One step of the ladder, and what a busy machine may add. */
const LIMIT_MS = Math.max(...DEFAULT_LADDER.steps) + 1000;

const KEY = '{ columns: ["account"], references: { table: "account", columns: ["id"] }, onDelete: "cascade" }';

interface Shape {
  columns: string[];
  more: string;
}

const BEFORE: Shape = {
  columns: ['name: "note", type: "varchar(20)"', 'name: "amount", type: "int"', 'name: "account", type: "int"'],
  more: "",
};

const AFTER: Shape = {
  columns: [
    'name: "note", type: "varchar(40)", default: "\'none\'"',
    'name: "amount", type: "int", nullable: false, comment: "in cents"',
    'name: "account", type: "int", statistics: 200',
    'name: "kind", type: "text", nullable: false, default: "\'plain\'"',
  ],
  more: `
    checks: [{ name: "amount_positive", expression: "amount > 0" }],
    foreignKeys: [${KEY}],
    unique: [{ columns: ["id", "amount", "at"] }],
    indexes: [{ name: "events_kind", columns: ["kind", "at"] }],
    owner: "pg_monitor",
    comment: "all events",`,
};

const program = ({ columns, more }: Shape) => `
new pgp.PartitionedTable("events", {
  columns: [
    { name: "id", type: "bigint", nullable: false },
    { name: "at", type: "timestamptz", nullable: false },
    ${columns.map((column) => `{ ${column} }`).join(", ")},
  ],
  primaryKey: ["id", "at"],
  partitionBy: { range: { column: "at", every: "month" } },
  window: { from: "2026-01", ahead: 1 },
  asOf: "2026-02",${more}
}, { provider });`;

/** What changes anything; the temporary tables by which declarations are read back are nobody else's. */
const CHANGING = /^(ALTER|CREATE|DROP|LOCK|COMMENT|ANALYZE) (?!TEMP)(?!.*pg_temp)/;

describeOnOldestAndNewest("a populated parent through the engine", (server) => {
  let database: TestDatabase;
  let client: Client;
  let stack: TestStack;

  before(async () => {
    database = await server().createDatabase();
    client = await database.client();
    await client.query(`
        CREATE TABLE account (id int PRIMARY KEY);
        INSERT INTO account SELECT generate_series(1, 10);
        CREATE SEQUENCE numbers START 100000`);
    stack = await TestStack.create({ database: database.connection, program: program(BEFORE) });
    await stack.mustUp();
    await client.query(`
        INSERT INTO events SELECT g, timestamptz '2026-01-02Z' + (g % 80) * interval '1 day', 'n', 1 + g, 1 + g % 10
        FROM generate_series(1, 5000) g;
        ANALYZE`);
  });
  after(async () => {
    await stack?.remove();
    await database?.drop();
  });

  async function noChanges(): Promise<void> {
    const { code, output } = await stack.run(["preview", "--refresh", "--expect-no-changes"]);
    assert.equal(code, 0, output);
  }

  it("a row in the way is named, nothing stays half done, and everything else is done", async () => {
    await client.query("INSERT INTO events VALUES (0, '2026-02-03Z', 'bad', -1, 1)");
    await stack.setProgram(
      program({ ...BEFORE, more: AFTER.more.replace(/\n.*(unique|indexes|foreignKeys|owner).*/g, "") }),
    );
    const failed = await stack.up();
    assert.notEqual(failed.code, 0);
    assert.match(failed.output, /checks\[0\]: .*amount_positive" on "public"\."events_2026_02": .*SQLSTATE 23514/);
    assert.match(failed.output, /SELECT tableoid::regclass AS partition, \* FROM "public"\."events" WHERE/);
    const { rows } = await client.query(`
        SELECT count(*)::int AS checks, obj_description('events'::regclass) AS comment
        FROM pg_constraint WHERE conname = 'amount_positive'`);
    assert.deepEqual(rows, [{ checks: 0, comment: "all events" }]);
    await client.query("DELETE FROM events WHERE id = 0");
  });

  it("the preview shows exactly the statements that are executed, and how much they read", async () => {
    await stack.setProgram(program(AFTER));
    const { diagnostics, output } = await stack.preview();
    const text = diagnostics.map(({ message }) => message).join("\n");
    const previewed = text
      .split("\n")
      .filter((line) => /^ +[A-Z]+ /.test(line))
      .map((line) => line.trim())
      .filter((line) => CHANGING.test(line));
    assert.match(text, /columns\[3\]\.nullable: NOT NULL on "amount": reads 3 partitions \(≈5,\d{3} rows, /);
    assert.match(text, /lock: SHARE UPDATE EXCLUSIVE on "public"\."events_2026_01", for a scan: blocks neither/);
    await database.logStatements();
    const traffic = await startTraffic(
      database,
      [
        ["SELECT count(*) FROM events", "SELECT count(*) FROM account"],
        ["INSERT INTO events SELECT n, '2026-02-05Z', 'w', n, 1 FROM (SELECT nextval('numbers') AS n) AS one"],
        ["UPDATE events SET account = 4 WHERE id % 97 = 0", "UPDATE account SET id = id WHERE id = 3"],
      ],
      LIMIT_MS,
    );
    const up = await stack.up();
    const report = await traffic.stop();
    assert.equal(up.code, 0, up.output);
    assert.deepEqual(report.failures, []);
    const log = await database.statementLog();
    const executed = log
      .filter(({ applicationName, sql }) => applicationName === "pulumi-pgpartition" && CHANGING.test(sql))
      .map(({ sql }) => sql);
    // Those that only a row in the way would bring are shown as such.
    const conditional = previewed.filter((sql) => / DROP CONSTRAINT /.test(sql) && !executed.includes(sql));
    assert.deepEqual(
      [...new Set(executed)].sort(),
      [...new Set(previewed)].filter((sql) => !conditional.includes(sql)).sort(),
      output,
    );
    assert.ok(executed.length > 20);
  });

  it("leaves nothing to do, and every partition as a new one would be", async () => {
    await noChanges();
    const { rows } = await client.query(`
        SELECT c.relname, count(*)::int AS constraints, bool_and(k.convalidated) AS valid,
          (SELECT attnotnull FROM pg_attribute WHERE attrelid = c.oid AND attname = 'amount') AS amount,
          pg_get_userbyid(c.relowner) AS owner
        FROM pg_class c JOIN pg_constraint k ON k.conrelid = c.oid
        WHERE c.relname LIKE 'events_2026\\_%' AND c.relkind = 'r' AND k.contype IN ('c', 'f', 'u', 'p')
        GROUP BY c.oid, c.relname, c.relowner ORDER BY 1`);
    const expected = { constraints: 4, valid: true, amount: true, owner: "pg_monitor" };
    assert.deepEqual(
      rows,
      ["01", "02", "03"].map((month) => ({ relname: `events_2026_${month}`, ...expected })),
    );
  });

  it("goes on after the provider was killed between two partitions", async () => {
    const shape = { ...AFTER, more: AFTER.more.replace("amount > 0", "amount > -7") };
    await stack.setProgram(program(shape));
    const killed = await stack.up({ PGPARTITION_FAULT: "afterTransaction:2" });
    assert.notEqual(killed.code, 0);
    const state = async () => {
      const { rows } = await client.query(
        "SELECT conname, convalidated AS valid FROM pg_constraint WHERE conrelid = 'events'::regclass AND contype = 'c' ORDER BY 1",
      );
      return rows;
    };
    assert.deepEqual(await state(), [
      { conname: "amount_positive", valid: true },
      { conname: "pgpartition_check_amount_positive", valid: false },
    ]);
    await stack.run(["cancel", "--yes"]);
    await stack.mustUp();
    assert.deepEqual(await state(), [{ conname: "amount_positive", valid: true }]);
    await noChanges();
  });
});
