/** A logical subscriber ends with the rows of the publisher, and receives nothing of the copy. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "pg";
import type { Sessions } from "../../../postgres/connection";
import { preflight } from "../../../postgres/preflight";
import { readServer } from "../../../postgres/server";
import { type PostgresServer, removeServer, startServer } from "../../../tools/postgres";
import type { NewLevel, ReorganizationTarget } from "../../../topology/model";
import { sourceOf } from "../../../topology/plan/subtrees";
import { type Connection, testMajors } from "../../support/postgres";
import { carryOut, planOf, range, read, sessionsOn } from "../postgres/support";
import { contentOf, leftovers, stepOf } from "./support";

/** What becomes of `s.a`. */
interface Shape {
  title: string;
  /** How `s.a` is made. */
  before: string[];
  targets: ReorganizationTarget[];
  /** The same by hand on a subscriber. */
  after: string[];
}

const OF = (name: string, bound: string, by = "") => `CREATE TABLE s.${name} PARTITION OF s.p FOR VALUES ${bound}${by}`;
const buckets = (table: string) =>
  [0, 1].map(
    (r) => `CREATE TABLE s.${table}_h${r} PARTITION OF s.${table} FOR VALUES WITH (MODULUS 2, REMAINDER ${r})`,
  );
const inBuckets = (table: string): NewLevel => ({
  strategy: "hash",
  keyColumns: ["k"],
  partitions: [0, 1].map((remainder) => ({ name: `${table}_h${remainder}`, bound: { modulus: 2, remainder } })),
});

const SHAPES: Shape[] = [
  {
    title: "a table is split",
    before: [OF("a", "FROM (0) TO (1000)")],
    targets: [
      { name: "b", bound: range("0", "500") },
      { name: "c", bound: range("500", "1000") },
    ],
    after: [OF("b", "FROM (0) TO (500)"), OF("c", "FROM (500) TO (1000)")],
  },
  {
    title: "a subtree becomes another and a table",
    before: [OF("a", "FROM (0) TO (1000)", " PARTITION BY HASH (k)"), ...buckets("a")],
    targets: [
      { name: "b", bound: range("0", "500"), level: inBuckets("b") },
      { name: "c", bound: range("500", "1000") },
    ],
    after: [OF("b", "FROM (0) TO (500)", " PARTITION BY HASH (k)"), ...buckets("b"), OF("c", "FROM (500) TO (1000)")],
  },
  {
    title: "a subtree becomes one table in its place",
    before: [OF("a", "FROM (0) TO (1000)", " PARTITION BY HASH (k)"), ...buckets("a")],
    targets: [{ name: "a", bound: range("0", "1000") }],
    after: [OF("a", "FROM (0) TO (1000)")],
  },
];

const ROOT = ["CREATE SCHEMA s", "CREATE TABLE s.p (k int PRIMARY KEY, note text) PARTITION BY RANGE (k)"];

