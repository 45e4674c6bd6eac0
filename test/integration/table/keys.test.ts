/** Indexes, unique constraints and primary keys that a populated table gets by its declaration. */

import assert from "node:assert/strict";
import type { Client } from "pg";
import { DEFAULT_LADDER } from "../../../postgres/ladder";
import { alter } from "../../../postgres/table/alter";
import { createTable } from "../../../postgres/table/apply";
import { NO_CHANGE, type RefusedChange } from "../../../postgres/table/change";
import { queryable } from "../../../postgres/table/client";
import { buildIndexes, previewWork } from "../../../provider/table/indexes";
import { underLadder } from "../../../provider/table/locks";
import { describeTable } from "../../../topology/describe/table";
import type { DeclaredTable } from "../../../topology/table/model";
import { describeOnEachPostgres, type TestDatabase } from "../../support/postgres";
import { startTraffic } from "../../support/traffic";
import { openForEachTest } from "../postgres/opened";
import { atOnce, createTree, planFor, read, tree, withContext } from "./trees";

const LIMIT_MS = Math.max(...DEFAULT_LADDER.steps) + 1000;

/** The columns of the primary key become NOT NULL as well. */
const ALL = () =>
  tree(
    {
      primaryKey: ["amount", "k"],
      unique: [{ name: "tree_note_k", columns: ["note", "k"] }],
      indexes: [{ name: "tree_account", columns: ["account"], where: "account > 3" }],
    },
    { amount: { nullable: false } },
  );

