/** A change of a populated tree that is killed anywhere is continued by the next run, and ends as an undisturbed one does. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import type { FaultPoint } from "../../../postgres/faults";
import { NO_CHANGE } from "../../../postgres/table/change";
import { runWithFault, sessionsEnd } from "../../support/kills";
import { type Major, type TestDatabase, testMajors, testServer } from "../../support/postgres";
import { constraintsOf, converge, planFor, tree } from "./trees";

/** Before 18 foreign keys go another way. What else is between two commits is rolled back, and is tried on 18 only. */
const POINTS: Partial<Record<Major, FaultPoint[]>> = {
  18: ["betweenStatements", "afterTransaction"],
  14: ["afterTransaction"],
};

/** Brings the table to its declaration in a process of its own. */
const ALTER = require.resolve("./alter-child");

const CHECK = { name: "amount_positive", expression: "amount > 0" };

/** NOT NULL, an exchanged check, a foreign key, a type and an owner. */
const TABLE = tree(
  {
    checks: [{ ...CHECK, expression: "amount > -5" }],
    foreignKeys: [{ name: "tree_account", columns: ["account"], references: { table: "account", columns: ["id"] } }],
    owner: "pg_monitor",
  },
  { amount: { nullable: false }, note: { type: "varchar(50)" } },
);

async function createSmallTree(client: Client): Promise<void> {
  await client.query(`
    DROP SCHEMA public CASCADE;
    CREATE SCHEMA public;
    GRANT ALL ON SCHEMA public TO pg_monitor;
    CREATE TABLE account (id int PRIMARY KEY);
    INSERT INTO account SELECT generate_series(1, 10);
    CREATE TABLE tree (id bigint NOT NULL, k int NOT NULL, note varchar(20), amount int, account int,
      CONSTRAINT ${CHECK.name} CHECK (${CHECK.expression})) PARTITION BY RANGE (k);
    CREATE TABLE t1 PARTITION OF tree FOR VALUES FROM (0) TO (10);
    CREATE TABLE t2 PARTITION OF tree FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (k);
    CREATE TABLE t2a PARTITION OF t2 FOR VALUES FROM (10) TO (20);
    INSERT INTO tree SELECT g, g % 20, 'n' || g, 1 + g, 1 + g % 10 FROM generate_series(1, 100) g`);
}

for (const major of testMajors().filter((candidate) => candidate in POINTS)) {
  describe(`kill -9 during a change of a populated parent (PostgreSQL ${major})`, function () {
    this.timeout(0);
    let database: TestDatabase;
    let client: Client;

    beforeEach(async () => {
      database = await (await testServer(major)).createDatabase();
      client = await database.client();
    });
    afterEach(() => database.drop());

    for (const point of POINTS[major] ?? []) {
      it(`at every point of kind ${point}`, async () => {
        await createSmallTree(client);
        assert.deepEqual(await converge(client, TABLE), []);
        const undisturbed = await constraintsOf(client);
        for (let hit = 1; ; hit++) {
          await createSmallTree(client);
          const killed = (await runWithFault(ALTER, [database.connection, TABLE], `${point}:${hit}`)) !== null;
          await sessionsEnd(client);
          if (killed) assert.ok((await constraintsOf(client)).length > 0);
          assert.deepEqual(await converge(client, TABLE), []);
          assert.deepEqual(await planFor(client, TABLE), NO_CHANGE);
          assert.deepEqual(await constraintsOf(client), undisturbed);
          if (!killed) {
            assert.ok(hit > 10, "there are more points than were reached");
            return;
          }
        }
      });
    }
  });
}
