/** Stores and servers that go away in the middle: it is said, the session goes on, and the next run finishes. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { finished } from "node:stream/promises";
import type { Client } from "pg";
import { exportPartition } from "../../../archive/export";
import { type Store, StoreError } from "../../../archive/store";
import { FileStore } from "../../../archive/stores/file";
import { verifyObjects } from "../../../archive/verify";
import type { Session, Sessions } from "../../../postgres/connection";
import { describeOnOldestAndNewest } from "../../support/postgres";
import { openForEachTest } from "../postgres/opened";
import { EVENTS, january, originOf, PART_BLOCKS } from "./support";

/** A store with one method done in another way. */
function changed<K extends keyof Store>(store: Store, method: K, way: Store[K]): Store {
  return Object.assign(Object.create(store), { [method]: way }) as Store;
}

const isRows = (key: string) => key.endsWith(".zst");

describeOnOldestAndNewest("an export from which the store goes away", (server) => {
  let client: Client;
  let sessions: Sessions;
  let directory: string;
  let store: FileStore;

  openForEachTest(server, (opened) => {
    ({ client, sessions } = opened);
  });
  beforeEach(async () => {
    await client.query(EVENTS);
    // Incompressible, and far more than all buffers on the way.
    await client.query(`INSERT INTO events SELECT i, '2024-01-15', (SELECT string_agg(md5(i::text || j::text), '') FROM generate_series(1, 400) AS j)
      FROM generate_series(10000, 10800) AS i`);
    directory = await mkdtemp(join(tmpdir(), "archive-test-"));
    store = new FileStore(directory);
  });
  afterEach(() => rm(directory, { recursive: true }));

  const run = async (session: Session, to: Store = store, signal?: AbortSignal) =>
    exportPartition(session, await january(session), {
      store: to,
      origin: await originOf(session),
      partBlocks: PART_BLOCKS,
      signal,
    });

  it("leaves the session as it was, and the next one finishes", async () => {
    const gone = new StoreError("unreachable", "the store is away");
    let writes = 0;
    const leaving = changed(store, "write", async (key: string, content: Readable, signal?: AbortSignal) => {
      writes += isRows(key) ? 1 : 0;
      if (writes < 3) return store.write(key, content, signal);
      await new Promise((resolve) => content.once("data", resolve));
      throw gone;
    });
    await sessions.withSession(async (session) => {
      await assert.rejects(run(session, leaving), gone);
      assert.deepEqual(await session.query("SELECT 1 AS one"), [{ one: 1 }]);
      assert.equal(session.broken, false);
      const { manifest } = await run(session);
      const [row] = await session.query<{ n: number }>("SELECT count(*)::int AS n FROM public.events_2024_01");
      assert.equal(manifest.rows, row?.n);
    });
  });

  it("leaves the session as it was when nobody begins to read", async () => {
    const refused = new Error("no key");
    await sessions.withSession(async (session) => {
      const reading = session.copyOut("COPY public.events_2024_01 TO STDOUT", async () => {
        throw refused;
      });
      await assert.rejects(reading, refused);
      assert.deepEqual(await session.query("SELECT 1 AS one"), [{ one: 1 }]);
    });
  });

  it("beside another one that nothing keeps apart from it loses nothing, and is told who was first", async () => {
    const both = await Promise.allSettled([1, 2].map(() => sessions.withSession((session) => run(session))));
    for (const end of both)
      if (end.status === "rejected") {
        assert.ok(end.reason instanceof StoreError, String(end.reason));
        assert.equal(end.reason.failure, "exists");
      }
    await sessions.withSession(async (session) => {
      const { manifest } = await run(session);
      const [row] = await session.query<{ n: number }>("SELECT count(*)::int AS n FROM public.events_2024_01");
      assert.equal(manifest.rows, row?.n);
      await verifyObjects(store, manifest);
    });
  });

  it("waits for a store that takes long to end an object", async () => {
    await sessions.withSession(async (session) => {
      await session.query("SET idle_in_transaction_session_timeout = '50ms'");
      const slow = changed(store, "write", async (key: string, content: Readable, signal?: AbortSignal) => {
        const stored = await store.write(key, content, signal);
        if (isRows(key)) await client.query("SELECT pg_sleep(0.2)");
        return stored;
      });
      const { manifest } = await run(session, slow);
      assert.ok(manifest.rows > 0);
    });
  });

  it("ends at once when it is cancelled, though the store takes nothing more", async () => {
    const stop = new AbortController();
    const stuck = changed(store, "write", async (_key: string, content: Readable) => {
      await new Promise((resolve) => content.once("readable", resolve));
      stop.abort();
      await finished(content);
      throw new Error("never");
    });
    await sessions.withSession(async (session) => {
      await assert.rejects(run(session, stuck, stop.signal), { name: "AbortError" });
      assert.deepEqual(await session.query("SELECT 1 AS one"), [{ one: 1 }]);
    });
  });
});