describeOnEachPostgres("keys and indexes of a populated parent", (server) => {
  let database: TestDatabase;
  let client: Client;

  openForEachTest(server, (opened) => {
    ({ database, client } = opened);
  });
  beforeEach(async () => {
    await createTree(client);
  });

  const build = (table: DeclaredTable): Promise<RefusedChange[]> =>
    withContext(database, async (context, session) => {
      const change = await planFor(queryable(session), table);
      const actual = await read(queryable(session), table);
      const underLocks = underLadder(context, session);
      const failed = await alter(queryable(session), actual, change.alterations, { underLocks });
      const missing = failed.map(({ difference }) => difference.path);
      return [...failed, ...(await buildIndexes(context, session, actual.oid, change.indexes, missing))];
    });

  it("are built beside readers and writers of every partition; then nothing is left to do", async () => {
    await client.query("CREATE SEQUENCE numbers START 100000");
    const traffic = await startTraffic(
      database,
      [
        ["SELECT count(*) FROM tree WHERE k BETWEEN 5 AND 25"],
        ["INSERT INTO tree SELECT n, n % 40, 'w' || n, n, 1 FROM (SELECT nextval('numbers') AS n) AS one"],
        ["UPDATE tree SET account = 4 WHERE id % 7 = 0"],
      ],
      LIMIT_MS,
    );
    const left = await build(ALL());
    const report = await traffic.stop();
    assert.deepEqual([left, report.failures], [[], []]);
    assert.deepEqual(await planFor(client, ALL()), NO_CHANGE);
    const { rows } = await client.query(`
      SELECT count(*)::int AS indexes, bool_and(i.indisvalid) AS valid FROM pg_index i
      JOIN pg_class t ON t.oid = i.indrelid WHERE t.relname ~ '^(tree|t.[ab]?)$'`);
    assert.deepEqual(rows, [{ indexes: 21, valid: true }]);
  });

  it("are made in their tablespace and moved to another, each index with its parts; undeclared that is not compared", async () => {
    const place = `place_of_${database.connection.database}`;
    await client.query("SET allow_in_place_tablespaces = on");
    await client.query(`CREATE TABLESPACE ${place} LOCATION ''`);
    try {
      const keys = (tablespace?: string) =>
        tree(
          {
            primaryKey: { columns: ["amount", "k"], tablespace },
            unique: [{ columns: ["note", "k"], tablespace }],
            indexes: [{ name: "tree_account", columns: ["account"], tablespace }],
          },
          { amount: { nullable: false } },
        );
      const places = async (where = "true") => {
        const { rows } = await client.query<{ line: string }>(`
          SELECT coalesce(s.spcname, 'default') || ' ' || count(*) AS line FROM pg_index i
          JOIN pg_class x ON x.oid = i.indexrelid LEFT JOIN pg_tablespace s ON s.oid = x.reltablespace
          WHERE i.indrelid::regclass::text ~ '^(tree|t.[ab]?|fresh)$' AND ${where} GROUP BY s.spcname ORDER BY 1`);
        return rows.map(({ line }) => line);
      };
      assert.deepEqual(await build(keys(place)), []);
      assert.deepEqual(await places(), [`${place} 21`]);
      assert.deepEqual(await planFor(client, keys(place)), NO_CHANGE);
      assert.deepEqual(await planFor(client, keys()), NO_CHANGE);
      const { indexes } = await planFor(client, keys("pg_default"));
      assert.deepEqual(
        indexes.map(({ difference }) => difference.path),
        ["primaryKey.tablespace", "unique[0].tablespace", "indexes[0].tablespace"],
      );
      assert.deepEqual(await build(keys("pg_default")), []);
      assert.deepEqual(await places(), ["default 21"]);
      assert.deepEqual(await planFor(client, keys("pg_default")), NO_CHANGE);
      await client.query("DROP TABLE tree");
      await createTable(client, { ...keys(place), name: "fresh" }, atOnce);
      assert.deepEqual(await places("i.indrelid = 'fresh'::regclass"), [`${place} 3`]);
      const described = describeTable(await read(client, { ...keys(), name: "fresh" }), []).properties;
      assert.deepEqual(described.primaryKey, { name: "fresh_pkey", columns: ["amount", "k"], tablespace: place });
    } finally {
      await client.query("DROP TABLE IF EXISTS tree, fresh");
      await client.query(`DROP TABLESPACE ${place}`);
    }
  });

  it("that an interrupted run has left invalid are differences, and are completed", async () => {
    await client.query("ALTER TABLE tree ALTER amount SET NOT NULL; ALTER TABLE ONLY tree ADD PRIMARY KEY (amount, k)");
    await client.query("ALTER TABLE ONLY tree ADD CONSTRAINT tree_note_k UNIQUE (note, k)");
    await client.query("CREATE INDEX tree_account ON ONLY tree (account) WHERE account > 3");
    const { indexes, refused } = await planFor(client, ALL());
    assert.deepEqual(
      indexes.map(({ difference }) => difference.path),
      ["primaryKey.valid", "unique[0].valid", "indexes[0].valid"],
    );
    assert.deepEqual(refused, []);
    assert.deepEqual(await build(ALL()), []);
    assert.deepEqual(await planFor(client, ALL()), NO_CHANGE);
  });

  it("with rows in the way name the partition and leave no unfinished index; a key waits for its columns", async () => {
    await client.query("INSERT INTO tree VALUES (0, 17, 'twice', 1000, 1), (0, 17, 'twice', NULL, 1)");
    const left = await build(ALL());
    const reasons = Object.fromEntries(left.map(({ difference, reason }) => [difference.path, reason]));
    assert.deepEqual(Object.keys(reasons), ["columns[3].nullable", "primaryKey", "unique[0]"]);
    assert.match(reasons.primaryKey ?? "", /columns\[3\]\.nullable comes first/);
    assert.match(reasons["unique[0]"] ?? "", /t2b.*23505|23505.*t2b/);
    const { rows } = await client.query(
      "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid AND indrelid = 't2b'::regclass",
    );
    assert.deepEqual(rows, []);
    await client.query("DELETE FROM tree WHERE note = 'twice'");
    assert.deepEqual(await build(ALL()), []);
    assert.deepEqual(await planFor(client, ALL()), NO_CHANGE);
  });

  it("are shown with every statement and its locks, also when their columns are still to come", async () => {
    const columns = [...(tree().columns ?? []), { name: "extra", type: "int" }];
    const table = tree({
      columns,
      indexes: [{ name: "tree_extra", columns: ["extra"] }],
      unique: [{ columns: ["id", "k"] }],
    });
    const { indexes } = await planFor(client, table);
    const texts = await withContext(database, async (_, session) => {
      const { oid } = await read(client, table);
      const shown: string[] = [];
      for (const work of indexes) shown.push((await previewWork(session, oid, work)).text);
      return shown;
    });
    assert.match(texts[0] ?? "", /unique\[0\].*tree_id_k_key/);
    assert.match(texts[0] ?? "", /CREATE UNIQUE INDEX CONCURRENTLY "t2b_id_k_key" ON "public"\."t2b"/);
    assert.match(texts[0] ?? "", /lock: SHARE UPDATE EXCLUSIVE on "public"\."t2b", for an index build/);
    assert.match(texts[1] ?? "", /indexes\[0\]/);
    assert.match(texts[1] ?? "", /CREATE INDEX CONCURRENTLY "t2b_extra" ON "public"\."t2b"/);
  });
});
