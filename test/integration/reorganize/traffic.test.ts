/** An application at work while rows change partitions: nothing of it fails, and nothing that it wrote is lost. */
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import type { Client } from "pg";
import type { Sessions } from "../../../postgres/connection";
import { DEFAULT_LADDER } from "../../../postgres/ladder";
import type { PartitionBound } from "../../../topology/model";
import { describeOnEachPostgres, type TestDatabase } from "../../support/postgres";
import { openForEachTest } from "../postgres/opened";
import { carryOut, range } from "../postgres/support";
import { contentOf, leftovers, reorganizing } from "./support";

/** Rows that stay through the test, so that a reader knows how many there are at least. */
const ROWS = 20_000;

interface Case {
  title: string;
  key: string;
  partitions: string[];
  from: string[];
  to: Record<string, PartitionBound>;
}

const CASES: Case[] = [
  {
    title: "RANGE split, with rows that move between a source and its neighbour",
    key: "RANGE (k)",
    partitions: [
      "a PARTITION OF s.p FOR VALUES FROM (0) TO (100)",
      "b PARTITION OF s.p FOR VALUES FROM (100) TO (200)",
    ],
    from: ["a"],
    to: { a: range("0", "30"), a2: range("30", "60"), a3: range("60", "100") },
  },
  {
    title: "RANGE merge, with rows that move between the sources",
    key: "RANGE (k)",
    partitions: [
      "a PARTITION OF s.p FOR VALUES FROM (0) TO (100)",
      "b PARTITION OF s.p FOR VALUES FROM (100) TO (200)",
    ],
    from: ["a", "b"],
    to: { b: range("0", "200") },
  },
  {
    title: "DEFAULT split",
    key: "RANGE (k)",
    partitions: ["a PARTITION OF s.p FOR VALUES FROM (0) TO (50)", "d PARTITION OF s.p DEFAULT"],
    from: ["d"],
    to: { b: range("50", "150"), d: { default: true } },
  },
  {
    title: "HASH bucket split",
    key: "HASH (k)",
    partitions: [0, 1].map((r) => `p${r} PARTITION OF s.p FOR VALUES WITH (MODULUS 2, REMAINDER ${r})`),
    from: ["p0"],
    to: { p0: { modulus: 4, remainder: 0 }, p2: { modulus: 4, remainder: 2 } },
  },
];

const ISOLATIONS = ["READ COMMITTED", "REPEATABLE READ"];

describeOnEachPostgres("an application while rows change partitions", (server) => {
  let database: TestDatabase;
  let client: Client;
  let sessions: Sessions;

  openForEachTest(server, (opened) => {
    ({ database, client, sessions } = opened);
  });
  beforeEach(async () => {
    await client.query("CREATE SCHEMA s");
  });

  for (const { title, key, partitions, from, to } of CASES) {
    it(`fails nowhere and keeps every row: ${title}`, async () => {
      await client.query(
        `CREATE TABLE s.p (id bigint, k int, n int, pad text, PRIMARY KEY (id, k)) PARTITION BY ${key}`,
      );
      for (const partition of partitions) await client.query(`CREATE TABLE s.${partition}`);
      await client.query("CREATE TABLE s.twin (id bigint, k int, n int, pad text, PRIMARY KEY (id, k))");
      const rows = `SELECT i, i % 200, 0, repeat('x', 200) FROM generate_series(1, ${ROWS}) i`;
      for (const table of ["s.p", "s.twin"]) await client.query(`INSERT INTO ${table} ${rows}`);
      const application = new Application(database);
      await application.start();
      const step = await reorganizing(sessions, "copyAndSwap", from, to);
      const report = await carryOut(sessions, [step], { ladder: DEFAULT_LADDER });
      await application.stop();
      assert.deepEqual(application.failures, []);
      assert.deepEqual([report.done, report.failed], [[step.id], []]);
      assert.equal(await contentOf(client, "s.p", "id, k, n"), await contentOf(client, "s.twin", "id, k, n"));
      assert.deepEqual(await leftovers(client), []);
      assert.ok(application.transactions > 100, `${application.transactions} transactions`);
    });
  }
});

