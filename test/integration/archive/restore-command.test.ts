/** `pgpartition archive restore`: rows beside their table, in any database, whole or some, whatever happens meanwhile. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import type { Client } from "pg";
import { cipherOf } from "../../../archive/encryption";
import { exportPartition } from "../../../archive/export";
import { FileStore } from "../../../archive/stores/file";
import { S3Store } from "../../../archive/stores/s3";
import { Sessions } from "../../../postgres/connection";
import type { RowFormat } from "../../../topology/archive";
import { describeOnOldestAndNewest, type TestDatabase } from "../../support/postgres";
import { describeOnS3 } from "../../support/s3";
import { archive } from "./commands";
import { EVENTS, january, originOf, PART_BLOCKS, vandalOfDirectory } from "./support";

const JANUARY = "public.events_2024_01";
const RESTORED = "public.events_2024_01_restored";

describeOnOldestAndNewest("a restore beside the table", (server) => {
  let database: TestDatabase;
  let client: Client;
  let sessions: Sessions;
  let directory: string;
  let store: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "archive-test-"));
    store = `file://${directory}`;
    database = await server().createDatabase();
    client = await database.client();
    await client.query(EVENTS);
    await client.query("CREATE INDEX ON events (payload); ALTER TABLE events ADD CHECK (id >= 0)");
    const { user: username, ...rest } = database.connection;
    sessions = new Sessions({ ...rest, username });
  });
  afterEach(async () => {
    await sessions.close();
    await database.drop();
    await rm(directory, { recursive: true });
  });

  const exported = (format: RowFormat = "text", to = new FileStore(directory) as FileStore | S3Store) =>
    sessions.withSession(async (session) => {
      const options = { store: to, origin: await originOf(session), partBlocks: PART_BLOCKS, format };
      return (await exportPartition(session, await january(session), options)).manifest;
    });
  const restore = (more: readonly string[] = [], to = database) =>
    archive(["restore", "events_2024_01", "--store", store, ...more], to.connection);
  const rowsOf = async (of: Client, table: string) =>
    (await of.query(`SELECT count(*)::int AS n, md5(string_agg(t::text, ',' ORDER BY id)) AS hash FROM ${table} AS t`))
      .rows[0];
  const isThere = async (table: string) =>
    (await client.query("SELECT to_regclass($1) IS NOT NULL AS there", [table])).rows[0].there as boolean;

  it("brings all rows, keys and indexes, and no rights of anybody else", async () => {
    const manifest = await exported();
    assert.ok(manifest.leaves[0]!.parts.length > 2, "several parts");
    await client.query(
      "CREATE ROLE beside_reader; ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO beside_reader, PUBLIC",
    );
    try {
      const { status, out, err } = await restore();
      assert.equal(status, 0, err);
      assert.match(out, /events_2024_01_restored of .*: 4,464 of the 4,464 rows of events_2024_01\.\n$/);
      assert.match(err, /restored 1 of 1/);
    } finally {
      await client.query(
        "ALTER DEFAULT PRIVILEGES REVOKE SELECT ON TABLES FROM beside_reader, PUBLIC; DROP ROLE beside_reader",
      );
    }
    assert.deepEqual(await rowsOf(client, RESTORED), await rowsOf(client, JANUARY));
    const { rows } = await client.query(
      `SELECT (SELECT count(*)::int FROM pg_index WHERE indrelid = $1::regclass) AS indexes,
         (SELECT string_agg(contype::text, '' ORDER BY contype) FROM pg_constraint WHERE conrelid = $1::regclass AND contype <> 'n') AS constraints,
         (SELECT count(*)::int FROM pg_class c, aclexplode(c.relacl) a WHERE c.oid = $1::regclass AND a.grantee <> c.relowner) AS granted,
         (SELECT relispartition FROM pg_class WHERE oid = $1::regclass) AS attached`,
      [RESTORED],
    );
    assert.deepEqual(rows, [{ indexes: 2, constraints: "cp", granted: 0, attached: false }]);
  });

  it("does nothing a second time, and never touches a table that is there", async () => {
    await exported();
    assert.equal((await restore(["--into", "mine"])).status, 0);
    await client.query("DELETE FROM mine WHERE id < 100");
    const again = await restore(["--into", "mine", "--json"]);
    assert.deepEqual([again.status, JSON.parse(again.out).reached], [0, true]);
    assert.equal((await rowsOf(client, "mine")).n, 4364);
    for (const wrong of [
      ["--into", "mine", "--where", "id = 1"],
      ["--into", "events"],
      ["--into", "events_2024_02"],
    ]) {
      const { status, err } = await restore(wrong);
      assert.equal(status, 1);
      assert.match(err, /is there already/);
    }
    const nowhere = await restore(["--into", "nowhere.mine"]);
    assert.equal(nowhere.status, 1);
    assert.match(nowhere.err, /CREATE SCHEMA/);
  });

  it("brings encrypted rows with their key, and none without it", async () => {
    const keyFile = join(directory, "key");
    await writeFile(keyFile, randomBytes(32).toString("hex"));
    const settings = join(directory, "settings.json");
    await writeFile(settings, JSON.stringify({ encryption: { keyFile } }));
    await exported("csv", new FileStore(directory, cipherOf({ keyFile })));
    const without = await restore();
    assert.equal(without.status, 1);
    assert.match(without.err, /is encrypted with the key file of fingerprint .* not declared/);
    const { status, err } = await restore(["--settings", settings]);
    assert.equal(status, 0, err);
    assert.deepEqual(await rowsOf(client, RESTORED), await rowsOf(client, JANUARY));
  });

  for (const format of ["text", "csv"] as const)
    it(`brings the rows that meet a condition into another database (${format})`, async () => {
      await exported(format);
      const audit = await server().createDatabase();
      try {
        const other = await audit.client();
        await other.query("CREATE SCHEMA audit");
        const more = [
          "--into",
          "audit.some",
          "--where",
          "id % 7 = 0 AND payload LIKE 'payload 1%'",
          "--no-indexes",
          "--json",
        ];
        const { status, out, err } = await restore(more, audit);
        assert.equal(status, 0, err);
        await client.query(
          `CREATE TABLE expected AS SELECT * FROM ${JANUARY} WHERE id % 7 = 0 AND payload LIKE 'payload 1%'`,
        );
        const expected = await rowsOf(client, "expected");
        assert.deepEqual([JSON.parse(out).rows, JSON.parse(out).of], [expected.n, 4464]);
        assert.deepEqual(await rowsOf(other, "audit.some"), expected);
      } finally {
        await audit.drop();
      }
    });

  it("refuses a condition that is none, and leaves nothing", async () => {
    await exported();
    for (const wrong of [
      "nothing = 1",
      "id = 1) ; DROP TABLE events; --",
      "id = 1) --",
      "id IN (SELECT 1)",
      "payload",
    ]) {
      const { status, err } = await restore(["--where", wrong]);
      assert.equal(status, 2, `${wrong}: ${err}`);
      assert.match(err, /^--where: .*SQLSTATE/);
      assert.equal(await isThere(RESTORED), false);
    }
    assert.ok(await isThere("public.events"));
  });

  it("compares all rows that it reads, also those that do not meet the condition", async () => {
    const manifest = await exported();
    const vandal = vandalOfDirectory(directory);
    const { key } = manifest.leaves[0]!.parts[1]!;
    const before = zstdDecompressSync(await vandal.read(key)).toString();
    await vandal.put(key, zstdCompressSync(Buffer.from(before.replace("payload 1", "payload 2"))));
    const { status, err } = await restore(["--where", "id < 5"]);
    assert.equal(status, 1);
    assert.ok(err.includes(key), err);
    await vandal.put(key, zstdCompressSync(Buffer.from(before)));
    assert.equal((await restore(["--where", "id < 5"])).status, 0, "goes on");
    assert.equal((await rowsOf(client, RESTORED)).n, 5);
  });

  it("makes one table of a partition that is divided", async () => {
    await client.query(`DROP TABLE ${JANUARY};
      CREATE TABLE ${JANUARY} PARTITION OF events FOR VALUES FROM ('2024-01-01 00:00+00') TO ('2024-02-01 00:00+00') PARTITION BY HASH (id);
      CREATE TABLE "a ) PARTITION BY" PARTITION OF ${JANUARY} FOR VALUES WITH (MODULUS 2, REMAINDER 0);
      CREATE TABLE "b" PARTITION OF ${JANUARY} FOR VALUES WITH (MODULUS 2, REMAINDER 1);
      INSERT INTO events SELECT i, '2024-01-05 00:00+00', 'x' FROM generate_series(1, 500) AS i`);
    await exported();
    const { status, err } = await restore();
    assert.equal(status, 0, err);
    assert.deepEqual(await rowsOf(client, RESTORED), await rowsOf(client, JANUARY));
    const { rows } = await client.query("SELECT relkind FROM pg_class WHERE oid = $1::regclass", [RESTORED]);
    assert.deepEqual(rows, [{ relkind: "r" }]);
  });

  it("says what another database lacks, with the manifest's own text", async () => {
    await client.query("CREATE TYPE public.mood AS ENUM ('good'); ALTER TABLE events ADD COLUMN mood public.mood");
    await exported();
    const audit = await server().createDatabase();
    try {
      const { status, err } = await restore([], audit);
      assert.equal(status, 1);
      assert.match(err, /public\.mood" does not exist.*42704.*own text: CREATE TABLE "public"."events_2024_01"/);
    } finally {
      await audit.drop();
    }
  });

  it("says which archive is meant when there are several, or none", async () => {
    await exported();
    const other = await server().createDatabase();
    try {
      const twin = await other.client();
      await twin.query(EVENTS);
      const { user: username, ...rest } = other.connection;
      const there = new Sessions({ ...rest, username });
      await there.withSession(async (session) => {
        const options = { store: new FileStore(directory), origin: await originOf(session) };
        await exportPartition(session, await january(session), options);
      });
      await there.close();
      const { status, err } = await restore();
      assert.equal(status, 2);
      assert.match(err, /several tables.*--source/);
      assert.equal((await restore(["--source", other.connection.database])).status, 0);
    } finally {
      await other.drop();
    }
    assert.equal((await restore(["--table", "public.other"])).status, 2);
    assert.equal((await restore(["--export", "9"])).status, 2);
  });

  describeOnS3("from a bucket", (s3) => {
    it("brings all rows", async () => {
      const bucket = await s3().createBucket({ versioned: true });
      const { endpoint, region } = s3();
      const remote = new S3Store({ bucket, prefix: "", endpoint, region });
      await exported("text", remote);
      remote.close();
      store = `s3://${bucket}?region=${region}&endpoint=${encodeURIComponent(endpoint)}`;
      assert.equal((await restore()).status, 0);
      assert.deepEqual(await rowsOf(client, RESTORED), await rowsOf(client, JANUARY));
    });
  });
});
