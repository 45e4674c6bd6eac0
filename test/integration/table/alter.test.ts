/** Changes of a populated tree: what PostgreSQL reads, what is locked, what the application notices, what a bad row does. */

import assert from "node:assert/strict";
import type { Client } from "pg";
import { DEFAULT_LADDER } from "../../../postgres/ladder";
import { dropTable } from "../../../postgres/table/apply";
import { NO_CHANGE, type TableChange } from "../../../postgres/table/change";
import { queryable } from "../../../postgres/table/client";
import { underLadder } from "../../../provider/table/locks";
import type { DeclaredTable } from "../../../topology/table/model";
import { describeOnEachPostgres, type TestDatabase } from "../../support/postgres";
import { startTraffic } from "../../support/traffic";
import { openForEachTest } from "../postgres/opened";
import { expectPredictedLocks } from "../postgres/predicted-locks";
import { constraintsOf, converge, createTree, planFor, read, scans, tree, withContext } from "./trees";

const CHECK = { name: "amount_positive", expression: "amount > 0" };
const KEY = { name: "tree_account", columns: ["account"], references: { table: "account", columns: ["id"] } };
const TO_PARTED = { ...KEY, references: { table: "parted", columns: ["id"] } };
/** One step of the ladder, the pause of the slowest reader, and what a busy machine may add. */
const LIMIT_MS = Math.max(...DEFAULT_LADDER.steps) + 1000;
const LEAVES = ["t1", "t2a", "t2b", "t3", "td"];

/** Each brings the tree of `createTree` to something else, and reads every row for it. */
const READING: Record<string, () => DeclaredTable> = {
  "NOT NULL": () => tree({}, { amount: { nullable: false } }),
  "a check": () => tree({ checks: [CHECK] }),
  "a check without a name": () => tree({ checks: [{ expression: "amount > 0 AND note IN ('a', 'b') IS NOT NULL" }] }),
  "a foreign key": () => tree({ foreignKeys: [KEY] }),
  "a foreign key without a name": () =>
    tree({ foreignKeys: [{ columns: ["account"], references: { table: "account" }, onDelete: "cascade" }] }),
  "a foreign key to a table with partitions": () => tree({ foreignKeys: [TO_PARTED] }),
};

/** A moment's work, whatever the number of rows. */
const INSTANT: Record<string, () => DeclaredTable> = {
  "a column with a constant default": () => withColumn({ nullable: false, default: "3", comment: "c", statistics: 5 }),
  "a nullable column": () => withColumn({}),
  "DROP NOT NULL": () => tree({}, { id: { nullable: true } }),
  "a default": () => tree({}, { note: { default: "'none'" } }),
  "a longer varchar": () => tree({}, { note: { type: "varchar(50)" } }),
  "text for varchar": () => tree({}, { note: { type: "text" } }),
  "another owner": () => tree({ owner: "pg_monitor" }),
};

function withColumn(more: Record<string, unknown>): DeclaredTable {
  const plain = tree();
  return tree({ columns: [...(plain.columns ?? []), { name: "extra", type: "int", ...more }] });
}

const statementsOf = ({ statements, alterations }: TableChange) => [
  ...statements,
  ...alterations.flatMap(({ begin, pieces, finish }) => [
    ...begin,
    ...pieces.flatMap((piece) => piece.statements),
    ...finish,
  ]),
];

