/** Nothing counts as proof but what the store gives now, compared with what the table holds now. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { type Exported, exportPartition } from "../../../archive/export";
import { type ArchivedPart, manifestText, parseManifest } from "../../../archive/manifest";
import { proveTable } from "../../../archive/proof";
import { ProofError, type ProofFailure } from "../../../archive/proofError";
import type { Store } from "../../../archive/store";
import { FileStore } from "../../../archive/stores/file";
import { S3Store } from "../../../archive/stores/s3";
import { type Session, Sessions } from "../../../postgres/connection";
import { describeOnEachPostgres, type TestDatabase } from "../../support/postgres";
import { describeOnS3 } from "../../support/s3";
import {
  EVENTS,
  january,
  oidOf,
  originOf,
  PART_BLOCKS,
  type Vandal,
  vandalOfBucket,
  vandalOfDirectory,
} from "./support";

/** What a mutation is given. */
interface Scene {
  session: Session;
  vandal: Vandal;
  store: Store;
  exported: Exported;
  parts: ArchivedPart[];
}

interface Mutation {
  failure: readonly ProofFailure[];
  run(scene: Scene): Promise<void>;
}

const JANUARY = "public.events_2024_01";

async function rewrite({ vandal }: Scene, key: string, change: (content: Buffer) => Buffer): Promise<void> {
  await vandal.put(key, change(await vandal.read(key)));
}

const flip = (at: (length: number) => number) => (content: Buffer) => {
  const damaged = Buffer.from(content);
  const place = at(content.length);
  damaged[place] = (damaged[place] ?? 0) ^ 1;
  return damaged;
};

const text = (change: (rows: string) => string) => (content: Buffer) =>
  zstdCompressSync(Buffer.from(change(zstdDecompressSync(content).toString())));

/** With versions, what was put in the place of an object is seen as another version before anything of it is read. */
const CHANGED = ["corrupt", "replaced"] as const;

