/** `pgpartition archive list` and `verify`: every grade, with the exit status that a scheduler sees. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exportPartition } from "../../../archive/export";
import { openStore } from "../../../archive/open";
import { Sessions } from "../../../postgres/connection";
import { ARCHIVE_DEFAULTS } from "../../../topology/archive";
import type { ArchiveEncryption } from "../../../topology/encryption";
import { describeOnOldestAndNewest, type TestDatabase } from "../../support/postgres";
import { describeOnS3 } from "../../support/s3";
import { archive, withFrozenObjects, withoutListing } from "./commands";
import {
  changeRows,
  EVENTS,
  january,
  originOf,
  PART_BLOCKS,
  type Vandal,
  vandalOfBucket,
  vandalOfDirectory,
} from "./support";

interface Verified {
  grade: string;
  compared: string | null;
  archives: { partition: string; grade: string; rows?: number; reasons: { grade: string; reason: string }[] }[];
}

interface Place {
  store: string;
  vandal: Vandal;
}

const JANUARY = "public.events_2024_01";

describeOnOldestAndNewest("the commands that look at an archive", (server) => {
  let database: TestDatabase;
  let sessions: Sessions;

  beforeEach(async () => {
    database = await server().createDatabase();
    await changeRows(database, EVENTS);
    const { user: username, ...rest } = database.connection;
    sessions = new Sessions({ ...rest, username });
  });
  afterEach(async () => {
    await sessions.close();
    await database.drop();
  });

  /** Exports January and gives the keys of its parts. */
  const exported = (store: string, encryption?: ArchiveEncryption) =>
    sessions.withSession(async (session) => {
      const options = {
        store: openStore({ ...ARCHIVE_DEFAULTS, store, encryption }, new Date()),
        partBlocks: PART_BLOCKS,
      };
      const { manifest, stored } = await exportPartition(session, await january(session), {
        ...options,
        origin: await originOf(session),
      });
      options.store.close();
      return { manifest, key: stored.key, parts: manifest.leaves.flatMap(({ parts }) => parts.map(({ key }) => key)) };
    });
  const change = (sql: string) => sessions.withSession((session) => session.query(sql));

  async function verified(store: string, compare = false, ...more: string[]) {
    const args = ["verify", "--all", "--store", store, "--json", ...more];
    const { status, out, err } = await archive(args, compare ? database.connection : undefined);
    assert.notEqual(out, "", err);
    const said = JSON.parse(out) as Verified;
    return { status, said, grade: said.grade, reasons: said.archives.flatMap(({ reasons }) => reasons) };
  }

  function gradesIn(open: () => Promise<Place>): void {
    it("OK for what is whole, without a database and with one", async () => {
      const { store } = await open();
      const { manifest } = await exported(store);
      const alone = await verified(store);
      assert.deepEqual([alone.status, alone.grade, alone.said.compared], [0, "OK", null]);
      assert.deepEqual(
        alone.said.archives.map(({ partition, rows }) => [partition, rows]),
        [["events_2024_01", manifest.rows]],
      );
      const { status, said } = await verified(store, true, "--rate", "100000000");
      assert.deepEqual([status, said.grade], [0, "OK"]);
      assert.match(said.compared ?? "", new RegExp(`/${database.connection.database}$`));
      await change(`DROP TABLE ${JANUARY}`);
      assert.equal((await verified(store, true)).status, 0);
    });

    it("MISSING without an object, without the manifest, and for what nobody has ever exported", async () => {
      const { store, vandal } = await open();
      assert.equal((await verified(store)).status, 5);
      const { parts, key } = await exported(store);
      await vandal.remove(parts[0]!);
      await vandal.remove(parts[1]!);
      const without = await verified(store);
      assert.deepEqual([without.status, without.reasons.map(({ grade }) => grade)], [5, ["MISSING", "MISSING"]]);
      const asked = await archive(["verify", "events_2024_09", "--store", store]);
      assert.equal(asked.status, 5);
      assert.match(asked.out, /MISSING.* has nothing of events_2024_09/);
      await vandal.remove(key);
      const left = await verified(store);
      assert.equal(left.status, 5);
      assert.match(left.reasons[0]!.reason, /no manifest/);
    });

    it("CORRUPT for an object that is not what was written, with every other one told, too", async () => {
      const { store, vandal } = await open();
      const { parts } = await exported(store);
      await vandal.remove(parts[0]!);
      const content = await vandal.read(parts[1]!);
      content[content.length >> 1]! ^= 1;
      await vandal.put(parts[1]!, content);
      const { status, grade, reasons } = await verified(store);
      assert.deepEqual([status, grade, reasons.map((one) => one.grade)], [6, "CORRUPT", ["MISSING", "CORRUPT"]]);
      assert.ok(reasons[1]!.reason.includes(parts[1]!));
    });

    it("CORRUPT for the manifest of another table", async () => {
      const { store, vandal } = await open();
      const { key } = await exported(store);
      const manifest = JSON.parse((await vandal.read(key)).toString());
      await vandal.put(key, Buffer.from(JSON.stringify({ ...manifest, generation: 7 })));
      assert.equal((await verified(store)).status, 6);
    });
  }

  describe("in a directory", () => {
    let directory: string;
    beforeEach(async () => {
      directory = await mkdtemp(join(tmpdir(), "archive-test-"));
    });
    afterEach(() => rm(directory, { recursive: true }));
    const open = async () => ({ store: `file://${directory}`, vandal: vandalOfDirectory(directory) });
    gradesIn(open);

    it("OK for what is encrypted when the key is given, UNKNOWN without it, CORRUPT when it is damaged", async () => {
      const { store, vandal } = await open();
      const keyFile = join(directory, "key");
      await writeFile(keyFile, randomBytes(32).toString("hex"));
      const settings = join(directory, "settings.json");
      await writeFile(settings, JSON.stringify({ encryption: { keyFile } }));
      const { parts } = await exported(store, { keyFile });
      assert.equal((await verified(store, true, "--settings", settings)).status, 0);
      const without = await verified(store);
      assert.deepEqual([without.status, without.grade], [1, "UNKNOWN"]);
      assert.match(without.reasons[0]!.reason, /is encrypted with the key file of fingerprint .* not declared/);
      const content = await vandal.read(parts[0]!);
      content[content.length >> 1]! ^= 1;
      await vandal.put(parts[0]!, content);
      assert.equal((await verified(store, false, "--settings", settings)).status, 6);
    });

    it("STALE when the table holds other rows, and not when only its counters say so", async () => {
      const { store } = await open();
      await exported(store);
      await change(`UPDATE ${JANUARY} SET payload = payload WHERE id = 77`);
      assert.equal((await verified(store, true)).status, 0);
      await change(`UPDATE ${JANUARY} SET payload = 'other' WHERE id = 77`);
      // PostgreSQL tells others of a change within a second; a rewritten table is known to be another one at once.
      await change(`VACUUM FULL ${JANUARY}`);
      const { status, grade, reasons } = await verified(store, true);
      assert.deepEqual([status, grade], [4, "STALE"]);
      assert.match(reasons[0]!.reason, /other rows/);
      assert.equal((await verified(store)).status, 0, "the store alone knows nothing of that");
    });

    it("STALE when the table holds other rows and no counter says so, unless counters are trusted", async () => {
      const { store } = await open();
      await exported(store);
      const client = await database.client();
      await client.query("SET track_counts = off");
      await client.query(`UPDATE ${JANUARY} SET payload = 'other' WHERE id = 77`);
      await client.end();
      const { status, reasons } = await verified(store, true);
      assert.deepEqual([status, reasons.map(({ grade }) => grade)], [4, ["STALE"]]);
      assert.equal((await verified(store, true, "--trust-counters")).status, 0);
    });

    it("STALE when the table was restored under its name, and has changed since", async () => {
      const { store } = await open();
      await exported(store);
      await change(`CREATE TABLE public.other (LIKE ${JANUARY})`);
      await change(`INSERT INTO public.other TABLE ${JANUARY}`);
      await change(`DROP TABLE ${JANUARY}`);
      await change("ALTER TABLE public.other RENAME TO events_2024_01");
      assert.equal((await verified(store, true)).status, 0, "a stranger of that name is not looked at");
      const attach = `ALTER TABLE public.events ATTACH PARTITION ${JANUARY}`;
      await change(`${attach} FOR VALUES FROM ('2024-01-01 00:00+00') TO ('2024-02-01 00:00+00')`);
      assert.equal((await verified(store, true)).status, 0);
      await change(`DELETE FROM ${JANUARY} WHERE id = 5`);
      assert.equal((await verified(store, true)).status, 4);
    });

    it("nothing for an export that is not finished while the table is there", async () => {
      const { store, vandal } = await open();
      const { key } = await exported(store);
      await vandal.remove(key);
      const { status, said } = await verified(store, true);
      assert.deepEqual([status, said.archives], [0, []]);
    });

    it("status 1 when the database cannot be asked, and 2 for wrong usage", async () => {
      const { store } = await open();
      await exported(store);
      const nowhere = { ...database.connection, database: "no_such_database" };
      const { status, err } = await archive(["verify", "--all", "--store", store], nowhere);
      assert.equal(status, 1);
      assert.match(err, /no_such_database/);
      for (const wrong of [
        ["verify", "--store", store],
        ["verify", "--all", "one", "--store", store],
        ["verify", "--all"],
        ["verify", "--all", "--store", "ftp://somewhere"],
        ["verify", "--all", "--store", store, "--parallel", "0"],
        ["list", "--store", store, "--source", ""],
      ]) {
        const ran = await archive(wrong);
        assert.deepEqual([wrong, ran.status], [wrong, 2]);
        assert.notEqual(ran.err, "");
      }
    });

    it("lists copies by table, and whether the tables are there", async () => {
      const { store } = await open();
      const { manifest } = await exported(store);
      await writeFile(join(directory, "notes.txt"), "somebody else's");
      const text = await archive(["list", "--store", store], database.connection);
      assert.equal(text.status, 0, text.err);
      const { database: name } = database.connection;
      assert.match(text.out, new RegExp(`^public.events of database ${name}, cluster \\d+\n`));
      assert.match(text.out, /events_2024_01 {2}2024-01-01 00:00:00\+00 … 2024-02-01 00:00:00\+00 .* there\n/);
      const asked = async (...more: string[]) => {
        const { status, out } = await archive(["list", "--store", store, "--json", ...more], database.connection);
        assert.equal(status, 0);
        return (JSON.parse(out) as { archives: Record<string, unknown>[] }).archives;
      };
      const [only] = await asked();
      assert.deepEqual([only?.rows, only?.generation, only?.presence], [manifest.rows, 1, "unchanged"]);
      assert.ok(Number(only?.tableBytes) > Number(only?.textBytes));
      assert.deepEqual(await asked("--table", "public.other"), []);
      assert.equal((await asked("--source", `${manifest.origin.systemIdentifier}/${name}`)).length, 1);
      assert.deepEqual(await asked("--source", "other"), []);
      await change(`DROP TABLE ${JANUARY}`);
      assert.equal((await asked())[0]?.presence, "gone");
    });
  });

  describeOnS3("in a bucket", (s3) => {
    const urlOf = (bucket: string, endpoint: string) =>
      `s3://${bucket}?region=${s3().region}&endpoint=${encodeURIComponent(endpoint)}`;
    gradesIn(async () => {
      const bucket = await s3().createBucket({ versioned: true });
      return { store: urlOf(bucket, s3().endpoint), vandal: vandalOfBucket(s3(), bucket) };
    });

    it("DELAYED when an object must be restored from its class first (by a stand-in for that class)", async () => {
      const bucket = await s3().createBucket();
      const { parts } = await exported(urlOf(bucket, s3().endpoint));
      const frozen = (path: string) => path.includes(parts[1]!);
      await withFrozenObjects(s3().endpoint, frozen, async (endpoint) => {
        const { status, grade, reasons } = await verified(urlOf(bucket, endpoint));
        assert.deepEqual([status, grade, reasons.length], [3, "DELAYED", 1]);
        await vandalOfBucket(s3(), bucket).remove(parts[0]!);
        assert.equal((await verified(urlOf(bucket, endpoint))).status, 5);
      });
    });

    it("MISSING for a role that may list below a prefix only, and UNKNOWN with the reason for one that may not list at all", async () => {
      const bucket = await s3().createBucket();
      const { parts } = await exported(urlOf(bucket, s3().endpoint));
      await vandalOfBucket(s3(), bucket).remove(parts[0]!);
      const graded = (mayList: boolean) =>
        withoutListing(s3().endpoint, mayList, (endpoint) => verified(urlOf(bucket, endpoint)));
      const listing = await graded(true);
      assert.deepEqual([listing.status, listing.reasons.length], [5, 1], JSON.stringify(listing.reasons));
      const { status, grade, reasons } = await graded(false);
      assert.deepEqual([status, grade, reasons.length], [1, "UNKNOWN", 1]);
      assert.match(reasons[0]!.reason, /who may not list \(s3:ListBucket\) is told the same of missing objects/);
    });

    it("UNKNOWN when the store does not answer", async () => {
      const bucket = await s3().createBucket();
      const { parts } = await exported(urlOf(bucket, s3().endpoint));
      const ran = await archive(["verify", "--all", "--store", urlOf("no-such-bucket", s3().endpoint)]);
      assert.equal(ran.status, 1);
      assert.match(ran.err, /no-such-bucket/);
      assert.ok(parts.length > 1);
    });
  });
});