describeOnEachPostgres("changing a populated parent", (server) => {
  let database: TestDatabase;
  let client: Client;

  openForEachTest(server, (opened) => {
    ({ database, client } = opened);
  });
  beforeEach(async () => {
    await createTree(client);
  });

  for (const [what, table] of Object.entries(READING)) {
    it(`reads each partition once, by itself, for ${what}; then nothing is left to do`, async () => {
      const { statements, refused, alterations } = await planFor(client, table());
      assert.deepEqual([statements, refused], [[], []]);
      const names = alterations.map(({ pieces }) => pieces.map(({ partition }) => partition.name));
      assert.deepEqual(names, [LEAVES]);
      const found = await scans(client, async () => assert.deepEqual(await converge(client, table()), []));
      assert.deepEqual(found, what.startsWith("a foreign key") ? LEAVES.map(() => "foreign key") : LEAVES);
      assert.deepEqual(await planFor(client, table()), NO_CHANGE);
      const left = await constraintsOf(client);
      assert.deepEqual(
        left.filter((line) => /pgpartition_| not valid/.test(line)),
        [],
      );
      assert.deepEqual(
        left.filter((line) => line.endsWith(" own") && !line.startsWith("tree ")),
        [],
      );
    });
  }

  for (const [what, table] of Object.entries({ ...READING, ...INSTANT })) {
    it(`locks what is said for ${what}`, async () => {
      await expectPredictedLocks(database, statementsOf(await planFor(client, table())));
      assert.deepEqual(await planFor(client, table()), NO_CHANGE);
    });
  }

  for (const [what, table] of Object.entries(INSTANT)) {
    it(`reads and rewrites nothing for ${what}`, async () => {
      assert.deepEqual(await scans(client, () => converge(client, table())), []);
      assert.deepEqual(await planFor(client, table()), NO_CHANGE);
    });
  }

  const BAD: Record<string, { table: () => DeclaredTable; row: string; kept?: (major: number) => string[] }> = {
    "NOT NULL": { table: READING["NOT NULL"]!, row: "(0, 17, 'bad', NULL, 1)" },
    "a check": { table: READING["a check"]!, row: "(0, 17, 'bad', -1, 1)" },
    "a foreign key": {
      table: READING["a foreign key"]!,
      row: "(0, 17, 'bad', 1, 99)",
      // Their own, and harmless: the rows there are as they should be.
      kept: (major) => (major < 18 ? ["t1 tree_account own", "t2a tree_account own"] : []),
    },
  };

  for (const [what, { table, row, kept }] of Object.entries(BAD)) {
    it(`names the partition and the rows in the way of ${what}, takes back what was begun, and does the rest`, async () => {
      await client.query(`INSERT INTO tree VALUES ${row}`);
      const wanted = { ...table(), comment: "the rest", owner: "pg_monitor" };
      const [failure, ...more] = await converge(client, wanted);
      assert.ok(failure && more.length === 0);
      assert.match(failure.reason, /on "public"\."t2b": .*SQLSTATE 23/);
      assert.match(failure.reason, /What was begun has been taken back\./);
      const query = /Rows in the way: (.*?);/.exec(failure.reason)?.[1];
      const { rows } = await client.query(query ?? "");
      assert.deepEqual(
        rows.map(({ partition, note }) => [partition, note]),
        [["t2b", "bad"]],
      );
      assert.deepEqual(await constraintsOf(client), kept?.(server().major) ?? []);
      const left = await planFor(client, wanted);
      assert.deepEqual(
        left.alterations.map(({ difference }) => difference.path),
        [failure.difference.path],
      );
      await client.query("DELETE FROM tree WHERE note = 'bad'");
      assert.deepEqual(await converge(client, wanted), []);
      assert.deepEqual(await planFor(client, wanted), NO_CHANGE);
    });
  }

  it("exchanges a check in one moment, after the new one is proven", async () => {
    await converge(client, READING["a check"]!());
    const table = tree({ checks: [{ ...CHECK, expression: "amount > -5" }] });
    assert.deepEqual(await scans(client, () => converge(client, table)), LEAVES);
    assert.deepEqual(await planFor(client, table), NO_CHANGE);
    const names = (await constraintsOf(client)).map((line) => line.split(" ")[1]);
    assert.deepEqual(new Set(names), new Set([CHECK.name]));
    const another = tree({ checks: [{ ...CHECK, expression: "amount > -6" }] });
    await expectPredictedLocks(database, statementsOf(await planFor(client, another)));
  });

  it("gives a check and a foreign key their declared names", async () => {
    await converge(client, tree({ checks: [CHECK], foreignKeys: [KEY] }));
    const renamed = tree({ checks: [{ ...CHECK, name: "other" }], foreignKeys: [{ ...KEY, name: "another" }] });
    await expectPredictedLocks(database, statementsOf(await planFor(client, renamed)));
    assert.deepEqual(await planFor(client, renamed), NO_CHANGE);
  });

  it("validates what somebody has left NOT VALID, and reads only what is not proven", async () => {
    await client.query(`
      ALTER TABLE tree ADD CONSTRAINT ${CHECK.name} CHECK (${CHECK.expression}) NOT VALID;
      ALTER TABLE t2a VALIDATE CONSTRAINT ${CHECK.name}`);
    const rest = LEAVES.filter((name) => name !== "t2a");
    assert.deepEqual(await scans(client, () => converge(client, READING["a check"]!())), rest);
    assert.deepEqual(await planFor(client, READING["a check"]!()), NO_CHANGE);
  });

  it("does not take back a constraint that was there before", async () => {
    await client.query(`
      INSERT INTO tree VALUES (0, 17, 'bad', -1, 1);
      ALTER TABLE tree ADD CONSTRAINT ${CHECK.name} CHECK (${CHECK.expression}) NOT VALID`);
    const [failure] = await converge(client, READING["a check"]!());
    assert.ok(failure && !failure.reason.includes("taken back"));
    assert.ok((await constraintsOf(client)).includes(`t2b ${CHECK.name} not valid`));
  });

  it("takes away what an interrupted run has begun and nobody declares any more", async () => {
    await client.query(
      `ALTER TABLE tree ADD CONSTRAINT pgpartition_not_null_amount CHECK (amount IS NOT NULL) NOT VALID`,
    );
    const change = await planFor(client, tree());
    await expectPredictedLocks(database, change.statements);
    assert.deepEqual(await constraintsOf(client), []);
    assert.deepEqual(await planFor(client, tree()), NO_CHANGE);
  });

  it("goes on with a partition that was attached meanwhile", async () => {
    const [alteration] = (await planFor(client, READING["NOT NULL"]!())).alterations;
    for (const { sql } of alteration!.begin) await client.query(sql);
    await client.query(`
      CREATE TABLE t4 (LIKE tree INCLUDING ALL); ALTER TABLE tree ATTACH PARTITION t4 FOR VALUES FROM (100) TO (110);
      CREATE TABLE t5 PARTITION OF tree FOR VALUES FROM (110) TO (120)`);
    assert.deepEqual(await scans(client, () => converge(client, READING["NOT NULL"]!())), LEAVES);
    assert.deepEqual(await planFor(client, READING["NOT NULL"]!()), NO_CHANGE);
  });

  it("uses the foreign keys that partitions have, and reads the others only", async () => {
    await client.query(`
      ALTER TABLE t1 ADD CONSTRAINT mine FOREIGN KEY (account) REFERENCES account;
      ALTER TABLE t2a ADD CONSTRAINT mine FOREIGN KEY (account) REFERENCES account NOT VALID;
      ALTER TABLE t2b ADD CONSTRAINT unlike FOREIGN KEY (account) REFERENCES account ON DELETE CASCADE`);
    const found = await scans(client, () => converge(client, READING["a foreign key"]!()));
    assert.equal(found.length, LEAVES.length - 1);
    assert.deepEqual(await planFor(client, READING["a foreign key"]!()), NO_CHANGE);
    const { rows } = await client.query(
      "SELECT count(*)::int AS own FROM pg_constraint WHERE conrelid = 't2a'::regclass AND contype = 'f'",
    );
    assert.deepEqual(rows, [{ own: 1 }]);
  });

  it("does not mind, lock or lose a table that references it", async () => {
    await client.query(`
      ALTER TABLE tree ADD PRIMARY KEY (id, k);
      CREATE TABLE entry (tree_id bigint, k int, FOREIGN KEY (tree_id, k) REFERENCES tree);
      INSERT INTO entry VALUES (3, 3), (17, 17)`);
    const key = { primaryKey: ["id", "k"] };
    assert.deepEqual(await planFor(client, tree(key)), NO_CHANGE);
    const table = tree({ ...key, checks: [CHECK], foreignKeys: [KEY] }, { amount: { nullable: false } });
    await expectPredictedLocks(database, statementsOf(await planFor(client, table)));
    assert.deepEqual(await planFor(client, table), NO_CHANGE);
    const change = await planFor(client, tree(key, { id: { type: "int" } }));
    assert.deepEqual(change.refused.map(({ difference }) => difference.path)[0], "columns[0].type");
    await assert.rejects(dropTable(client, await read(client, table), "drop"), { code: "2BP01" });
    await assert.rejects(client.query("DELETE FROM tree WHERE id = 3"), { code: "23503" });
  });

  it("refuses a type that rewrites, and one that would rebuild what stands on the column", async () => {
    await client.query("CREATE INDEX leaf_index ON t2a (note)");
    const change = await planFor(client, tree({}, { note: { type: "varchar(50)" }, amount: { type: "bigint" } }));
    assert.deepEqual([change.statements, change.alterations], [[], []]);
    const reasons = change.refused.map(({ difference, reason }) => `${difference.path}: ${reason}`);
    assert.match(reasons[0] ?? "", /^columns\[2\]\.type: .*index (public\.)?leaf_index/);
    assert.match(reasons[1] ?? "", /^columns\[3\]\.type: .*rewrites every partition/);
  });

  it("lets readers and writers of every partition go on, beside long transactions on one of them", async () => {
    await client.query("INSERT INTO tree SELECT g, g % 40, 'n', 1 + g, 1 + g % 10 FROM generate_series(101, 20000) g");
    await client.query("CREATE SEQUENCE numbers START 100000");
    const traffic = await startTraffic(
      database,
      [
        ["SELECT count(*) FROM tree WHERE k BETWEEN 5 AND 25", "SELECT count(*) FROM account"],
        ["INSERT INTO tree SELECT nextval('numbers'), n % 40, 'w', 1, 1 + n % 10 FROM generate_series(1, 40) n"],
        ["UPDATE tree SET amount = amount + 1 WHERE id % 97 = 0", "UPDATE account SET id = id WHERE id = 3"],
        ["BEGIN", "SELECT count(*) FROM t2a", "SELECT pg_sleep(0.2)", "COMMIT"],
      ],
      LIMIT_MS,
    );
    const table = tree(
      { checks: [CHECK], foreignKeys: [KEY], owner: "pg_monitor" },
      { amount: { nullable: false }, note: { type: "varchar(60)" } },
    );
    const failures = await withContext(database, (context, session) =>
      converge(queryable(session), table, underLadder(context, session)),
    );
    const report = await traffic.stop();
    assert.deepEqual([failures, report.failures], [[], []]);
    assert.ok(report.statements > 0);
    assert.deepEqual(await planFor(client, table), NO_CHANGE);
  });
});