const MUTATIONS: Record<string, Mutation> = {
  "one flipped bit of an object": {
    failure: CHANGED,
    run: (scene) =>
      rewrite(
        scene,
        scene.parts[1]!.key,
        flip((length) => length >> 1),
      ),
  },
  "an object cut off": {
    failure: CHANGED,
    run: (scene) => rewrite(scene, scene.parts[0]!.key, (content) => content.subarray(0, -20)),
  },
  "an object of other rows, compressed properly": {
    failure: CHANGED,
    run: (scene) =>
      rewrite(
        scene,
        scene.parts[0]!.key,
        text((rows) => rows.replace("payload 1x", "payload 2x")),
      ),
  },
  "a missing part": {
    failure: ["missing"],
    run: ({ vandal, parts }) => vandal.remove(parts.at(-1)!.key),
  },
  "two objects that have changed places": {
    failure: CHANGED,
    async run({ vandal, parts }) {
      const [one, other] = [parts[0]!.key, parts[1]!.key];
      const contents = [await vandal.read(one), await vandal.read(other)] as const;
      await vandal.put(one, contents[1]);
      await vandal.put(other, contents[0]);
    },
  },
  "two parts that have changed places in the manifest, one of them twice": {
    failure: ["corrupt", "replaced"],
    run: (scene) =>
      rewrite(scene, scene.exported.stored.key, (content) => {
        const manifest = parseManifest(content.toString());
        manifest.leaves[0]!.parts[0] = manifest.leaves[0]!.parts[1]!;
        return Buffer.from(manifestText(manifest));
      }),
  },
  "a row added after the export": {
    failure: ["stale"],
    run: async ({ session }) =>
      void (await session.query(`INSERT INTO ${JANUARY} VALUES (-1, '2024-01-31 12:00+00', 'late')`)),
  },
  "a row updated after the export": {
    failure: ["stale"],
    run: async ({ session }) => void (await session.query(`UPDATE ${JANUARY} SET payload = 'other' WHERE id = 77`)),
  },
  "a row deleted after the export": {
    failure: ["stale"],
    run: async ({ session }) => void (await session.query(`DELETE FROM ${JANUARY} WHERE id = 77`)),
  },
  "one row deleted and another one twice": {
    failure: ["stale"],
    run: async ({ session }) =>
      void (await session.query(`UPDATE ${JANUARY} AS one SET payload = other.payload FROM ${JANUARY} AS other
        WHERE one.id = 5 AND other.id = 6`)),
  },
  "a row that is there once more": {
    failure: ["stale"],
    run: async ({ session }) => {
      await session.query(`ALTER TABLE ${JANUARY} DROP CONSTRAINT events_2024_01_pkey`);
      await session.query(`INSERT INTO ${JANUARY} SELECT * FROM ${JANUARY} WHERE id = 77`);
    },
  },
  "an empty text that is no text now": {
    failure: ["stale"],
    run: async ({ session }) => void (await session.query(`UPDATE ${JANUARY} SET payload = NULL WHERE payload = ''`)),
  },
  "a column added after the export": {
    failure: ["stale"],
    run: async ({ session }) => void (await session.query(`ALTER TABLE ${JANUARY} ADD COLUMN note text DEFAULT 'x'`)),
  },
  "a deleted manifest": {
    failure: ["missing"],
    run: ({ vandal, exported }) => vandal.remove(exported.stored.key),
  },
  "a manifest cut off": {
    failure: CHANGED,
    run: (scene) => rewrite(scene, scene.exported.stored.key, (content) => content.subarray(0, 700)),
  },
  "the manifest of another table of the same shape": {
    failure: ["foreign", "replaced"],
    async run({ session, store, vandal, exported }) {
      await session.query(`CREATE TABLE public.events_copy AS TABLE ${JANUARY}`);
      const twin = { ...(await january(session)), name: "events_copy", oid: await oidOf(session, "events_copy") };
      const other = await exportPartition(session, twin, { store, origin: exported.manifest.origin });
      await vandal.put(exported.stored.key, await vandal.read(other.stored.key));
    },
  },
  "a manifest that claims to be this table's": {
    failure: ["stale", "replaced"],
    async run(scene) {
      await scene.session.query("DELETE FROM public.events_2024_02 WHERE id % 2 = 0");
      const { session, store, vandal, exported } = scene;
      const february = {
        ...(await january(session)),
        name: "events_2024_02",
        oid: await oidOf(session, "events_2024_02"),
      };
      const other = await exportPartition(session, february, { store, origin: exported.manifest.origin });
      const { partition, generation, leaves } = exported.manifest;
      const forged = {
        ...other.manifest,
        partition,
        generation,
        leaves: [{ ...other.manifest.leaves[0]!, oid: leaves[0]!.oid }],
      };
      await vandal.put(exported.stored.key, Buffer.from(manifestText(forged)));
    },
  },
};

