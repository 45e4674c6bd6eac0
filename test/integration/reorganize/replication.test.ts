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
import type { PartitionBound } from "../../../topology/model";
import { type Connection, testMajors } from "../../support/postgres";
import { carryOut, planOf, range, read, sessionsOn } from "../postgres/support";
import { contentOf, leftovers, reorganizing } from "./support";

const TABLES = [
  "CREATE SCHEMA s",
  "CREATE TABLE s.p (k int PRIMARY KEY, note text) PARTITION BY RANGE (k)",
  "CREATE TABLE s.a PARTITION OF s.p FOR VALUES FROM (0) TO (1000)",
];

const TARGETS: Record<string, PartitionBound> = { b: range("0", "500"), c: range("500", "1000") };

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

    for (const viaRoot of [true, false]) {
      it(`ends with the same rows, publish_via_partition_root = ${viaRoot}`, async () => {
        const names = [`publisher_${viaRoot}`, `subscriber_${viaRoot}`] as const;
        const admin = await connect("postgres");
        for (const name of names) await admin.query(`CREATE DATABASE ${name}`);
        await admin.end();
        publisher = await connect(names[0]);
        subscriber = await connect(names[1]);
        sessions = sessionsOn(connection(names[0]));
        try {
          await follow(viaRoot);
        } finally {
          await sessions.close();
          await Promise.all([publisher.end(), subscriber.end()]);
        }
      });
    }

    async function follow(viaRoot: boolean): Promise<void> {
      const slot = `sub_${viaRoot}`;
      for (const sql of TABLES) await publisher.query(sql);
      for (const sql of TABLES) await subscriber.query(sql);
      await publisher.query("INSERT INTO s.p SELECT i, 'n' FROM generate_series(0, 899) i");
      await publisher.query(`CREATE PUBLICATION pub FOR TABLE s.p WITH (publish_via_partition_root = ${viaRoot})`);
      await publisher.query("SELECT pg_create_logical_replication_slot($1, 'pgoutput')", [slot]);
      const { host, port, user, password } = server;
      const source = `host=${host} port=${port} user=${user} password=${password} dbname=${publisher.database}`;
      await subscriber.query(
        `CREATE SUBSCRIPTION ${slot} CONNECTION '${source}' PUBLICATION pub WITH (create_slot = false)`,
      );
      await untilEqual(viaRoot);
      const step = await reorganizing(sessions, "copyAndSwap", ["a"], TARGETS);
      const set = await read(sessions);
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
      if (!viaRoot) await followByHand(slot);
      await untilEqual(viaRoot);
      await subscriber.query(`DROP SUBSCRIPTION ${slot}`);
    }

    /** What the finding says: the subscriber gets the new tables, their rows come by the initial copy. */
    async function followByHand(slot: string): Promise<void> {
      await subscriber.query("BEGIN");
      await subscriber.query("DROP TABLE s.a");
      await subscriber.query("CREATE TABLE s.b PARTITION OF s.p FOR VALUES FROM (0) TO (500)");
      await subscriber.query("CREATE TABLE s.c PARTITION OF s.p FOR VALUES FROM (500) TO (1000)");
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
