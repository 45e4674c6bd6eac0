/** What a plan without a step costs the server: always the same few queries, however many partitions there are. */
import assert from "node:assert/strict";
import { decide } from "../../../provider/partitionSet/decide";
import { observe } from "../../../provider/partitionSet/observe";
import { outputsFromActual } from "../../../provider/partitionSet/state";
import type { Properties } from "../../../provider/values";
import { desiredFromChecked, expand } from "../../../topology/policy";
import { describeOnEachPostgres, type TestDatabase, testMajors } from "../../support/postgres";
import { sessionsOn } from "./support";

/** Reads of the catalog that one plan may take. */
const MOST_READS = 6;

const STEPS = { column: "k", type: "integer", every: 10 };

/** Partitions of `t`, by tens. */
function flat(partitions: number): Properties {
  const window = { from: 0, ahead: partitions - 1 };
  return { schema: "public", table: "t", partitionBy: { range: STEPS }, window, asOf: 0 };
}

/** Three levels: `groups`, `ranges` in each of them, and two buckets in each of those. */
function deep(groups: number, ranges: number): Properties {
  const names = Array.from({ length: groups }, (_, group) => `g${group}`);
  return {
    schema: "public",
    table: "t",
    partitionBy: {
      list: { column: "g", type: "text", values: Object.fromEntries(names.map((name) => [name, [name]])) },
    },
    subPartitionBy: {
      partitionBy: { range: STEPS },
      window: { from: 0, ahead: ranges - 1 },
      asOf: 0,
      subPartitionBy: { partitionBy: { hash: { columns: ["k"], partitions: 2 } } },
    },
  };
}

const FLAT = (partitions: number) => `
  CREATE TABLE t (g text NOT NULL, k int NOT NULL, PRIMARY KEY (g, k)) PARTITION BY RANGE (k);
  DO $$ BEGIN FOR i IN 0..${partitions - 1} LOOP
    EXECUTE format('CREATE TABLE t_%s PARTITION OF t FOR VALUES FROM (%s) TO (%s)', i * 10, i * 10, i * 10 + 10);
  END LOOP; END $$`;

const DEEP = (groups: number, ranges: number) => `
  CREATE TABLE t (g text NOT NULL, k int NOT NULL, PRIMARY KEY (g, k)) PARTITION BY LIST (g);
  DO $$ BEGIN FOR i IN 0..${groups - 1} LOOP
    EXECUTE format('CREATE TABLE t_g%s PARTITION OF t FOR VALUES IN (%L) PARTITION BY RANGE (k)', i, 'g' || i);
    FOR j IN 0..${ranges - 1} LOOP
      EXECUTE format('CREATE TABLE t_g%s_%s PARTITION OF t_g%s FOR VALUES FROM (%s) TO (%s) PARTITION BY HASH (k)', i, j * 10, i, j * 10, j * 10 + 10);
      FOR b IN 0..1 LOOP
        EXECUTE format('CREATE TABLE t_g%s_%s_p%s PARTITION OF t_g%s_%s FOR VALUES WITH (MODULUS 2, REMAINDER %s)', i, j * 10, b, i, j * 10, b);
      END LOOP;
    END LOOP;
  END LOOP; END $$`;

describeOnEachPostgres("reads of a plan", (server) => {
  /** Statements of a plan that finds nothing to do: of the first, which knows nothing, and of the next. */
  async function statementsOf(setup: string, news: Properties, partitions: number): Promise<string[][]> {
    const database = await server().createDatabase();
    const sessions = sessionsOn(database.connection);
    try {
      await (await database.client()).query(setup);
      await database.logStatements();
      const { checked, failures } = expand(news, {});
      assert.deepEqual(failures, []);
      const desired = desiredFromChecked(checked);
      return await sessions.withSession(async (session) => {
        const sent = [];
        let olds: Properties = {};
        for (const _ of ["first", "next"]) {
          const before = (await ours(database)).length;
          const seen = await observe(session, desired, olds);
          const { steps, findings, unchanged } = await decide(session, seen);
          assert.deepEqual([steps, findings, unchanged.length], [[], [], partitions]);
          sent.push((await ours(database)).slice(before));
          olds = outputsFromActual(checked, seen.actual, seen.identity, seen.known);
        }
        return sent;
      });
    } finally {
      await sessions.close();
      await database.drop();
    }
  }

  async function ours(database: TestDatabase): Promise<string[]> {
    const log = await database.statementLog();
    return log.filter(({ applicationName }) => applicationName === "pulumi-pgpartition").map(({ sql }) => sql);
  }

  it("are the same for ten, a hundred and a thousand partitions, and for three levels", async () => {
    const few = await statementsOf(FLAT(10), flat(10), 10);
    const [first = [], next = []] = few;
    assert.deepEqual(next, first);
    const reads = first.filter((sql) => sql.includes("pg_catalog.pg_class"));
    assert.equal(reads.length, MOST_READS);
    assert.deepEqual(await statementsOf(FLAT(100), flat(100), 100), few);
    assert.deepEqual(await statementsOf(DEEP(3, 2), deep(3, 2), 3 + 6 + 12), few);
    // What PostgreSQL needs to make a thousand tables says nothing new on every version.
    if (server().major !== testMajors().at(-1)) return;
    assert.deepEqual(await statementsOf(FLAT(1000), flat(1000), 1000), few);
    assert.deepEqual(await statementsOf(DEEP(10, 10), deep(10, 10), 10 + 100 + 200), few);
  });
});