describeOnEachPostgres("the proof before a deletion", (server) => {
  let database: TestDatabase;
  let sessions: Sessions;

  beforeEach(async () => {
    database = await server().createDatabase();
    const client = await database.client();
    await client.query(EVENTS);
    await client.query("ALTER TABLE events DETACH PARTITION events_2024_01");
    await client.query("UPDATE events_2024_01 SET payload = '' WHERE id = 78");
    const { user: username, ...rest } = database.connection;
    sessions = new Sessions({ ...rest, username });
  });
  afterEach(async () => {
    await sessions.close();
    await database.drop();
  });

  const prove = (session: Session, store: Store, { manifest, stored }: Pick<Exported, "manifest" | "stored">) =>
    session.transaction(async () => {
      const table = { schema: "public", name: "events_2024_01", oid: manifest.partition.oid };
      await session.query(`LOCK TABLE ONLY ${JANUARY} IN SHARE MODE`);
      return proveTable(session, store, table, { origin: manifest.origin, manifest: stored });
    });

  function refusesEachMutation(open: () => Promise<{ store: Store; vandal: Vandal }>): void {
    it("holds for what was exported, and for an export that was restored by its own makers", async () => {
      const { store } = await open();
      await sessions.withSession(async (session) => {
        const options = { store, origin: await originOf(session), partBlocks: PART_BLOCKS };
        const exported = await exportPartition(session, await january(session), options);
        assert.ok(exported.manifest.leaves[0]!.parts.length > 2, "several parts");
        const [row] = await session.query<{ rows: number }>(`SELECT count(*)::integer AS rows FROM ${JANUARY}`);
        const proof = await prove(session, store, exported);
        assert.deepEqual([proof.rows, proof.hash], [row?.rows, exported.manifest.hash]);
      });
    });

    it("holds for the same rows in another order, in other blocks, and whatever clocks say", async () => {
      const { store, vandal } = await open();
      await sessions.withSession(async (session) => {
        const options = { store, origin: await originOf(session), partBlocks: PART_BLOCKS };
        const { manifest, stored } = await exportPartition(session, await january(session), options);
        await session.query(`CREATE TEMPORARY TABLE kept AS TABLE ${JANUARY}`);
        await session.query(`TRUNCATE ${JANUARY}`);
        await session.query(`INSERT INTO ${JANUARY} SELECT * FROM pg_temp.kept ORDER BY md5(id::text)`);
        const later = { ...manifest, exportedAt: "2199-01-01 00:00:00+00" };
        await vandal.put(stored.key, Buffer.from(manifestText(later)));
        const { version: _, ...unversioned } = stored;
        const proof = await prove(session, store, { manifest, stored: unversioned });
        assert.equal(proof.hash, manifest.hash);
      });
    });

    it("is refused without a lock that keeps writers away", async () => {
      const { store } = await open();
      await sessions.withSession(async (session) => {
        const options = { store, origin: await originOf(session), partBlocks: PART_BLOCKS };
        const { manifest, stored } = await exportPartition(session, await january(session), options);
        const table = { schema: "public", name: "events_2024_01", oid: manifest.partition.oid };
        const claimed = { origin: manifest.origin, manifest: stored };
        const unlocked = session.transaction(() => proveTable(session, store, table, claimed));
        await assert.rejects(unlocked, /others may write to it/);
      });
    });

    for (const [title, { failure, run }] of Object.entries(MUTATIONS)) {
      it(`is refused for ${title}`, async () => {
        const { store, vandal } = await open();
        await sessions.withSession(async (session) => {
          const options = { store, origin: await originOf(session), partBlocks: PART_BLOCKS };
          const exported = await exportPartition(session, await january(session), options);
          const parts = exported.manifest.leaves.flatMap((leaf) => leaf.parts);
          await run({ session, store, vandal, exported, parts });
          await assert.rejects(prove(session, store, exported), (error) => {
            assert.ok(error instanceof ProofError, String(error));
            assert.ok(failure.includes(error.failure), `${error.failure}: ${error.message}`);
            return true;
          });
        });
      });
    }
  }

  describe("in a directory", () => {
    let directory: string;
    beforeEach(async () => {
      directory = await mkdtemp(join(tmpdir(), "archive-test-"));
    });
    afterEach(() => rm(directory, { recursive: true }));
    refusesEachMutation(async () => ({ store: new FileStore(directory), vandal: vandalOfDirectory(directory) }));
  });

  for (const versioned of [false, true])
    describeOnS3(`in a bucket ${versioned ? "with" : "without"} versions`, (s3) => {
      refusesEachMutation(async () => {
        const { endpoint, region } = s3();
        const bucket = await s3().createBucket({ versioned });
        const store = new S3Store({ bucket, prefix: "", endpoint, region });
        return { store, vandal: vandalOfBucket(s3(), bucket) };
      });
    });
});
