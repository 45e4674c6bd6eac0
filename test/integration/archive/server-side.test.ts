/**
 * Rows that the server itself writes into a bucket. The extension aws_s3 is AWS's own, so that a stand-in of the documented
 * function takes its place; bucket, rows and proof are real.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { buffer } from "node:stream/consumers";
import type { Client } from "pg";
import { type ExportOptions, exportPartition } from "../../../archive/export";
import type { Manifest } from "../../../archive/manifest";
import { openStore } from "../../../archive/open";
import { proveTable } from "../../../archive/proof";
import { ProofError } from "../../../archive/proofError";
import type { Store } from "../../../archive/store";
import { verifyObjects } from "../../../archive/verify";
import { type Session, Sessions } from "../../../postgres/connection";
import { ARCHIVE_DEFAULTS, serverSideTarget } from "../../../topology/archive";
import { AwsS3StandIn } from "../../support/aws-s3";
import { describeOnOldestAndNewest, type TestDatabase } from "../../support/postgres";
import { describeOnS3 } from "../../support/s3";
import { openForEachTest } from "../postgres/opened";
import { changeRows, EVENTS, january, newBucket, originOf, PART_BLOCKS, vandalOfBucket } from "./support";

/** Rows that text has to escape, and others whose text depends on settings of the session. */
const ODD_ROWS = String.raw`INSERT INTO events SELECT -row_number() OVER (), '2024-01-05 00:00+00', payload
  FROM unnest(ARRAY['', NULL, 'a,"b"', E'two\nlines', E'\r\n', E'a\tb\\', '\.', '\N', 'é€😀']) AS payload`;

const SERVER_SIDE = "aws_s3" as const;

