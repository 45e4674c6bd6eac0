/** What an export writes, what it uses again, and that nobody needs this product to read it. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Exported, exportPartition } from "../../../archive/export";
import { listCopies, newestByOid, readManifest } from "../../../archive/inventory";
import { proveTable } from "../../../archive/proof";
import { FileStore } from "../../../archive/stores/file";
import { type Session, Sessions } from "../../../postgres/connection";
import { ROW_FORMATS, type RowFormat } from "../../../topology/archive";
import { describeOnEachPostgres, type TestDatabase } from "../../support/postgres";
import { changeRows, EVENTS, january, originOf, PART_BLOCKS, type Vandal, vandalOfDirectory } from "./support";

/** What CSV has to quote and text to escape. */
const ODD_ROWS = String.raw`INSERT INTO events SELECT -row_number() OVER (), '2024-01-05 00:00+00', payload
  FROM unnest(ARRAY['', NULL, 'a,"b"', E'two\nlines', E'\r\n', E'a\tb\\', '\.', '\N']) AS payload`;

describeOnEachPostgres("an export", (server) => {
  let database: TestDatabase;
  let sessions: Sessions;
  let directory: string;
  let store: FileStore;
  let vandal: Vandal;

  beforeEach(async () => {
    database = await server().createDatabase();
    await changeRows(database, EVENTS);
    const { user: username, ...rest } = database.connection;
    sessions = new Sessions({ ...rest, username });
    directory = await mkdtemp(join(tmpdir(), "archive-test-"));
    store = new FileStore(directory);
    vandal = vandalOfDirectory(directory);
  });
  afterEach(async () => {
    await sessions.close();
    await database.drop();
    await rm(directory, { recursive: true });
  });

  const options = async (session: Session) => ({ store, origin: await originOf(session), partBlocks: PART_BLOCKS });
  const run = async (session: Session, format: RowFormat = "text") =>
    exportPartition(session, await january(session), { ...(await options(session)), format });
  const keysOf = ({ manifest }: Exported) => manifest.leaves.flatMap(({ parts }) => parts.map(({ key }) => key));
  const objects = async () => {
    const keys: string[] = [];
    for await (const { key } of store.list("")) keys.push(key);
    return keys;
  };

  it("is found by a listing, and says what it holds", async () => {
    await sessions.withSession(async (session) => {
      const { manifest, stored } = await run(session);
      const copies = await listCopies(store, manifest.origin);
      assert.deepEqual(
        [...newestByOid(copies).values()],
        [
          {
            partition: "events_2024_01",
            oid: manifest.partition.oid,
            generation: 1,
            manifest: { ...stored },
            droppedBy: [],
          },
        ],
      );
      assert.deepEqual(await readManifest(store, stored), manifest);
      const [row] = await session.query<{ rows: number; least: string; greatest: string }>(
        `SELECT count(*)::integer AS rows, min(created_at)::text AS least, max(created_at)::text AS greatest FROM public.events_2024_01`,
      );
      assert.deepEqual(
        { rows: manifest.rows, key: manifest.key },
        { rows: row?.rows, key: [{ column: "created_at", least: row?.least, greatest: row?.greatest }] },
      );
    });
  });

  it("is watched over all that it reads, and so is a proof: the table and the store", async () => {
    await sessions.withSession(async (session) => {
      let bytes = 0;
      const onText = (more: number) => {
        bytes += more;
        return undefined;
      };
      const partition = await january(session);
      const own = await options(session);
      const { manifest, stored } = await exportPartition(session, partition, { ...own, onText, pieceBytes: 2 ** 14 });
      assert.equal(bytes, 2 * manifest.textBytes);
      await session.transaction(async () => {
        await session.query("LOCK TABLE public.events_2024_01");
        await proveTable(session, store, partition, { origin: own.origin, manifest: stored }, { onText });
      });
      assert.equal(bytes, 4 * manifest.textBytes);
    });
  });

  it("writes nothing when nothing has changed", async () => {
    await sessions.withSession(async (session) => {
      const first = await run(session);
      const before = await objects();
      const second = await run(session);
      assert.equal(second.manifest.generation, 1);
      assert.deepEqual(second, { ...first, written: false });
      assert.deepEqual(await objects(), before);
    });
  });

  it("writes those parts again whose rows have changed, and says so in a new manifest", async () => {
    await sessions.withSession(async (session) => {
      const first = await run(session);
      await session.query(`UPDATE public.events_2024_01 SET payload = 'changed' WHERE ctid = '(25,1)'`);
      const second = await run(session);
      assert.equal(second.manifest.generation, 2);
      const kept = keysOf(second).filter((key) => keysOf(first).includes(key));
      // The new version of the row may have found room in another part.
      const again = keysOf(first).length - kept.length;
      assert.ok(again === 1 || again === 2, `${again} parts were written again`);
      assert.notEqual(second.manifest.hash, first.manifest.hash);
      assert.equal(second.manifest.rows, first.manifest.rows);
    });
  });

  it("writes a part again that is damaged or gone, and leaves the others", async () => {
    await sessions.withSession(async (session) => {
      const first = await run(session);
      const [one, other] = keysOf(first);
      const whole = await vandal.read(one!);
      await vandal.put(one!, Buffer.concat([whole.subarray(0, 50), Buffer.from([1]), whole.subarray(51)]));
      await vandal.remove(other!);
      const second = await run(session);
      assert.deepEqual(
        keysOf(second).map((key, at) => key === keysOf(first)[at]),
        keysOf(first).map((_, at) => at > 1),
      );
      assert.deepEqual([second.manifest.rows, second.manifest.hash], [first.manifest.rows, first.manifest.hash]);
    });
  });

  it("in another format uses nothing of it again, and each is proven as it was written", async () => {
    await sessions.withSession(async (session) => {
      const first = await run(session);
      const second = await run(session, "csv");
      assert.deepEqual(
        keysOf(second).filter((key) => keysOf(first).includes(key)),
        [],
      );
      assert.ok(
        keysOf(second).every((key) => key.endsWith(".csv.zst")),
        String(keysOf(second)),
      );
      assert.equal(second.manifest.rows, first.manifest.rows);
      assert.notEqual(second.manifest.hash, first.manifest.hash);
      assert.deepEqual(await readManifest(store, second.stored), second.manifest);
      const prove = ({ manifest, stored }: Exported) =>
        session.transaction(async () => {
          await session.query("LOCK TABLE ONLY public.events_2024_01 IN SHARE MODE");
          const table = { schema: "public", name: "events_2024_01", oid: manifest.partition.oid };
          return proveTable(session, store, table, { origin: manifest.origin, manifest: stored });
        });
      for (const exported of [first, second]) assert.equal((await prove(exported)).hash, exported.manifest.hash);
      assert.deepEqual(await run(session, "csv"), { ...second, written: false });
      await session.query("UPDATE public.events_2024_01 SET payload = payload || '\"' WHERE id = 7");
      await assert.rejects(prove(second), { failure: "stale" });
    });
  });

  it("goes on with what an interrupted one has written", async () => {
    await sessions.withSession(async (session) => {
      const stop = new AbortController();
      let texts = 0;
      const interrupted = exportPartition(session, await january(session), {
        ...(await options(session)),
        signal: stop.signal,
        onText: (bytes) => {
          texts += bytes;
          if (texts > 300_000) stop.abort();
          return undefined;
        },
      });
      await assert.rejects(interrupted, { name: "AbortError" });
    });
    const left = (await objects()).filter((key) => key.endsWith(".zst"));
    assert.ok(left.length > 0, "some parts are there");
    await sessions.withSession(async (session) => {
      const { manifest } = await run(session);
      assert.equal(manifest.generation, 2);
      const used = manifest.leaves.flatMap(({ parts }) => parts.map(({ key }) => key));
      assert.deepEqual(used.slice(0, left.length), left);
      const [row] = await session.query<{ rows: number }>(
        "SELECT count(*)::integer AS rows FROM public.events_2024_01",
      );
      assert.equal(manifest.rows, row?.rows);
    });
  });

  it("of tables whose names begin alike, or have odd characters, is told apart from others", async () => {
    await sessions.withSession(async (session) => {
      const odd = `a/b.c "d" é%2F..`;
      await session.query(`CREATE SCHEMA other; CREATE TABLE other.events (LIKE public.events) PARTITION BY RANGE (created_at);
        CREATE TABLE public.events_payments (LIKE public.events) PARTITION BY RANGE (created_at);
        CREATE TABLE public."${odd.replaceAll('"', '""')}" (LIKE public.events)`);
      const first = await run(session);
      const partition = await january(session, odd);
      await exportPartition(session, partition, { ...(await options(session)), origin: first.manifest.origin });
      const names = async (name: string, schema?: string) =>
        (await listCopies(store, await originOf(session, name, schema))).map((copy) => copy.partition);
      assert.deepEqual((await names("events")).sort(), [odd, "events_2024_01"].sort());
      assert.deepEqual([await names("events_payments"), await names("events", "other")], [[], []]);
    });
  });

  for (const format of ROW_FORMATS)
    it(`as ${format} is brought back by zstd and psql with the manifest's own text`, async function () {
      const tools = ["psql", "zstd"].filter((tool) => spawnSync(tool, ["--version"]).error !== undefined);
      if (tools.length > 0) {
        console.log(`      skipped: ${tools.join(" and ")} is not installed here`);
        this.skip();
      }
      const client = await database.client();
      await client.query(ODD_ROWS);
      const { manifest, stored } = await sessions.withSession((session) => run(session, format));
      await client.query("ALTER TABLE events_2024_01 RENAME TO original");
      await client.query("ALTER INDEX events_2024_01_pkey RENAME TO original_pkey");
      const { host, port, user, password, database: name } = database.connection;
      const environment = {
        ...process.env,
        PGHOST: host,
        PGPORT: String(port),
        PGUSER: user,
        PGPASSWORD: password,
        PGDATABASE: name,
      };
      const shell = (script: string) => {
        const done = spawnSync("bash", ["-eo", "pipefail", "-c", script], { env: environment, cwd: directory });
        assert.equal(done.status, 0, done.stderr.toString());
      };
      const { restore, leaves } = JSON.parse(await readFile(join(directory, stored.key), "utf8")) as typeof manifest;
      const psql = (sql: string) => `psql -qX -v ON_ERROR_STOP=1 -c '${sql.replaceAll("'", "'\\''")}'`;
      for (const statement of restore.create) shell(psql(statement));
      for (const [at, leaf] of leaves.entries())
        for (const { key } of leaf.parts) shell(`zstd -dc '${key}' | ${psql(restore.copy[at]!)}`);
      for (const statement of restore.finish) shell(psql(statement));
      const [one, other] = ["original", "events_2024_01"].map((table) => `SELECT * FROM ${table}`);
      const { rows } = await client.query(`(${one} EXCEPT ALL ${other}) UNION ALL (${other} EXCEPT ALL ${one})`);
      assert.deepEqual(rows, []);
      const shape = async (table: string) =>
        (
          await client.query(
            `SELECT a.attname, format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull,
             (SELECT count(*)::integer FROM pg_index WHERE indrelid = a.attrelid AND indisprimary) AS keys
           FROM pg_attribute a WHERE a.attrelid = $1::regclass AND a.attnum > 0 ORDER BY a.attnum`,
            [table],
          )
        ).rows;
      assert.deepEqual(await shape("events_2024_01"), await shape("original"));
    });
});