/** Replication needs settings that the other tests' servers do not have. */
for (const major of testMajors()) {
  describe(`a subscriber (PostgreSQL ${major})`, () => {
    let directory: string;
    let server: PostgresServer;
    let publisher: Client;
    let subscriber: Client;
    let sessions: Sessions;

    before(async () => {
      directory = await mkdtemp(join(tmpdir(), "pgpartition-replication-"));
      const settings = { wal_level: "logical", fsync: "off", max_connections: "40", wal_receiver_status_interval: "1" };
      server = await startServer({ major, dataDir: join(directory, "data"), settings });
    });
    after(async () => {
      await removeServer(join(directory, "data"));
      await rm(directory, { recursive: true, force: true });
    });

    const connection = (database: string): Connection => {
      const { host, port, user, password } = server;
      return { host, port, user, password, database };
    };

    async function connect(database: string): Promise<Client> {
      const client = new Client(connection(database));
      await client.connect();
      return client;
    }

    for (const [number, viaRoot] of SHAPES.flatMap((_, at): [number, boolean][] => [
      [at, true],
      [at, false],
    ])) {
      const shape = SHAPES[number] as Shape;
      it(`ends with the same rows where ${shape.title}, publish_via_partition_root = ${viaRoot}`, async () => {
        const slot = `sub_${number}_${viaRoot}`;
        const names = [`publisher_${slot}`, `subscriber_${slot}`] as const;
        const admin = await connect("postgres");
        for (const name of names) await admin.query(`CREATE DATABASE ${name}`);
        await admin.end();
        publisher = await connect(names[0]);
        subscriber = await connect(names[1]);
        sessions = sessionsOn(connection(names[0]));
        try {
          await follow(shape, slot, viaRoot);
        } finally {
          await sessions.close();
          await Promise.all([publisher.end(), subscriber.end()]);
        }
      });
    }

    async function follow(shape: Shape, slot: string, viaRoot: boolean): Promise<void> {
      for (const sql of [...ROOT, ...shape.before]) {
        await publisher.query(sql);
        await subscriber.query(sql);
      }
      await publisher.query("INSERT INTO s.p SELECT i, 'n' FROM generate_series(0, 899) i");
      await publisher.query(`CREATE PUBLICATION pub FOR TABLE s.p WITH (publish_via_partition_root = ${viaRoot})`);
      await publisher.query("SELECT pg_create_logical_replication_slot($1, 'pgoutput')", [slot]);
      const { host, port, user, password } = server;
      const source = `host=${host} port=${port} user=${user} password=${password} dbname=${publisher.database}`;
      await subscriber.query(
        `CREATE SUBSCRIPTION ${slot} CONNECTION '${source}' PUBLICATION pub WITH (create_slot = false)`,
      );
      await untilEqual(viaRoot);
      const set = await read(sessions);
      const step = stepOf("copyAndSwap", { sources: set.children.map(sourceOf), targets: shape.targets });
      const findings = await sessions.withSession(async (session) =>
        preflight(session, await readServer(session), planOf(step), set),
      );
      assert.equal(
        findings.some(({ reason }) => reason.includes("REFRESH PUBLICATION")),
        !viaRoot,
      );
      let written = 0;
      let running = true;
      const writing = (async () => {
        const writer = await connect(publisher.database ?? "");
        for (; running; written++) {
          await writer.query("UPDATE s.p SET note = $1 WHERE k = $2", [`w${written}`, (written * 7) % 900]);
        }
        await writer.end();
      })();
      const report = await carryOut(sessions, [step]);
      running = false;
      await writing;
      assert.deepEqual(report.failed, []);
      assert.deepEqual(await leftovers(publisher), []);
      assert.ok(written > 10);
      await publisher.query("DELETE FROM s.p WHERE k < 10");
      await publisher.query("INSERT INTO s.p VALUES (950, 'after')");
      if (!viaRoot) await followByHand(slot, shape);
      await untilEqual(viaRoot);
      await subscriber.query(`DROP SUBSCRIPTION ${slot}`);
    }

    /** What the finding says: the subscriber gets the new tables, their rows come by the initial copy. */
    async function followByHand(slot: string, { after }: Shape): Promise<void> {
      await subscriber.query("BEGIN");
      await subscriber.query("DROP TABLE s.a");
      for (const sql of after) await subscriber.query(sql);
      await subscriber.query("COMMIT");
      await subscriber.query(`ALTER SUBSCRIPTION ${slot} REFRESH PUBLICATION`);
    }

    async function untilEqual(viaRoot: boolean): Promise<void> {
      const wanted = await contentOf(publisher, "s.p");
      while ((await contentOf(subscriber, "s.p")) !== wanted) {
        if (major < 15) continue;
        const { rows } = await subscriber.query<{ errors: string | null }>(
          "SELECT sum(apply_error_count)::text AS errors FROM pg_stat_subscription_stats",
        );
        assert.ok(Number(rows[0]?.errors ?? 0) === 0 || !viaRoot, "the subscriber received what it has no table for");
      }
    }
  });
}