describeOnOldestAndNewest("an export by the server (stand-in for aws_s3)", (server) => {
  describeOnS3("into a bucket", (s3) => {
    let database: TestDatabase;
    let client: Client;
    let sessions: Sessions;
    let store: Store;
    let standIn: AwsS3StandIn;
    let url: string;
    let bucket: string;

    openForEachTest(server, (opened) => {
      ({ database, client } = opened);
    });
    beforeEach(async () => {
      await changeRows(database, EVENTS);
      await changeRows(database, ODD_ROWS);
      ({ url, bucket } = await newBucket(s3()));
      store = openStore({ store: url, ...ARCHIVE_DEFAULTS }, new Date());
      standIn = await AwsS3StandIn.install(client, s3(), (await newBucket(s3())).bucket);
      const { user: username, ...rest } = database.connection;
      sessions = new Sessions({ ...rest, username });
    });
    afterEach(async () => {
      store.close();
      await sessions.close();
    });

    const within = <T>(action: (session: Session) => Promise<T>) => sessions.withSession(action);
    const options = async (session: Session, more: Partial<ExportOptions> = {}): Promise<ExportOptions> => ({
      store,
      origin: await originOf(session),
      serverSide: serverSideTarget({ store: url, serverSideExport: SERVER_SIDE }),
      ...more,
    });
    const run = (more: Partial<ExportOptions> = {}) =>
      within(async (session) => exportPartition(session, await january(session), await options(session, more)));
    const objects = async () => {
      const keys: string[] = [];
      for await (const { key } of store.list("")) keys.push(key);
      return keys;
    };
    const partsOf = ({ leaves }: Manifest) => leaves.flatMap(({ parts }) => parts);
    /** Of the manifest's own objects; rejects unless table and objects hold the same rows. */
    const prove = (exported: Awaited<ReturnType<typeof run>>) =>
      within((session) =>
        session.transaction(async () => {
          await session.query("LOCK TABLE public.events_2024_01 IN SHARE MODE");
          const { oid } = exported.manifest.partition;
          const table = { schema: "public", name: "events_2024_01", oid };
          const claimed = { origin: exported.manifest.origin, manifest: exported.stored };
          return proveTable(session, store, table, claimed);
        }),
      );

    it("holds what an export over the connection holds, as text, and stands the same proof", async () => {
      const byServer = await run({ partBlocks: PART_BLOCKS });
      const parts = partsOf(byServer.manifest);
      assert.ok(parts.length > 1);
      assert.ok(parts.every(({ key, plain }) => plain && /\/0-\d+\.[0-9a-f]{16}\.copy$/.test(key)));
      assert.ok(parts.every(({ bytes, textBytes, version }) => bytes === textBytes && version !== undefined));
      const tokens = new Set(parts.map(({ key }) => key.split(".").at(-2)));
      assert.equal(tokens.size, parts.length, "no two keys are given alike");
      await prove(byServer);
      const { url: other } = await newBucket(s3());
      const elsewhere = openStore({ store: other, ...ARCHIVE_DEFAULTS }, new Date());
      const { manifest } = await run({ partBlocks: PART_BLOCKS, store: elsewhere, serverSide: undefined });
      elsewhere.close();
      const { rows, hash, key, textBytes } = manifest;
      assert.deepEqual(
        { rows, hash, key, textBytes },
        {
          rows: byServer.manifest.rows,
          hash: byServer.manifest.hash,
          key: byServer.manifest.key,
          textBytes: byServer.manifest.textBytes,
        },
      );
    });

    it("writes nothing again that is there, whichever way it came, and only the part that has changed", async () => {
      const first = await run({ partBlocks: PART_BLOCKS });
      const before = await objects();
      assert.deepEqual((await run({ partBlocks: PART_BLOCKS })).manifest, first.manifest);
      assert.deepEqual((await run({ partBlocks: PART_BLOCKS, serverSide: undefined })).manifest, first.manifest);
      assert.deepEqual(await objects(), before);
      await client.query("UPDATE events_2024_01 SET payload = 'changed' WHERE ctid = '(25,1)'");
      const second = await run({ partBlocks: PART_BLOCKS });
      const old = new Set(partsOf(first.manifest).map(({ key }) => key));
      const written = partsOf(second.manifest).filter(({ key }) => !old.has(key));
      assert.ok(written.length > 0 && written.length < old.size, String(written.length));
      await prove(second);
    });

    it("takes all files of a part that is too large for one, uses them again, and misses each of them", async () => {
      await standIn.split(100_000);
      const exported = await run();
      const keys = partsOf(exported.manifest).map(({ key }) => key);
      assert.ok(keys.length > 2, String(keys));
      assert.deepEqual(
        keys.map((key) => key.replace(/^.*\.copy/, "")),
        keys.map((_, at) => (at === 0 ? "" : `_part${at + 1}`)),
      );
      await prove(exported);
      assert.deepEqual((await run()).manifest, exported.manifest);
      const [, second] = partsOf(exported.manifest);
      assert.ok(second);
      await vandalOfBucket(s3(), bucket).remove(`archives/of tests/${second.key}`);
      await assert.rejects(verifyObjects(store, exported.manifest), { failure: "missing", key: second.key });
    });

    for (const lie of [undefined, "noFile"] as const)
      it(`has an object for a partition without rows, when the server makes ${lie ? "none" : "one"}`, async () => {
        await client.query("TRUNCATE events_2024_01");
        await standIn.lie(lie);
        const exported = await run();
        assert.deepEqual([exported.manifest.rows, partsOf(exported.manifest).length], [0, 1]);
        await prove(exported);
      });

    it("is restored without this product: psql alone reads the objects", async function () {
      if (spawnSync("psql", ["--version"]).error !== undefined) this.skip();
      await standIn.split(200_000);
      const { manifest } = await run();
      await client.query(`ALTER TABLE events_2024_01 RENAME TO original;
        ALTER INDEX events_2024_01_pkey RENAME TO original_pkey`);
      const { host, port, user, password, database: name } = database.connection;
      const env = {
        ...process.env,
        PGHOST: host,
        PGPORT: String(port),
        PGUSER: user,
        PGPASSWORD: password,
        PGDATABASE: name,
      };
      const psql = (sql: string, input: Buffer | string = "") => {
        const done = spawnSync("psql", ["-qX", "-v", "ON_ERROR_STOP=1", "-c", sql], { input, env });
        assert.equal(done.status, 0, String(done.stderr));
      };
      const { create, copy, finish } = manifest.restore;
      for (const sql of create) psql(sql);
      for (const { key, version } of partsOf(manifest)) psql(copy[0]!, await buffer(await store.read(key, version)));
      for (const sql of finish) psql(sql);
      const [one, other] = ["original", "events_2024_01"].map((table) => `SELECT * FROM ${table}`);
      const { rows } = await client.query(`(${one} EXCEPT ALL ${other}) UNION ALL (${other} EXCEPT ALL ${one})`);
      assert.deepEqual(rows, []);
    });

    for (const [lie, failure, told] of [
      ["rows", "corrupt", /holds \d+ rows in 1 objects, and aws_s3 says that it wrote \d+/],
      ["bytes", "corrupt", /holds \d+ bytes in 1 objects, and aws_s3 says that it wrote \d+/],
      ["truncated", "corrupt", /holds \d+ rows in 1 objects, and aws_s3 says that it wrote \d+/],
      ["halfRow", "corrupt", /the server has just written it/],
      ["otherBucket", "missing", /\.copy is not there, and aws_s3 says that it wrote it/],
    ] as const)
      it(`is refused when the server lies: ${lie}`, async () => {
        await standIn.lie(lie);
        await assert.rejects(run(), (error) => {
          assert.ok(error instanceof ProofError, String(error));
          assert.equal(error.failure, failure);
          assert.match(error.message, told);
          return true;
        });
        assert.deepEqual(
          (await objects()).filter((key) => key.endsWith(".json")),
          [],
          "nothing says that there is an export",
        );
        await standIn.lie();
        await prove(await run());
      });

    for (const [lie, failure, told] of [
      ["secondFile", "missing", /_part2 is not there, and aws_s3 says that it wrote it/],
      ["fileUntold", "replaced", /_part\d+ is there, and aws_s3 does not say so/],
    ] as const)
      it(`is refused when the server lies about files: ${lie}`, async () => {
        await standIn.split(100_000);
        await standIn.lie(lie);
        await assert.rejects(run(), (error) => {
          assert.ok(error instanceof ProofError, String(error));
          assert.equal(error.failure, failure);
          assert.match(error.message, told);
          return true;
        });
      });

    it("does not stand the proof when a row was kept back and nobody told of it; the next one does", async () => {
      await standIn.lie("rowKept");
      const short = await run();
      await assert.rejects(prove(short), { failure: "stale" });
      await standIn.lie();
      const whole = await run();
      assert.equal(whole.manifest.rows, short.manifest.rows + 1);
      await prove(whole);
    });

    it("is refused when PostgreSQL would not read it back, and nothing tells of what was written", async () => {
      await client.query("CREATE CAST (bytea AS text) WITHOUT FUNCTION");
      await client.query(String.raw`UPDATE events SET payload = '\xff'::bytea::text WHERE id = 5`);
      await assert.rejects(run(), /"events_2024_01" holds bytes that are no character of UTF8: 0xff/);
      assert.ok((await objects()).every((key) => key.endsWith(".copy")));
    });

    it("tells what the server says when it cannot, with its SQLSTATE and what to do", async () => {
      await standIn.lie("denied");
      await assert.rejects(
        run(),
        /aws_s3 did not write rows into s3:\/\/.*\(SQLSTATE 38000\)\. Check the role .*s3Export/,
      );
      await client.query(`CREATE ROLE exporter_by_server LOGIN PASSWORD 'x';
        GRANT pg_read_all_data TO exporter_by_server; GRANT USAGE ON SCHEMA aws_s3 TO exporter_by_server;
        REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA aws_s3 FROM PUBLIC; SET ROLE exporter_by_server`);
      const { user: _, ...rest } = database.connection;
      const others = new Sessions({ ...rest, username: "exporter_by_server", password: "x" });
      try {
        await others.withSession(async (session) => {
          const { origin, ...more } = await within((own) => options(own));
          const work = async () => exportPartition(session, await january(session), { ...more, origin });
          await assert.rejects(
            work(),
            /permission denied for function.*\(SQLSTATE 42501\)\. Have the owner.*GRANT USAGE/,
          );
        });
      } finally {
        await others.close();
        await client.query("RESET ROLE; DROP OWNED BY exporter_by_server; DROP ROLE exporter_by_server");
      }
      await client.query("DROP SCHEMA aws_s3 CASCADE");
      await assert.rejects(
        run(),
        /\(SQLSTATE (3F000|42883)\)\. Have a role with rds_superuser run CREATE EXTENSION aws_s3/,
      );
    });
  });
});