/** Writers whose every statement goes to the table and to its twin, and readers that count. */
class Application {
  readonly failures: string[] = [];
  transactions = 0;
  private running = true;
  private readonly loops: Promise<void>[] = [];

  constructor(private readonly database: TestDatabase) {}

  /** Each loop has rows of its own, so that its twin statements see what it did itself. */
  async start(): Promise<void> {
    const writers = ISOLATIONS.flatMap((isolation) => [0, 1].map((turn) => ({ isolation, turn })));
    for (const [number, { isolation }] of writers.entries()) {
      const client = await this.database.client("writer");
      this.loop(client, (round) => this.write(client, isolation, number, round));
    }
    for (const isolation of ISOLATIONS) {
      const client = await this.database.client("reader");
      this.loop(client, () => this.read(client, isolation));
    }
  }

  async stop(): Promise<void> {
    this.running = false;
    await Promise.all(this.loops);
  }

  private loop(client: Client, action: (round: number) => Promise<void>): void {
    const run = async () => {
      for (let round = 1; this.running; round++) {
        try {
          await action(round);
          this.transactions += 1;
        } catch (error) {
          this.failures.push(error instanceof Error ? error.message : String(error));
          await client.query("ROLLBACK");
        }
        await pause(1);
      }
    };
    this.loops.push(run());
  }

  private async write(client: Client, isolation: string, writer: number, round: number): Promise<void> {
    // Ids of a writer: its number modulo 8; a row is found by id alone, wherever its key has gone.
    const id = 8 * (((round * 131) % (ROWS / 8 - 2)) + 1) + writer;
    const fresh = 8 * (ROWS + round) + writer;
    const k = (round * 37) % 200;
    const statements: [string, number | undefined][] = [
      [`UPDATE %t SET n = n + 1 WHERE id = ${id}`, 1],
      [`UPDATE %t SET k = ${k}, n = n + 1 WHERE id = ${id}`, 1],
      [`INSERT INTO %t VALUES (${fresh}, ${k}, 1, 'new')`, 1],
      [`INSERT INTO %t VALUES (${fresh}, ${k}, 1, 'new') ON CONFLICT (id, k) DO UPDATE SET n = 99`, 1],
      [`UPDATE %t SET id = ${-fresh} WHERE id = ${fresh}`, 1],
      [round % 2 === 0 ? `DELETE FROM %t WHERE id = ${-fresh}` : `UPDATE %t SET n = 7 WHERE id = ${-fresh}`, 1],
    ];
    await client.query(`BEGIN ISOLATION LEVEL ${isolation}`);
    for (const [sql, expected] of statements) {
      for (const table of ["s.p", "s.twin"]) {
        const { rowCount } = await client.query(sql.replace("%t", table));
        if (rowCount !== expected) this.failures.push(`${rowCount} rows: ${sql} (${table}, ${isolation})`);
      }
    }
    await client.query(round % 5 === 0 ? "ROLLBACK" : "COMMIT");
  }

  /** One transaction counts the same as often as it looks; nobody ever counts fewer rows than always stay. */
  private async read(client: Client, isolation: string): Promise<void> {
    await client.query(`BEGIN ISOLATION LEVEL ${isolation} READ ONLY`);
    const counts: string[] = [];
    for (const table of ["s.twin", "s.p", "s.p"]) {
      const { rows } = await client.query<{ count: string }>(`SELECT count(*) FROM ${table} WHERE id > 0`);
      counts.push(rows[0]?.count ?? "");
      await pause(2);
    }
    await client.query("COMMIT");
    if (isolation === "REPEATABLE READ" && new Set(counts).size > 1) this.failures.push(`counts ${counts}`);
    if (counts.some((count) => Number(count) < ROWS)) this.failures.push(`counted ${counts}`);
  }
}
