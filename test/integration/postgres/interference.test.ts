/** Writers beside partitions that come and go: none is refused that would not be refused by the result as well. */
import assert from "node:assert/strict";
import type { Client } from "pg";
import { DEFAULT_LADDER } from "../../../postgres/ladder";
import { describeOnEachPostgres, type TestDatabase } from "../../support/postgres";
import { carryOut, oidOf, range, readParentOf, sessionsOn, step } from "./support";

const ROUNDS = 5;

/** What a writer was answered. */
interface Answers {
  written: number;
  /** SQLSTATEs of the statements that failed. */
  refused: string[];
}

/** Sends the statements one after the other until told to stop. */
async function startWriter(database: TestDatabase, statements: string[]): Promise<() => Promise<Answers>> {
  const client = await database.client("application");
  const answers: Answers = { written: 0, refused: [] };
  let running = true;
  const loop = (async () => {
    while (running) {
      for (const sql of statements) {
        await client.query(sql).then(
          () => {
            answers.written += 1;
          },
          (error: { code?: string }) => answers.refused.push(String(error.code)),
        );
      }
    }
    await client.end();
  })();
  return async () => {
    running = false;
    await loop;
    return answers;
  };
}

async function createTables(client: Client, more: string): Promise<void> {
  await client.query(`
    CREATE SCHEMA s;
    CREATE SEQUENCE s.low_numbers;
    CREATE SEQUENCE s.high_numbers START 1000001;
    CREATE TABLE s.q (k bigint PRIMARY KEY) PARTITION BY RANGE (k);
    CREATE TABLE s.low PARTITION OF s.q FOR VALUES FROM (0) TO (1000000);
    CREATE TABLE s.high PARTITION OF s.q FOR VALUES FROM (1000000) TO (2000000);
    CREATE TABLE s.entry (k bigint);
    INSERT INTO s.q VALUES (1000000);
    ${more}`);
}

const INTO_LOW = "INSERT INTO s.q SELECT nextval('s.low_numbers')";
const INTO_HIGH = "INSERT INTO s.q SELECT nextval('s.high_numbers')";

describeOnEachPostgres("writers beside a partition that comes and goes", (server) => {
  const CASES: [string, string, "detachConcurrently" | "detachPlain"][] = [
    ["without DEFAULT", "", "detachConcurrently"],
    ["with a foreign key in", "ALTER TABLE s.entry ADD FOREIGN KEY (k) REFERENCES s.q;", "detachConcurrently"],
    ["with DEFAULT", "CREATE TABLE s.rest PARTITION OF s.q DEFAULT;", "detachPlain"],
  ];
  for (const [title, more, method] of CASES) {
    it(`${title}: rows next to it are all taken, rows of its range are taken or refused, none is lost`, async () => {
      const database = await server().createDatabase();
      const sessions = sessionsOn(database.connection);
      try {
        const client = await database.client();
        await createTables(client, more);
        const low = await startWriter(database, [INTO_LOW]);
        const others = await Promise.all([
          startWriter(database, [INTO_HIGH]),
          startWriter(database, ["INSERT INTO s.entry VALUES (1000000)", "DELETE FROM s.entry"]),
          startWriter(database, ["BEGIN", "SELECT count(*) FROM s.high", INTO_HIGH, "COMMIT"]),
        ]);
        const oid = await oidOf(client, "s.low");
        const into = method === "detachPlain" ? "rest" : "low";
        for (let round = 0; round < ROUNDS; round++) {
          const parent = await readParentOf(sessions, "q");
          const away = await carryOut(sessions, [step(method, "low", { oid })], { parent, ladder: DEFAULT_LADDER });
          assert.deepEqual([away.done, away.failed], [["detach:low"], []]);
          // What DEFAULT has taken meanwhile is not what this is about.
          if (into === "rest") break;
          const bound = range("0", "1000000");
          const back = await carryOut(sessions, [step("attach", "low", { oid, bound })], {
            parent: await readParentOf(sessions, "q"),
            ladder: DEFAULT_LADDER,
          });
          assert.deepEqual([back.done, back.failed], [["attach:low"], []]);
        }
        const answers = await low();
        const beside = await Promise.all(others.map((stop) => stop()));
        assert.deepEqual(
          beside.flatMap(({ refused }) => refused),
          [],
        );
        assert.ok(answers.written > 0 && beside.every(({ written }) => written > 0));
        assert.deepEqual(
          [...new Set(answers.refused)],
          into === "rest" ? [] : answers.refused.length > 0 ? ["23514"] : [],
        );
        const { rows } = await client.query<{ count: number }>(
          `SELECT (SELECT count(*)::int FROM s.low)${into === "rest" ? " + (SELECT count(*)::int FROM s.rest)" : ""} AS count`,
        );
        assert.equal(rows[0]?.count, answers.written);
      } finally {
        await sessions.close();
        await database.drop();
      }
    });
  }
});
